"""MobileNetV1 and MobileNetV2 as PANNs have them: where others stride, they average over 2x2."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from lungsound.networks.trunk import PannsTrunk, convolution, halving


class FeaturesTrunk(PannsTrunk):
    """Features in a row, which layers share out.

    Attributes
    ----------
    ends : tuple of int
        Where each layer ends among the features.
    """

    ends: ClassVar[tuple[int, ...]]
    features: nn.Sequential

    @property
    def stages(self) -> tuple[tuple[nn.Module, ...], ...]:
        """The features of each layer."""
        begins = 0, *self.ends[:-1]
        features = tuple(self.features)
        return tuple(features[begin:end] for begin, end in zip(begins, self.ends, strict=True))


class MobileNetV1(FeaturesTrunk):
    """A convolution and 13 depthwise separable ones (Howard et al. 2017; Kong et al. 2020).

    Its layers are six: all of one width.
    """

    title: ClassVar = "MobileNetV1"
    published: ClassVar = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
    sized_by: ClassVar = ("features.0.0.weight", *(f"features.{number}.4.weight" for number in range(1, 14)))
    strides: ClassVar = (2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
    ends: ClassVar = (1, 2, 4, 6, 12, 14)
    halvings: ClassVar = (1, 1, 2, 3, 4, 5)
    undropped: ClassVar = frozenset(range(5))

    def __init__(self, widths: Sequence[int] = published, dropout: float = 0.0) -> None:
        super().__init__(widths, dropout)
        first, *others = self.widths
        into, features = first, [_first(first, nn.ReLU())]
        for out, stride in zip(others, self.strides[1:], strict=True):
            features.append(nn.Sequential(*_depthwise(into, stride, nn.ReLU()), *_across(into, out), nn.ReLU()))
            into = out
        self.features = nn.Sequential(*features)

    @property
    def layer_widths(self) -> tuple[int, ...]:
        """Channels of the last feature of each layer."""
        return tuple(self.widths[end - 1] for end in self.ends)


class InvertedResidual(nn.Module):
    """Expand, convolve each channel, average where others stride, project; added to the input where the shape stays.

    Parameters
    ----------
    into, out : int
        Channels.
    expansion : int
        Channels inside for one outside.
    stride : int
        1 or 2.
    """

    def __init__(self, into: int, out: int, expansion: int, stride: int) -> None:
        super().__init__()
        inside = into * expansion
        expanded = [] if expansion == 1 else [*_across(into, inside), nn.ReLU6()]
        self.conv = nn.Sequential(*expanded, *_depthwise(inside, stride, nn.ReLU6()), *_across(inside, out))
        self.residual = stride == 1 and into == out

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, into, T, F] to [B, out, T // stride, F // stride]."""
        projected: Tensor = self.conv(x)
        return x + projected if self.residual else projected


class MobileNetV2(FeaturesTrunk):
    """A convolution, seven stages of 17 inverted residuals, a convolution (Sandler et al. 2018; Kong et al. 2020).

    Not torchvision's: its sixth stage keeps the size. The layers are the nine parts, and so many are the widths.
    """

    title: ClassVar = "MobileNetV2"
    published: ClassVar = (32, 16, 24, 32, 64, 96, 160, 320, 1280)
    sized_by: ClassVar = (
        "features.0.0.weight",
        "features.1.conv.4.weight",
        *(f"features.{first}.conv.7.weight" for first in (2, 4, 7, 11, 14, 17)),
        "features.18.0.weight",
    )
    blocks: ClassVar = ((1, 1, 1), (6, 2, 2), (6, 3, 2), (6, 4, 2), (6, 3, 2), (6, 3, 1), (6, 1, 1))
    """Expansion, blocks, stride of the first."""
    ends: ClassVar = (1, 2, 4, 7, 11, 14, 17, 18, 19)
    halvings: ClassVar = (1, 1, 2, 3, 4, 5, 5, 5, 5)
    undropped: ClassVar = frozenset(range(8))

    def __init__(self, widths: Sequence[int] = published, dropout: float = 0.0) -> None:
        super().__init__(widths, dropout)
        into, *stages, last = self.widths
        features: list[nn.Module] = [_first(into, nn.ReLU6())]
        for out, (expansion, count, stride) in zip(stages, self.blocks, strict=True):
            for block in range(count):
                features.append(InvertedResidual(into, out, expansion, stride if block == 0 else 1))
                into = out
        features.append(nn.Sequential(*_across(into, last), nn.ReLU6()))
        self.features = nn.Sequential(*features)


def _first(out: int, activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(convolution(1, out, 3), halving(2), nn.BatchNorm2d(out), activation)


def _depthwise(channels: int, stride: int, activation: nn.Module) -> tuple[nn.Module, ...]:
    """Return a convolution in each channel, a pool, the norm and what follows."""
    return convolution(channels, channels, 3, channels), halving(stride), nn.BatchNorm2d(channels), activation


def _across(into: int, out: int) -> tuple[nn.Module, ...]:
    """Return a convolution across channels and its norm."""
    return convolution(into, out, 1), nn.BatchNorm2d(out)
