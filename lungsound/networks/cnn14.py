"""CNN10 and CNN14 of PANNs: the same block of two convolutions, four and six times."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from lungsound.networks.trunk import PannsTrunk, convolution


class ConvBlock(nn.Module):
    """Two bias-free 3x3 convolutions that keep the size, each with batch normalisation and ReLU, then a pool.

    Parameters
    ----------
    into, out : int
        Channels.
    pool : int
        Size of the average pooling; 1 is none.
    """

    def __init__(self, into: int, out: int, pool: int = 2) -> None:
        super().__init__()
        self.conv1, self.conv2 = convolution(into, out, 3), convolution(out, out, 3)
        self.bn1, self.bn2 = nn.BatchNorm2d(out), nn.BatchNorm2d(out)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, into, T, F] to [B, out, T // pool, F // pool]."""
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        return x if self.pool == 1 else nn.functional.avg_pool2d(x, self.pool)


class BlocksTrunk(PannsTrunk):
    """Blocks one after the other; all halve, but those that :attr:`halvings` says do not.

    Parameters
    ----------
    widths : sequence of int
        Channels of each block.
    dropout : float
        After each block, while training.
    """

    def __init__(self, widths: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__(widths, dropout)
        before = (1, 0)
        for number, (width, halved) in enumerate(zip(self.widths, self.halvings, strict=True), 1):
            self.add_module(f"conv_block{number}", ConvBlock(before[0], width, 2 ** (halved - before[1])))
            before = width, halved

    @property
    def stages(self) -> tuple[tuple[nn.Module, ...], ...]:
        """The blocks."""
        return tuple((block,) for block in self.children())


class Cnn10(BlocksTrunk):
    """Four blocks of two convolutions (Kong et al. 2020, "PANNs", table 1)."""

    title: ClassVar = "CNN10"
    published: ClassVar = (64, 128, 256, 512)
    sized_by: ClassVar = tuple(f"conv_block{block}.conv2.weight" for block in (1, 2, 3, 4))
    halvings: ClassVar = (1, 2, 3, 4)


class Cnn14(BlocksTrunk):
    """Six blocks of two convolutions, the last of which does not pool (Kong et al. 2020, "PANNs", table 1)."""

    title: ClassVar = "CNN14"
    published: ClassVar = (64, 128, 256, 512, 1024, 2048)
    sized_by: ClassVar = tuple(f"conv_block{block}.conv2.weight" for block in (1, 2, 3, 4, 5, 6))
    halvings: ClassVar = (1, 2, 3, 4, 5, 5)
