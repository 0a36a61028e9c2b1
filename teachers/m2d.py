"""The encoder of Masked Modeling Duo: a vision transformer over log-mel patches."""

from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from lungsound.errors import InputError
from lungsound.logmel import SPECS, LogMelSpec

NORM_STATS = (-7.1, 4.2)
"""Mean and standard deviation of AudioSet's log-mels, for weights that do not carry their own."""

LOGMELS = {16000: "m2d", 32000: "m2d_32k"}
"""Name of the log-mel specification by sample rate."""


@dataclass(frozen=True, slots=True)
class M2DConfig:
    """Everything that decides an encoder's shape.

    Attributes
    ----------
    embed_dim, depth, heads : int
        Width of a token, number of blocks, attention heads.
    input_size : tuple of int
        Mels and frames of one chunk.
    patch_size : tuple of int
        Mels and frames of a patch.
    sample_rate : int
        Hz of the sound behind the log-mels, 16000 or 32000.
    """

    embed_dim: int
    depth: int
    heads: int
    input_size: tuple[int, int]
    patch_size: tuple[int, int]
    sample_rate: int = 16000

    def __post_init__(self) -> None:
        sizes = (self.embed_dim, self.depth, self.heads, *self.input_size, *self.patch_size)
        if len(sizes) != 7 or not all(isinstance(size, int) and size > 0 for size in sizes):
            raise InputError(f"M2D encoder: every size must be a positive whole number, got {self}")
        for ok, what in (
            (self.embed_dim % 4 == 0 and self.embed_dim % self.heads == 0, "embed_dim must divide by 4 and by heads"),
            (self.input_size[0] % self.patch_size[0] == 0, "patches must fill the mels"),
            (self.input_size[1] >= self.patch_size[1], "a patch must fit into the frames"),
            (self.sample_rate in LOGMELS, f"sample_rate must be one of {', '.join(map(str, LOGMELS))}"),
        ):
            if not ok:
                raise InputError(f"M2D encoder: {what}, got {self}")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows (frequency) and columns (time) of patches in a chunk."""
        return self.input_size[0] // self.patch_size[0], self.input_size[1] // self.patch_size[1]


def position_table(embed_dim: int, grid: tuple[int, int]) -> Tensor:
    """Return the fixed two-dimensional sin-cos positions of MAE, with a row of zeros for the class token.

    Parameters
    ----------
    embed_dim : int
        Width D of a token.
    grid : tuple of int
        Rows (frequency) and columns (time).

    Returns
    -------
    Tensor of float32, shape [1, 1 + rows * columns, D]
        The first half of a row encodes the column (time), the second half the row (frequency): the order of
        the published weights, although MAE's paper suggests the other one. Each half is the sine, then the
        cosine of the index times ``10000 ** (-k / (D / 4))``, k < D / 4.
    """
    rows, columns = grid
    rates = 10000.0 ** (-torch.arange(embed_dim // 4, dtype=torch.float64) / (embed_dim // 4))

    def encode(index: Tensor) -> Tensor:
        angles = index.double()[:, None] * rates
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    time = encode(torch.arange(columns)).repeat(rows, 1)
    frequency = encode(torch.arange(rows)).repeat_interleave(columns, dim=0)
    table = torch.cat([time, frequency], dim=1)
    return torch.cat([table.new_zeros(1, embed_dim), table])[None].float()


def fit_columns(table: Tensor, rows: int, columns: int) -> Tensor:
    """Stretch (bicubic, no antialias) or cut a position table to a number of columns.

    Parameters
    ----------
    table : Tensor, shape [1, 1 + rows * N, D]
        Class token first.
    rows, columns : int
        Rows of the table and columns wanted.

    Returns
    -------
    Tensor, shape [1, 1 + rows * columns, D]
        The row of the class token is untouched.
    """
    grid = table[:, 1:].reshape(1, rows, -1, table.shape[-1])
    if columns > grid.shape[2]:
        image = F.interpolate(grid.permute(0, 3, 1, 2), (rows, columns), mode="bicubic", align_corners=False)
        grid = image.permute(0, 2, 3, 1)
    return torch.cat([table[:, :1], grid[:, :, :columns].flatten(1, 2)], dim=1)


def stack_frequency(grid: Tensor) -> Tensor:
    """Turn a grid of tokens [B, Nf, T, D] into frames [B, T, Nf * D] (M2D, eq. 4): frequency slow, D fast."""
    return grid.transpose(1, 2).flatten(2)


def flatten_grid(grid: Tensor) -> Tensor:
    """Turn a grid of tokens [B, Nf, T, D] into plain tokens [B, Nf * T, D], frequency-major."""
    return grid.flatten(1, 2)


class M2DEncoder(nn.Module):
    """Masked Modeling Duo's online encoder (Niizumi et al. 2023, section III), under the published names.

    Parameters
    ----------
    config : M2DConfig
        Its shape.
    """

    cls_token: nn.Parameter
    pos_embed: Tensor
    norm_stats: Tensor

    def __init__(self, config: M2DConfig) -> None:
        super().__init__()
        self.config = config
        width = config.embed_dim
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.register_buffer("pos_embed", position_table(width, config.grid))
        self.register_buffer("norm_stats", torch.tensor(NORM_STATS))
        patch = config.patch_size
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(1, width, kernel_size=patch, stride=patch)})
        self.blocks = nn.ModuleList(
            Block(width, config.heads, qkv_bias=True, norm_layer=partial(nn.LayerNorm, eps=1e-6))
            for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self._draw_weights()

    def _draw_weights(self) -> None:
        nn.init.normal_(self.cls_token, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(module.weight.data.flatten(1))  # a view: the patch layer counts as linear
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @property
    def logmel(self) -> LogMelSpec:
        """The log-mel that the weights were made for, with their own mean and standard deviation."""
        mean, std = self.norm_stats.tolist()
        return SPECS[LOGMELS[self.config.sample_rate]].with_statistics(mean, std)

    def set_width(self, frames: int) -> None:
        """Take `frames` as one chunk from now on, with positions stretched or cut to fit (whole-clip encoding)."""
        self.config = replace(self.config, input_size=(self.config.input_size[0], frames))
        self.pos_embed = fit_columns(self.pos_embed, *self.config.grid)

    def layers(self, x: Tensor) -> list[Tensor]:
        """Return what every block puts out for one chunk.

        Parameters
        ----------
        x : Tensor of float, shape [B, 1, mels, frames]
            Normalised log-mels, at most as many frames as a chunk; a ragged right edge is dropped.

        Returns
        -------
        list of Tensor, each of shape [B, 1 + Nf * Nt, D]
            Class token first, then patches, frequency-major. The last block's tokens have passed the final
            LayerNorm, the others have not.

        Raises
        ------
        InputError
            If there is another number of mels, or less than a patch or more than a chunk of frames.
        """
        (mels, width), shortest = self.config.input_size, self.config.patch_size[1]
        if x.shape[-2] != mels or not shortest <= x.shape[-1] <= width:
            wanted = f"{mels} mels and {shortest} to {width} frames at once"
            raise InputError(f"the encoder takes {wanted}, got {x.shape[-2]} mels and {x.shape[-1]} frames")
        patches = self.patch_embed["proj"](x)
        positions = fit_columns(self.pos_embed, self.config.grid[0], patches.shape[-1])
        class_token = self.cls_token.expand(len(x), -1, -1)
        tokens = torch.cat([class_token, patches.flatten(2).transpose(1, 2)], dim=1) + positions
        outputs = []
        for block in self.blocks:
            tokens = block(tokens)
            outputs.append(tokens)
        outputs[-1] = self.norm(tokens)
        return outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens [B, 1 + Nf * Nt, D] of one chunk [B, 1, mels, frames]; see :meth:`layers`."""
        return self.layers(x)[-1]

    def encode_layers(self, x: Tensor) -> list[Tensor]:
        """Encode log-mels of any length, chunk by chunk.

        Parameters
        ----------
        x : Tensor of float, shape [B, 1, mels, frames]
            Normalised log-mels. They are cut into chunks of the model's width; the end is padded with zeros
            (the training mean) to whole patches.

        Returns
        -------
        list of Tensor, each of shape [B, Nf, T, D]
            One grid of tokens a block, without class tokens; chunks follow each other in time.

        Raises
        ------
        InputError
            If there are no frames, or another number of mels.
        """
        width = self.config.input_size[1]
        rest = x.shape[-1] % width
        # A chunk whose width is no multiple of the patch is not padded beyond its width.
        padding = min(-rest % self.config.patch_size[1], width - rest)
        chunks = [self.layers(chunk) for chunk in torch.split(F.pad(x, (0, padding)), width, dim=-1)]
        shape = len(x), self.config.grid[0], -1, self.config.embed_dim
        return [
            torch.cat([tokens[:, 1:].reshape(shape) for tokens in same_layer], dim=2)
            for same_layer in zip(*chunks, strict=True)
        ]

    def encode(self, x: Tensor) -> Tensor:
        """Return frames [B, T, Nf * D] of log-mels [B, 1, mels, frames] of any length."""
        return stack_frequency(self.encode_layers(x)[-1])
