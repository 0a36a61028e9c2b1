"""Stream, a family for microcontrollers: overlapping windows share every row that its trunk makes."""

from itertools import pairwise

from torch import Tensor, nn

from students.registry import Depths, Rows, StudentCard, register

_STEM = 64
_BLOCKS = ((128, 3, 2), (128, 3, 1), (256, 3, 2), (256, 3, 1))
"""Output channels of width one, mels under the kernel, and stride of the first blocks."""
_DEEPER = (512, 1, 1)
"""The same of every block behind them: no mels are left to look across."""
_SMALLEST = 40
"""Mels, and frames, that stem and first blocks make one position of."""


def _normed(convolution: nn.Conv2d) -> list[nn.Module]:
    nn.init.kaiming_uniform_(convolution.weight, nonlinearity="relu")  # values neither fade nor grow with depth
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU()]


def _block(before: int, channels: int, mels: int, stride: int) -> nn.Sequential:
    """Convolve each channel over three rows and some mels, then across the channels."""
    depthwise = nn.Conv2d(before, before, (3, mels), stride, groups=before, bias=False)
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
    more than the column that it saves.

    Parameters
    ----------
    width : float
        Multiplier of the channels, each rounded to the nearest multiple of 8 (halves up), at least 8.
    dropout : float
        Behind the last block, while training.
    depth : int
        Blocks; three of the strides lie in stem and first blocks, what is behind the fourth looks along time alone.
    """

    def __init__(self, width: float, dropout: float, depth: int) -> None:
        super().__init__()
        plan = (*_BLOCKS, *[_DEEPER] * (depth - len(_BLOCKS)))[:depth]
        widths = [max(8, int(channels * width / 8 + 0.5) * 8) for channels in (_STEM, *(block[0] for block in plan))]
        self.channels = widths[-1]
        self.rows = Rows(frames=16 * depth - 24, stride=8)
        self.stem = nn.Sequential(*_normed(nn.Conv2d(1, widths[0], 4, stride=2, bias=False)))
        self.blocks = nn.Sequential(
            *(
                _block(before, channels, mels, stride)
                for (before, channels), (_, mels, stride) in zip(pairwise(widths), plan, strict=True)
            )
        )
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised log-mels [B, 1, T, F] to a feature map [B, D, (T - 16 depth + 32) // 8, (F - 32) // 8]."""
        feature_map: Tensor = self.dropout(self.blocks(self.stem(x)))
        return feature_map
