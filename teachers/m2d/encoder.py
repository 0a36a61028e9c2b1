"""The encoder of Masked Modeling Duo: a vision transformer over log-mel patches."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before timm, which imports torchvision

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS, LogMelSpec
from teachers.encoder import Encoder, register
from teachers.fusion import stack_frequency
from teachers.m2d.checkpoints import config_of, encoder_state, published_name
from teachers.m2d.config import LOGMELS, NORM_STATS, M2DConfig
from teachers.offers.m2d import FROM_SCRATCH, OFFER

PATCH_SECONDS = 0.16
"""Of an encoder from scratch: the published 16 frames of 10 ms, whatever the log-mel's hop."""


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


def transformer_blocks(width: int, depth: int, heads: int) -> nn.ModuleList:
    """Return the pre-norm blocks of M2D's networks."""
    norm = partial(nn.LayerNorm, eps=1e-6)
    return nn.ModuleList(Block(width, heads, qkv_bias=True, norm_layer=norm) for _ in range(depth))


def draw_weights(module: nn.Module) -> None:
    """Draw the weights of every linear layer and convolution in a module as M2D does."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight.data.flatten(1))  # a view: the patch layer counts as linear
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


@register(OFFER)
class M2DEncoder(Encoder):
    """Masked Modeling Duo's online encoder (Niizumi et al. 2023, section III), under the published names.

    Parameters
    ----------
    config : M2DConfig
        Its shape.
    """

    Config = M2DConfig
    also_hears = ("m2d_db",)

    config: M2DConfig
    cls_token: nn.Parameter
    pos_embed: Tensor
    norm_stats: Tensor

    def __init__(self, config: M2DConfig) -> None:
        super().__init__(config)
        width = config.embed_dim
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.register_buffer("pos_embed", position_table(width, config.grid))
        self.register_buffer("norm_stats", torch.tensor(NORM_STATS))
        patch = config.patch_size
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(1, width, kernel_size=patch, stride=patch)})
        self.blocks = transformer_blocks(width, config.depth, config.heads)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        nn.init.normal_(self.cls_token, std=0.02)
        draw_weights(self)

    @classmethod
    def scratch_config(cls, size: str, listening: Listening) -> M2DConfig:
        """See :meth:`teachers.encoder.Encoder.scratch_config`; the encoder hears the whole window at once."""
        if size not in FROM_SCRATCH:
            cls.refuse_size(size)
        logmel = listening.logmel
        patch = (16, round(PATCH_SECONDS * logmel.sample_rate / logmel.hop))
        return M2DConfig.of_size(size, (logmel.n_mels, listening.frames), patch)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the encoder of a published checkpoint.

        Parameters
        ----------
        path : Path
            A ``.pth`` file in its published folder, see :func:`teachers.m2d.checkpoints.config_of`.

        Raises
        ------
        InputError
            See :func:`teachers.m2d.checkpoints.config_of` and :func:`teachers.m2d.checkpoints.encoder_state`.
        """
        encoder = cls(config_of(path))
        encoder.load_state_dict(encoder_state(path, encoder.state_dict()))
        return encoder

    @classmethod
    def name_of(cls, path: Path) -> str:
        """Return the name of published weights, which is that of their folder."""
        return published_name(path)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Rows and features of each block's grid."""
        return ((self.config.grid[0], self.config.embed_dim),) * self.config.depth

    @property
    def kept(self) -> Sequence[nn.Module]:
        """The patch embedding, as in M2D's own application to lung sounds."""
        return (self.patch_embed,)

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
