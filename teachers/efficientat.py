"""EfficientAT's MobileNetV3 as an encoder: its layers are the outputs of its 17 features."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from torch import Tensor

from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS, LogMelSpec
from lungsound.networks.mobilenet import USUAL_STRIDES, MobileNetV3
from lungsound.networks.mobilenet_files import read_published
from teachers.encoder import Encoder, register
from teachers.offers.efficientat import LOGMEL, OFFER

MEAN, STD = -4.5, 5.0
"""What EfficientAT normalises its log-mels with."""


@dataclass(frozen=True, slots=True)
class MobileNetConfig:
    """Everything that decides a MobileNetV3 encoder's shape.

    Attributes
    ----------
    width : float
        Multiplier of the channels.
    mels : int
        Mel bands.
    strides : tuple of int
        Of the four blocks that may halve the map.
    """

    width: float
    mels: int
    strides: tuple[int, ...] = USUAL_STRIDES

    def __post_init__(self) -> None:
        if not 1 / 16 <= self.width <= 4:
            raise InputError(f"MobileNetV3 encoder: the width must lie between {1 / 16} and 4, got {self.width}")
        if not (isinstance(self.mels, int) and self.mels > 0 and len(self.strides) == 4 and {*self.strides} <= {1, 2}):
            raise InputError(f"MobileNetV3 encoder: it takes a number of mels and four strides of 1 or 2, got {self}")


@register(OFFER)
class MobileNetEncoder(Encoder):
    """EfficientAT's MobileNetV3 up to its last convolution (Schmid et al. 2023).

    Parameters
    ----------
    config : MobileNetConfig
        Its shape.
    """

    Config = MobileNetConfig
    also_hears = ("efficientat_16k", "efficientat_8k")

    config: MobileNetConfig

    def __init__(self, config: MobileNetConfig) -> None:
        super().__init__(config)
        self.trunk = MobileNetV3(config.width, config.strides)

    @classmethod
    def scratch_config(cls, size: str, listening: Listening) -> MobileNetConfig:
        """See :meth:`teachers.encoder.Encoder.scratch_config`; the size is a width multiplier."""
        try:
            width = float(size)
        except ValueError:
            cls.refuse_size(size)
        return MobileNetConfig(width, listening.logmel.n_mels)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the trunk of a published file.

        Raises
        ------
        InputError
            See :func:`lungsound.networks.mobilenet_files.read_published`.
        """
        published = read_published(path)
        encoder = cls(MobileNetConfig(published.width, SPECS[LOGMEL].n_mels, published.strides))
        encoder.trunk.load_state_dict(published.trunk)
        return encoder

    @property
    def logmel(self) -> LogMelSpec:
        """EfficientAT's log-mel with the constants that it normalises with."""
        return SPECS[LOGMEL].with_statistics(MEAN, STD)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Rows and channels of each feature's map; a stride of 2 halves the mels, rounded up."""
        rows, shapes = self.config.mels, []
        for stride, width in zip(self.trunk.strides, self.trunk.widths, strict=True):
            rows = -(-rows // stride)
            shapes.append((rows, width))
        return tuple(shapes)

    def encode_layers(self, x: Tensor) -> list[Tensor]:
        """Return the maps of the 17 features as grids [B, F_i, T_i, D_i] for [B, 1, mels, frames].

        Raises
        ------
        InputError
            If there are no frames or another number of mels.
        """
        if x.shape[-2] != self.config.mels or not x.shape[-1]:
            raise InputError(
                f"the encoder takes {self.config.mels} mels, got {x.shape[-2]} mels and {x.shape[-1]} frames"
            )
        return [feature_map.permute(0, 2, 3, 1) for feature_map in self.trunk.layers(x)]
