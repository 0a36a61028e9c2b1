"""MobileNetV3 as EfficientAT publishes it for audio, with a width multiplier; parameters carry the published names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before anything that imports torchvision

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class _Block:
    """Kernel, channels inside and out before scaling, squeeze and excitation, hard-swish, stage of a stride."""

    kernel: int
    inside: int
    out: int
    squeeze: bool
    swish: bool
    stride_of: int | None = None


_BLOCKS = (
    _Block(3, 16, 16, False, False),
    _Block(3, 64, 24, False, False, 0),
    _Block(3, 72, 24, False, False),
    _Block(5, 72, 40, True, False, 1),
    _Block(5, 120, 40, True, False),
    _Block(5, 120, 40, True, False),
    _Block(3, 240, 80, False, True, 2),
    _Block(3, 200, 80, False, True),
    _Block(3, 184, 80, False, True),
    _Block(3, 184, 80, False, True),
    _Block(3, 480, 112, True, True),
    _Block(3, 672, 112, True, True),
    _Block(5, 672, 160, True, True, 3),
    _Block(5, 960, 160, True, True),
    _Block(5, 960, 160, True, True),
)
"""MobileNetV3-Large (Howard et al. 2019, table 1)."""

_TAIL = 3
"""Blocks at the end that may be dilated or halved."""

USUAL_STRIDES = (2, 2, 2, 2)


def divisible(channels: float) -> int:
    """Round to the nearest multiple of 8, halves up, at least 8 and nine tenths of the value."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


class SqueezeExcitation(nn.Module):
    """Weigh one axis by what it is on average; a plain sigmoid, where MobileNetV3's is piecewise linear.

    Parameters
    ----------
    size, squeezed : int
        Of the axis, and of the layer between.
    axis : int
        1 for channels, 3 for time.
    """

    def __init__(self, size: int, squeezed: int, axis: int = 1) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(size, squeezed), nn.Linear(squeezed, size)
        self.others = tuple({1, 2, 3} - {axis})

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, F, T] to the same shape."""
        weights = torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean(dim=self.others)))))
        for axis in self.others:
            weights = weights.unsqueeze(axis)
        return x * weights


class ConcurrentSqueezeExcitation(nn.Module):
    """Squeezes side by side: over channels, and over time where the number of frames is fixed; the larger one counts.

    Parameters
    ----------
    channels : int
        C.
    frames : int, optional
        T of the map.
    """

    def __init__(self, channels: int, frames: int | None = None) -> None:
        super().__init__()
        layers = [SqueezeExcitation(channels, divisible(channels // 4))]
        if frames is not None:
            layers.append(SqueezeExcitation(frames, divisible(frames // 4), axis=3))
        self.conc_se_layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, F, T] to the same shape."""
        weighed: Tensor = self.conc_se_layers[0](x)
        for layer in self.conc_se_layers[1:]:
            weighed = torch.maximum(weighed, layer(x))
        return weighed


class InvertedResidual(nn.Module):
    """Expand, convolve each channel, squeeze and excite, project; added to the input where the shape stays.

    Parameters
    ----------
    into, inside, out : int
        Channels.
    kernel, stride, dilation : int
        Of the depthwise convolution.
    swish : bool
        Hard-swish instead of ReLU.
    squeeze : ConcurrentSqueezeExcitation, optional
        Weighs what the depthwise convolution puts out.
    """

    def __init__(
        self,
        into: int,
        inside: int,
        out: int,
        kernel: int,
        stride: int,
        dilation: int = 1,
        *,
        swish: bool,
        squeeze: ConcurrentSqueezeExcitation | None = None,
    ) -> None:
        super().__init__()
        activation = nn.Hardswish if swish else nn.ReLU
        parts: list[nn.Module] = [] if inside == into else [_convolution(into, inside, 1, activation=activation)]
        parts.append(_convolution(inside, inside, kernel, stride, dilation, groups=inside, activation=activation))
        if squeeze is not None:
            parts.append(squeeze)
        parts.append(_convolution(inside, out, 1))
        self.block = nn.Sequential(*parts)
        self.residual = stride == 1 and into == out

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, into, F, T] to [B, out, F / stride, T / stride], halves rounded up."""
        projected: Tensor = self.block(x)
        return x + projected if self.residual else projected


def _convolution(
    into: int,
    out: int,
    kernel: int,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = None,
) -> nn.Module:
    padding = (kernel - 1) // 2 * dilation
    convolution = nn.Conv2d(into, out, kernel, stride, padding, dilation, groups, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out")
    parts = [convolution, nn.BatchNorm2d(out, eps=0.001, momentum=0.01)]
    return nn.Sequential(*parts, *([activation()] if activation else []))


class MobileNetV3(nn.Module):
    """The convolutional trunk: 17 features.

    Source: Schmid et al. 2023, "Efficient Large-Scale Audio Tagging via Transformer-to-CNN Knowledge Distillation".

    Parameters
    ----------
    width : float
        Multiplier of the published channels.
    strides : sequence of int
        Of the four blocks that may halve the map; the convolution before them always does.
    dilated : bool
        Dilate the last three blocks by two, the first of which then halves nothing.
    reduced_tail : bool
        Halve the channels of the last three blocks.
    frames : int, optional
        T, where squeezes weigh time besides channels; the trunk then takes no other number of frames.
    """

    def __init__(
        self,
        width: float = 1.0,
        strides: Sequence[int] = USUAL_STRIDES,
        *,
        dilated: bool = False,
        reduced_tail: bool = False,
        frames: int | None = None,
    ) -> None:
        super().__init__()
        first = divisible(16 * width)
        features = [_convolution(1, first, 3, 2, activation=nn.Hardswish)]
        self.widths, self.strides = [first], [2]
        frames = None if frames is None else -(-frames // 2)
        for index, block in enumerate(_blocks(reduced_tail)):
            dilation = 2 if dilated and index >= len(_BLOCKS) - _TAIL else 1
            stride = 1 if block.stride_of is None or dilation > 1 else strides[block.stride_of]
            inside, out = divisible(block.inside * width), divisible(block.out * width)
            frames = None if frames is None else -(-frames // stride)
            squeeze = ConcurrentSqueezeExcitation(inside, frames) if block.squeeze else None
            features.append(
                InvertedResidual(
                    self.widths[-1], inside, out, block.kernel, stride, dilation, swish=block.swish, squeeze=squeeze
                )
            )
            self.widths.append(out)
            self.strides.append(stride)
        features.append(_convolution(self.widths[-1], 6 * self.widths[-1], 1, activation=nn.Hardswish))
        self.widths.append(6 * self.widths[-1])
        self.strides.append(1)
        self.features = nn.Sequential(*features)

    def layers(self, x: Tensor) -> list[Tensor]:
        """Map a log-mel [B, 1, F, T], mel before time, to what each feature puts out, [B, widths[i], F_i, T_i]."""
        outputs = []
        for feature in self.features:
            x = feature(x)
            outputs.append(x)
        return outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map a log-mel [B, 1, F, T] to the last feature map."""
        return self.layers(x)[-1]


def _blocks(reduced_tail: bool) -> tuple[_Block, ...]:
    if not reduced_tail:
        return _BLOCKS
    tail = [replace(block, out=block.out // 2) for block in _BLOCKS[-_TAIL:]]
    tail[1:] = [replace(block, inside=block.inside // 2) for block in tail[1:]]
    return (*_BLOCKS[:-_TAIL], *tail)
