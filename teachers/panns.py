"""The CNNs of PANNs as encoders: the layers are the outputs of their blocks."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor, nn

from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS, LogMelSpec
from lungsound.networks.cnn6 import Cnn6
from lungsound.networks.cnn14 import Cnn10, Cnn14
from lungsound.networks.panns import load_panns
from lungsound.networks.panns_mobilenet import MobileNetV1, MobileNetV2
from lungsound.networks.resnet22 import ResNet22
from lungsound.networks.trunk import PannsTrunk, scaled_widths
from teachers.encoder import Encoder, register
from teachers.offers import panns as offer


@dataclass(frozen=True, slots=True)
class PannsConfig:
    """Everything that decides an encoder's shape.

    Attributes
    ----------
    widths : tuple of int
        Channels, as the trunk takes them.
    mels : int
        Mel bands, each normalised by itself before the first block.
    dropout : float
        After each block, while training; 0.2 as published (MobileNets: after the last).
    logmel : str
        Name of the log-mel that published weights were made for.
    """

    widths: tuple[int, ...]
    mels: int
    dropout: float = 0.2
    logmel: str = "panns_32k"

    trunk: ClassVar[type[PannsTrunk]]

    def __post_init__(self) -> None:
        sizes, count, mels = (*self.widths, self.mels), len(self.trunk.published), self.trunk.smallest_input()
        whole = all(isinstance(size, int) and 0 < size <= 4096 for size in sizes)
        if len(self.widths) != count or not whole or self.mels < mels or not 0 <= self.dropout < 1:
            raise InputError(
                f"{self.trunk.title} encoder: {count} widths, at least {mels} mels, a share of dropout; got {self}"
            )
        if self.logmel not in SPECS:
            raise InputError(f"{self.trunk.title} encoder: no log-mel called {str(self.logmel)[:40]!r}")


class PannsEncoder(Encoder):
    """A network of PANNs up to its last block (Kong et al. 2020, table 1).

    As published it takes log-mels in dB and normalises them band by band (``bn0``). Here it hears what every encoder
    hears, values of mean 0 and deviation 1 over all bands, and undoes that first: 0 is then the mean level of its
    training corpus, which masks and padding stand for.

    Parameters
    ----------
    config : PannsConfig
        Its shape.
    """

    Config: ClassVar[type[Any]] = PannsConfig

    config: PannsConfig
    norm_stats: Tensor

    def __init__(self, config: PannsConfig) -> None:
        super().__init__(config)
        self.register_buffer("norm_stats", torch.tensor([0.0, 1.0]))
        self.bn0 = nn.BatchNorm2d(config.mels)
        self.trunk = config.trunk(config.widths, config.dropout)

    @classmethod
    def scratch_config(cls, size: str, listening: Listening) -> Any:
        """See :meth:`teachers.encoder.Encoder.scratch_config`; the size is a width multiplier."""
        return cls.Config(scaled_widths(cls.Config.trunk.published, cls.width_of(size)), listening.logmel.n_mels)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a published file; errors are those of :func:`lungsound.networks.panns.load_panns`."""
        read = load_panns(path, cls.Config.trunk)
        network = read.network
        encoder = cls(cls.Config(network.trunk.widths, network.bn0.num_features, logmel=read.card.logmel))
        encoder.bn0.load_state_dict(network.bn0.state_dict())
        encoder.trunk.load_state_dict(network.trunk.state_dict())
        encoder.norm_stats.copy_(torch.tensor(_over_all_bands(network.bn0)))
        return encoder

    @property
    def logmel(self) -> LogMelSpec:
        """PANNs' log-mel with mean and deviation over all bands of the corpus that the weights were trained on."""
        mean, std = self.norm_stats.tolist()
        return SPECS[self.config.logmel].with_statistics(mean, std)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Rows and channels of each layer's output; a halving halves the mels."""
        trunk = self.trunk
        sizes = zip(trunk.halvings, trunk.layer_widths, strict=True)
        return tuple((self.config.mels // 2**halvings, width) for halvings, width in sizes)

    def encode_layers(self, x: Tensor) -> list[Tensor]:
        """Return the outputs of the layers [B, mels // 2^h, frames // 2^h, D] for [B, 1, mels, frames].

        Raises
        ------
        InputError
            If there are too few frames or another number of mels.
        """
        if x.shape[-2] != self.config.mels:
            raise InputError(f"the encoder takes {self.config.mels} mels, got {x.shape[-2]}")
        mean, std = self.norm_stats
        by_band = self.bn0((x * std + mean).transpose(1, 2)).transpose(1, 2)
        return [layer.permute(0, 3, 2, 1) for layer in self.trunk.layers(by_band.transpose(2, 3))]


class Cnn6Config(PannsConfig):
    """See :class:`PannsConfig`."""

    trunk = Cnn6


class Cnn10Config(PannsConfig):
    """See :class:`PannsConfig`."""

    trunk = Cnn10


class Cnn14Config(PannsConfig):
    """See :class:`PannsConfig`."""

    trunk = Cnn14


class ResNet22Config(PannsConfig):
    """See :class:`PannsConfig`."""

    trunk = ResNet22


class MobileNetV1Config(PannsConfig):
    """See :class:`PannsConfig`."""

    trunk = MobileNetV1


class MobileNetV2Config(PannsConfig):
    """See :class:`PannsConfig`."""

    trunk = MobileNetV2


@register(offer.CNN6)
class Cnn6Encoder(PannsEncoder):
    """CNN6: four layers."""

    Config = Cnn6Config


@register(offer.CNN10)
class Cnn10Encoder(PannsEncoder):
    """CNN10: four layers."""

    Config = Cnn10Config


@register(offer.CNN14)
class Cnn14Encoder(PannsEncoder):
    """CNN14: six layers."""

    Config = Cnn14Config


@register(offer.RESNET22)
class ResNet22Encoder(PannsEncoder):
    """ResNet22: six layers, the blocks at both ends among them."""

    Config = ResNet22Config


@register(offer.MOBILENETV1)
class MobileNetV1Encoder(PannsEncoder):
    """MobileNetV1: six layers, one a width."""

    Config = MobileNetV1Config


@register(offer.MOBILENETV2)
class MobileNetV2Encoder(PannsEncoder):
    """MobileNetV2: nine layers, one a stage."""

    Config = MobileNetV2Config


def _over_all_bands(by_band: nn.BatchNorm2d) -> tuple[float, float]:
    """Return mean and deviation over all bands from those of each."""
    means, variances = (cast(Tensor, values).double() for values in (by_band.running_mean, by_band.running_var))
    mean = float(means.mean())
    return mean, math.sqrt(float((variances + (means - mean) ** 2).mean()))
