"""PANNs' CNN6 as an encoder: its layers are the outputs of its blocks."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

import torch
from torch import Tensor, nn

from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS, LogMelSpec
from lungsound.networks.cards import PANNS_CNN6
from lungsound.networks.cnn6 import SMALLEST_INPUT, Cnn6, scaled_widths
from lungsound.networks.panns import load_panns_cnn6
from teachers.encoder import Encoder, register
from teachers.offers.panns import OFFER


@dataclass(frozen=True, slots=True)
class Cnn6Config:
    """Everything that decides a CNN6 encoder's shape.

    Attributes
    ----------
    widths : tuple of int
        Channels of the four blocks.
    mels : int
        Mel bands, each normalised by itself before the first block.
    dropout : float
        After each block, while training; 0.2 as published.
    """

    widths: tuple[int, ...]
    mels: int
    dropout: float = 0.2

    def __post_init__(self) -> None:
        sizes = *self.widths, self.mels
        whole = all(isinstance(size, int) and 0 < size <= 4096 for size in sizes)
        if len(self.widths) != 4 or not whole or self.mels < SMALLEST_INPUT or not 0 <= self.dropout < 1:
            raise InputError(
                f"CNN6 encoder: four widths, at least {SMALLEST_INPUT} mels, a share of dropout; got {self}"
            )


@register(OFFER)
class Cnn6Encoder(Encoder):
    """CNN6 up to its last block (Kong et al. 2020, table 1).

    As published it takes log-mels in dB and normalises them band by band (``bn0``). Here it hears what every encoder
    hears, values of mean 0 and deviation 1 over all bands, and undoes that first: 0 is then the mean level of its
    training corpus, which masks and padding stand for.

    Parameters
    ----------
    config : Cnn6Config
        Its shape.
    """

    Config = Cnn6Config

    config: Cnn6Config
    norm_stats: Tensor

    def __init__(self, config: Cnn6Config) -> None:
        super().__init__(config)
        self.register_buffer("norm_stats", torch.tensor([0.0, 1.0]))
        self.bn0 = nn.BatchNorm2d(config.mels)
        self.trunk = Cnn6(config.widths, config.dropout)

    @classmethod
    def scratch_config(cls, size: str, listening: Listening) -> Cnn6Config:
        """See :meth:`teachers.encoder.Encoder.scratch_config`; the size is a width multiplier."""
        try:
            width = float(size)
        except ValueError:
            cls.refuse_size(size)
        if not 1 / 64 <= width <= 4:
            raise InputError(f"size {size}: a width must lie between {1 / 64} and 4")
        return Cnn6Config(scaled_widths(width), listening.logmel.n_mels)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a published CNN6; errors are those of :func:`lungsound.networks.panns.load_panns_cnn6`."""
        network = load_panns_cnn6(path)
        encoder = cls(Cnn6Config(network.widths, network.bn0.num_features))
        encoder.bn0.load_state_dict(network.bn0.state_dict())
        state = {name: value for name, value in network.state_dict().items() if name.startswith("conv_block")}
        encoder.trunk.load_state_dict(state)
        encoder.norm_stats.copy_(torch.tensor(_over_all_bands(network.bn0)))
        return encoder

    @property
    def logmel(self) -> LogMelSpec:
        """PANNs' log-mel with mean and deviation over all bands of the corpus that the weights were trained on."""
        mean, std = self.norm_stats.tolist()
        return SPECS[PANNS_CNN6.logmel].with_statistics(mean, std)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Rows and channels of each block's output, which halves the mels."""
        return tuple((self.config.mels // 2**block, width) for block, width in enumerate(self.config.widths, 1))

    def encode_layers(self, x: Tensor) -> list[Tensor]:
        """Return the outputs of the four blocks [B, mels // 2^i, frames // 2^i, D_i] for [B, 1, mels, frames].

        Raises
        ------
        InputError
            If there are less than 16 frames or another number of mels.
        """
        if x.shape[-2] != self.config.mels:
            raise InputError(f"the encoder takes {self.config.mels} mels, got {x.shape[-2]}")
        mean, std = self.norm_stats
        by_band = self.bn0((x * std + mean).transpose(1, 2)).transpose(1, 2)
        return [block.permute(0, 3, 2, 1) for block in self.trunk.layers(by_band.transpose(2, 3))]


def _over_all_bands(by_band: nn.BatchNorm2d) -> tuple[float, float]:
    """Return mean and deviation over all bands from those of each."""
    means, variances = (cast(Tensor, values).double() for values in (by_band.running_mean, by_band.running_var))
    mean = float(means.mean())
    return mean, math.sqrt(float((variances + (means - mean) ** 2).mean()))
