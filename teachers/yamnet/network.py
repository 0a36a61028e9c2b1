"""YAMNet's convolutions: MobileNetV1 as TensorFlow pads it."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

PUBLISHED_WIDTHS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
STRIDES = (2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
"""Of the 14 layers; those of 2 halve frames and mels, rounded up."""
PATCH = 96
"""Frames that the published network hears at once: 0.96 s."""

_EPSILON = 1e-4  # YAMNet's, in its batch normalisation


class Convolution(nn.Module):
    """A convolution padded as TensorFlow's SAME is, its norm, and a ReLU that ends at 6.

    Parameters
    ----------
    into, out : int
        Channels.
    kernel, stride, groups : int
        Of the convolution.
    folded : bool
        The norm is part of the convolution's weights and bias.
    """

    def __init__(self, into: int, out: int, kernel: int, stride: int = 1, groups: int = 1, *, folded: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(into, out, kernel, stride, groups=groups, bias=folded)
        self.norm = nn.Identity() if folded else nn.BatchNorm2d(out, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, into, T, F] to [B, out, T / stride, F / stride], rounded up, in [0, 6]."""
        (kernel, _), (stride, _) = self.conv.kernel_size, self.conv.stride
        frames, mels = (max(0, (-(-size // stride) - 1) * stride + kernel - size) for size in x.shape[-2:])
        padded = F.pad(x, (mels // 2, mels - mels // 2, frames // 2, frames - frames // 2))  # the odd one at the end
        return F.relu6(self.norm(self.conv(padded)))


class YamnetTrunk(nn.Module):
    """A convolution and 13 depthwise separable ones (Howard et al. 2017, table 1).

    Parameters
    ----------
    widths : sequence of int
        Channels of the 14 layers.
    folded : bool
        See :class:`Convolution`.
    """

    def __init__(self, widths: Sequence[int], *, folded: bool) -> None:
        super().__init__()
        layers = [nn.Sequential(Convolution(1, widths[0], 3, STRIDES[0], folded=folded))]
        for into, out, stride in zip(widths, widths[1:], STRIDES[1:], strict=False):
            depthwise = Convolution(into, into, 3, stride, into, folded=folded)
            layers.append(nn.Sequential(depthwise, Convolution(into, out, 1, folded=folded)))
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map log-mels [B, 1, T, F] to what each layer puts out, [B, D, T / s, F / s], rounded up."""
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        return maps
