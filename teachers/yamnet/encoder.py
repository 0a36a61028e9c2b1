"""YAMNet as an encoder: its layers are the outputs of its 14 separable convolutions, patch by patch."""

import math
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS, LogMelSpec
from lungsound.networks.trunk import scaled_widths
from teachers.encoder import Encoder, register
from teachers.offers.yamnet import CARD, OFFER
from teachers.yamnet.file import read_published
from teachers.yamnet.network import PATCH, PUBLISHED_WIDTHS, STRIDES, YamnetTrunk


@dataclass(frozen=True, slots=True)
class YamnetConfig:
    """Everything that decides a YAMNet encoder's shape.

    Attributes
    ----------
    widths : tuple of int
        Channels of the 14 layers.
    mels : int
        Mel bands.
    folded : bool
        Batch normalisation is part of the weights, as in the published file.
    """

    widths: tuple[int, ...]
    mels: int
    folded: bool = False

    def __post_init__(self) -> None:
        sizes = (*self.widths, self.mels)
        whole = all(isinstance(size, int) and 0 < size <= 4096 for size in sizes)
        if len(self.widths) != len(STRIDES) or not whole or not isinstance(self.folded, bool):
            raise InputError(f"YAMNet encoder: it takes {len(STRIDES)} widths and a number of mels, got {self}")


@register(OFFER)
class YamnetEncoder(Encoder):
    """YAMNet up to its last convolution (Plakal and Ellis 2020; Howard et al. 2017, table 1).

    The published network hears patches of 96 frames, so the encoder cuts log-mels into such patches, side by side. The
    last one ends with the log-mel, and gives the columns that the one before has not; a log-mel shorter than a patch is
    one by itself.

    Its log-mels are not normalised. Here it hears what every encoder hears, values of mean 0 and deviation 1, and
    undoes that first. The file does not tell mean and deviation of its corpus; they are taken to be those of values
    spread evenly over what its int8 input can hold.

    Parameters
    ----------
    config : YamnetConfig
        Its shape.
    """

    Config = YamnetConfig

    config: YamnetConfig
    norm_stats: Tensor

    def __init__(self, config: YamnetConfig) -> None:
        super().__init__(config)
        self.register_buffer("norm_stats", torch.tensor([0.0, 1.0]))
        self.trunk = YamnetTrunk(config.widths, folded=config.folded)

    @classmethod
    def scratch_config(cls, size: str, listening: Listening) -> YamnetConfig:
        """See :meth:`teachers.encoder.Encoder.scratch_config`; the size is a width multiplier."""
        return YamnetConfig(scaled_widths(PUBLISHED_WIDTHS, cls.width_of(size)), listening.logmel.n_mels)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the trunk of a published file; errors are those of :func:`teachers.yamnet.file.read_published`."""
        published = read_published(path)
        encoder = cls(YamnetConfig(published.widths, published.mels, folded=True))
        encoder.trunk.load_state_dict(published.trunk)
        lowest, highest = published.heard
        encoder.norm_stats.copy_(torch.tensor([(lowest + highest) / 2, (highest - lowest) / math.sqrt(12)]))
        return encoder

    @classmethod
    def name_of(cls, path: Path) -> str:
        """Return the published name; files are passed on under several."""
        return CARD.name

    @property
    def logmel(self) -> LogMelSpec:
        """YAMNet's log-mel, with mean and deviation as the class says."""
        mean, std = self.norm_stats.tolist()
        return SPECS[CARD.logmel].with_statistics(mean, std)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Rows and channels of each layer's map; a stride of 2 halves the mels, rounded up."""
        halved = accumulate(STRIDES, mul)
        return tuple((-(-self.config.mels // by), width) for by, width in zip(halved, self.config.widths, strict=True))

    def encode_layers(self, x: Tensor) -> list[Tensor]:
        """Return the maps of the 14 layers as grids [B, F_i, T_i, D_i] for [B, 1, mels, frames].

        Raises
        ------
        InputError
            If there are no frames or another number of mels.
        """
        mels, frames = x.shape[-2:]
        if mels != self.config.mels or not frames:
            raise InputError(f"the encoder takes {self.config.mels} mels, got {mels} mels and {frames} frames")
        mean, std = self.norm_stats
        heard = (x * std + mean).transpose(2, 3)
        patch = min(PATCH, frames)
        starts = [*range(0, frames - patch + 1, patch), *([frames - patch] if frames % patch else [])]
        maps = self.trunk(torch.cat([heard[:, :, start : start + patch] for start in starts]))
        return [
            _side_by_side(patches.unflatten(0, (len(starts), len(x))), frames % patch, by)
            for patches, by in zip(maps, accumulate(STRIDES, mul), strict=True)
        ]


def _side_by_side(patches: Tensor, rest: int, stride: int) -> Tensor:
    """Return maps of patches [P, B, D, T, F] as one grid [B, F, P * T, D]; of the last one the columns of `rest`."""
    parts = list(patches.permute(0, 1, 4, 3, 2))
    if rest:
        parts[-1] = parts[-1][:, :, -math.ceil(rest / stride) :]
    return torch.cat(parts, dim=2)
