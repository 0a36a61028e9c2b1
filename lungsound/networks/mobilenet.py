"""MobileNetV3 as EfficientAT publishes it for audio, with a width multiplier; parameters carry the published names."""

from collections.abc import Sequence
from dataclasses import dataclass

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

USUAL_STRIDES = (2, 2, 2, 2)


def divisible(channels: float) -> int:
    """Round to the nearest multiple of 8, halves up, at least 8 and nine tenths of the value."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


class SqueezeExcitation(nn.Module):
    """Weigh channels by what they are on average; a plain sigmoid, where MobileNetV3's is piecewise linear."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(channels, squeezed), nn.Linear(squeezed, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, F, T] to the same shape."""
        weights = torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean(dim=(2, 3))))))
        return x * weights[:, :, None, None]


class ConcurrentSqueezeExcitation(nn.Module):
    """The place of several squeezes side by side in the published names; here there is the one over channels."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.conc_se_layers = nn.ModuleList([SqueezeExcitation(channels, squeezed)])

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, F, T] to the same shape."""
        weighed: Tensor = self.conc_se_layers[0](x)
        return weighed


class InvertedResidual(nn.Module):
    """Expand, convolve each channel, squeeze and excite, project; added to the input where the shape stays.

    Parameters
    ----------
    into, inside, out : int
        Channels.
    kernel, stride : int
        Of the depthwise convolution.
    squeeze, swish : bool
        Weigh the channels; hard-swish instead of ReLU.
    """

    def __init__(
        self, into: int, inside: int, out: int, kernel: int, stride: int, *, squeeze: bool, swish: bool
    ) -> None:
        super().__init__()
        activation = nn.Hardswish if swish else nn.ReLU
        parts = [] if inside == into else [_convolution(into, inside, 1, activation=activation)]
        parts.append(_convolution(inside, inside, kernel, stride, groups=inside, activation=activation))
        if squeeze:
            parts.append(ConcurrentSqueezeExcitation(inside, divisible(inside // 4)))
        parts.append(_convolution(inside, out, 1))
        self.block = nn.Sequential(*parts)
        self.residual = stride == 1 and into == out

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, into, F, T] to [B, out, F / stride, T / stride], halves rounded up."""
        projected: Tensor = self.block(x)
        return x + projected if self.residual else projected


def _convolution(
    into: int, out: int, kernel: int, stride: int = 1, groups: int = 1, activation: type[nn.Module] | None = None
) -> nn.Module:
    convolution = nn.Conv2d(into, out, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
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
    """

    def __init__(self, width: float = 1.0, strides: Sequence[int] = USUAL_STRIDES) -> None:
        super().__init__()
        first = divisible(16 * width)
        features = [_convolution(1, first, 3, 2, activation=nn.Hardswish)]
        self.widths, self.strides = [first], [2]
        for block in _BLOCKS:
            stride = 1 if block.stride_of is None else strides[block.stride_of]
            inside, out = divisible(block.inside * width), divisible(block.out * width)
            features.append(
                InvertedResidual(
                    self.widths[-1], inside, out, block.kernel, stride, squeeze=block.squeeze, swish=block.swish
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


class MobileNetTagger(MobileNetV3):
    """The published network from the log-mel on, with its usual head (``mlp``).

    Parameters
    ----------
    width, strides
        See :class:`MobileNetV3`.
    classes : int
        Sound classes, AudioSet's 527 as published.
    """

    def __init__(self, width: float = 1.0, strides: Sequence[int] = USUAL_STRIDES, classes: int = 527) -> None:
        super().__init__(width, strides)
        hidden = divisible(1280 * width)
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(self.widths[-1], hidden),
            nn.Hardswish(),
            nn.Dropout(0.2),
            nn.Linear(hidden, classes),
        )

    def tag(self, logmel: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits [B, C] and the embedding [B, D], the mean of the last map, of log-mels [B, 1, F, T]."""
        feature_map = self.forward(logmel)
        return self.classifier(feature_map), feature_map.mean(dim=(2, 3))
