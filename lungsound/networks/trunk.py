"""What the CNNs of PANNs share: a trunk of layers that halve the log-mel, and the pooling behind it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before anything that imports torchvision

import torch.nn.functional as F
from torch import Tensor, nn

from lungsound.errors import InputError


class PannsTrunk(nn.Module, ABC):
    """The convolutional part of a network of PANNs; parameters carry their published names.

    Parameters
    ----------
    widths : sequence of int
        Channels, as many as :attr:`published` has.
    dropout : float
        Probability of zeroing a value after a layer while training.

    Attributes
    ----------
    title : str
        Its name in the literature; in small letters that of its family here.
    published : tuple of int
        The published widths.
    sized_by : tuple of str
        Tensors whose first sizes are the widths.
    halvings : tuple of int
        How often frames and mels are halved up to each layer's output.
    undropped : frozenset of int
        Layers, counted from 0, that no dropout follows.
    """

    title: ClassVar[str]
    published: ClassVar[tuple[int, ...]]
    sized_by: ClassVar[tuple[str, ...]]
    halvings: ClassVar[tuple[int, ...]]
    undropped: ClassVar[frozenset[int]] = frozenset()

    def __init__(self, widths: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__()
        self.widths, self.dropout = tuple(widths), dropout

    @classmethod
    def family(cls) -> str:
        """Return its name for ``--student`` and ``--teacher``."""
        return cls.title.lower()

    @classmethod
    def smallest_input(cls) -> int:
        """Return how many frames and mels leave one position after the last halving."""
        return 1 << max(cls.halvings)

    @property
    @abstractmethod
    def stages(self) -> tuple[tuple[nn.Module, ...], ...]:
        """The modules that each layer runs, in order."""

    @property
    def layer_widths(self) -> tuple[int, ...]:
        """Channels of each layer's output."""
        return self.widths

    @property
    def channels(self) -> int:
        """Channels of the feature map."""
        return self.layer_widths[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Map a log-mel [B, 1, T, F] to the last layer's output [B, D, T / 2^h, F / 2^h], halves rounded down."""
        return self.layers(x)[-1]

    def layers(self, x: Tensor) -> list[Tensor]:
        """Map a log-mel [B, 1, T, F] to what each layer puts out, halved as often as :attr:`halvings` says.

        Raises
        ------
        InputError
            If there are too few frames or mels for its halvings.
        """
        if min(x.shape[-2:]) < self.smallest_input():
            raise InputError(
                f"{x.shape[-2]} frames of {x.shape[-1]} mels are too few for {self.title}, which halves both "
                f"{max(self.halvings)} times; give at least {self.smallest_input()}"
            )
        outputs = []
        for number, modules in enumerate(self.stages):
            for module in modules:
                x = module(x)
            if number not in self.undropped:
                x = F.dropout(x, self.dropout, self.training)
            outputs.append(x)
        return outputs


def scaled_widths(published: Sequence[int], width: float) -> tuple[int, ...]:
    """Multiply widths, each rounded to the nearest multiple of 8 (halves up), at least 8.

    Vector units read int8 in eights, so other widths cost as much as the next multiple.
    """
    return tuple(max(8, int(channels * width / 8 + 0.5) * 8) for channels in published)


def convolution(into: int, out: int, kernel: int, groups: int = 1) -> nn.Conv2d:
    """Return a bias-free convolution that keeps the size, with PANNs' first weights."""
    made = nn.Conv2d(into, out, kernel, padding=kernel // 2, groups=groups, bias=False)
    nn.init.xavier_uniform_(made.weight)
    return made


def halving(stride: int) -> nn.Module:
    """Return what PANNs have behind a convolution where others stride: a 2x2 average, or nothing for a stride of 1."""
    return nn.AvgPool2d(2) if stride == 2 else nn.Identity()


def pool(feature_map: Tensor) -> Tensor:
    """Pool [B, D, t, f] to [B, D] as PANNs do: mean over mel, then maximum plus mean over time."""
    over_mel = feature_map.mean(dim=3)
    return over_mel.amax(dim=2) + over_mel.mean(dim=2)
