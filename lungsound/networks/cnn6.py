"""CNN6, the smallest network of PANNs."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from lungsound.networks.trunk import PannsTrunk, convolution


class ConvBlock(nn.Module):
    """A bias-free 5x5 convolution that keeps the size, batch normalisation, ReLU, 2x2 average pooling."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.conv1 = convolution(into, out, 5)
        self.bn1 = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, into, T, F] to [B, out, T // 2, F // 2]."""
        return nn.functional.avg_pool2d(self.bn1(self.conv1(x)).relu(), 2)


class Cnn6(PannsTrunk):
    """Four blocks of one convolution (Kong et al. 2020, "PANNs", table 1)."""

    title: ClassVar = "CNN6"
    published: ClassVar = (64, 128, 256, 512)
    sized_by: ClassVar = tuple(f"conv_block{block}.conv1.weight" for block in (1, 2, 3, 4))
    halvings: ClassVar = (1, 2, 3, 4)

    def __init__(self, widths: Sequence[int] = published, dropout: float = 0.0) -> None:
        super().__init__(widths, dropout)
        one, two, three, four = self.widths
        self.conv_block1 = ConvBlock(1, one)
        self.conv_block2 = ConvBlock(one, two)
        self.conv_block3 = ConvBlock(two, three)
        self.conv_block4 = ConvBlock(three, four)

    @property
    def stages(self) -> tuple[tuple[nn.Module, ...], ...]:
        """The four blocks."""
        return (self.conv_block1,), (self.conv_block2,), (self.conv_block3,), (self.conv_block4,)
