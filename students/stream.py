"""Stream, a family for microcontrollers: overlapping windows share every row that its trunk makes."""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from students.registry import Depths, Rows, StudentCard, register

_STEM = 64
"""Output channels of width one."""
_BLOCKS = ((128, 3, 9), (128, 3, None), (256, 3, 3), (256, 3, None))
"""Of the first blocks: output channels of width one, mels under the kernel, and, of those that halve time, the mels
that the layers behind need."""
_DEEPER = (512, 1, None)
"""The same of every block behind them: no mels are left to look across."""
_BEHIND_STEM = 11
"""Mels that the blocks need."""
_SMALLEST = 12
"""Mels that stem and first blocks make one position of where none of them halves mels."""


class _Halving(nn.Conv2d):
    """A convolution that halves time, and mels where enough are left for the layers behind."""

    def __init__(self, before: int, channels: int, kernel: tuple[int, int], groups: int, needed: int) -> None:
        super().__init__(before, channels, kernel, stride=2, groups=groups, bias=False)
        self.needed = needed

    def forward(self, x: Tensor) -> Tensor:
        halved = (x.shape[3] - self.kernel_size[1]) // 2 + 1
        stride = (2, 2 if halved >= self.needed else 1)
        return F.conv2d(x, self.weight, stride=stride, groups=self.groups)


def _normed(convolution: nn.Conv2d) -> Sequence[nn.Module]:
    nn.init.kaiming_uniform_(convolution.weight, nonlinearity="relu")  # values neither fade nor grow with depth
    return convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU()


def _block(before: int, channels: int, mels: int, needed: int | None) -> nn.Sequential:
    """Convolve each channel over three rows and some mels, then across the channels."""
    kernel = (3, mels)
    depthwise = (
        nn.Conv2d(before, before, kernel, groups=before, bias=False)
        if needed is None
        else _Halving(before, before, kernel, before, needed)
    )
    return nn.Sequential(*_normed(depthwise), *_normed(nn.Conv2d(before, channels, 1, bias=False)))


@register(
    StudentCard(
        name="stream",
        summary="Depthwise separable convolutions without any padding, so that overlapping windows share their rows.",
        paper="auscult's own, of the blocks of MobileNets (Howard et al. 2017, arXiv:1704.04861, section 3.1), in the "
        "size of Hello Edge's DS-CNN (Zhang et al. 2017, arXiv:1711.07128, section 4)",
        licence="Apache-2.0",
        input="one log-mel, normalised by one mean and deviation",
        width="64, 128, 256 and 512 channels",
        smallest_input=_SMALLEST,
        depths=Depths(4, 12, usual=6),
    )
)
class Stream(nn.Module):
    """A strided convolution and `depth` depthwise separable blocks, nothing of which looks beyond the window.

    Without padding an output row depends on the 16 depth - 24 frames over it alone, wherever a window begins; a row
    follows every 8 frames. Windows whose hop is a whole number of rows have the rows of their overlap in common, bit
    for bit, and a device computes each once. Mels are not padded either: a border costs a microcontroller's kernels
    more than the column that it saves. Three layers halve time, and mels where there are enough: three times from 40 on
    (64 become 4), twice from 24, once from 14.

    Parameters
    ----------
    width : float
        Multiplier of the channels, each rounded to the nearest multiple of 8 (halves up), at least 8.
    dropout : float
        Behind the last block, while training.
    depth : int
        Blocks; what is behind the fourth looks along time alone.
    """

    def __init__(self, width: float, dropout: float, depth: int) -> None:
        super().__init__()
        plan = (*_BLOCKS, *[_DEEPER] * (depth - len(_BLOCKS)))
        widths = [max(8, int(channels * width / 8 + 0.5) * 8) for channels in (_STEM, *(block[0] for block in plan))]
        self.channels = widths[-1]
        self.rows = Rows(frames=16 * depth - 24, stride=8)
        self.stem = nn.Sequential(*_normed(_Halving(1, widths[0], (4, 4), 1, _BEHIND_STEM)))
        self.blocks = nn.Sequential(
            *(
                _block(before, channels, mels, needed)
                for (before, channels), (_, mels, needed) in zip(pairwise(widths), plan, strict=True)
            )
        )
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised log-mels [B, 1, T, F] to a feature map [B, D, (T - 16 depth + 32) // 8, f]."""
        feature_map: Tensor = self.dropout(self.blocks(self.stem(x)))
        return feature_map
