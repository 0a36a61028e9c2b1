"""ResNet22 of PANNs."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from lungsound.networks.cnn14 import ConvBlock
from lungsound.networks.trunk import PannsTrunk, convolution, halving


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; where others stride, both sides are averaged over 2x2 first.

    Parameters
    ----------
    into, out : int
        Channels.
    stride : int
        1 or 2.
    dropout : float
        Between the convolutions, while training.
    """

    def __init__(self, into: int, out: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.halve = halving(stride)
        self.conv1, self.bn1 = convolution(into, out, 3), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = convolution(out, out, 3), nn.BatchNorm2d(out)
        nn.init.zeros_(self.bn2.weight)  # a new block begins as its shortcut
        self.dropout = dropout
        # The place of the pool in the published names; a stage that keeps size and width has no shortcut of its own.
        self.downsample = nn.Sequential()
        if stride != 1 or into != out:
            self.downsample = nn.Sequential(halving(stride), convolution(into, out, 1), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, into, T, F] to [B, out, T // stride, F // stride]."""
        y = self.bn1(self.conv1(self.halve(x))).relu()
        y = nn.functional.dropout(y, self.dropout, self.training)
        total: Tensor = self.bn2(self.conv2(y)) + self.downsample(x)
        return total.relu()


class ResNet22(PannsTrunk):
    """A block of two convolutions, four stages of two residual blocks, a pool, and another block (Kong et al. 2020).

    With four widths it ends before the last block, ``conv_block_after1``, as the sizes say that the Multi-breath paper
    has it (Chua and Cheng 2024); the pool before that block, which has no weights to tell, is taken to belong to it.
    """

    title: ClassVar = "ResNet22"
    published: ClassVar = (64, 128, 256, 512, 2048)
    sized_by: ClassVar = (
        *(f"resnet.layer{stage}.0.conv1.weight" for stage in (1, 2, 3, 4)),
        "conv_block_after1.conv1.weight",
    )
    halvings: ClassVar = (1, 1, 2, 3, 5, 5)
    undropped: ClassVar = frozenset({1, 2, 3})

    def __init__(self, widths: Sequence[int] = published, dropout: float = 0.0) -> None:
        super().__init__(widths, dropout)
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        into = self.widths[0]
        self.conv_block1 = ConvBlock(1, into)
        for stage, width in enumerate(self.widths[:4], 1):
            first = BasicBlock(into, width, 1 if stage == 1 else 2, dropout / 2)
            stages[f"layer{stage}"] = nn.Sequential(first, BasicBlock(width, width, 1, dropout / 2))
            into = width
        self.resnet = nn.Sequential(stages)
        self.halve = halving(2)
        if len(self.widths) == 5:
            self.conv_block_after1 = ConvBlock(into, self.widths[4], pool=1)

    @property
    def layer_widths(self) -> tuple[int, ...]:
        """Channels of the first block, the four stages, and the last block."""
        return self.widths[0], *self.widths

    @property
    def stages(self) -> tuple[tuple[nn.Module, ...], ...]:
        """The first block, the stages, the pool behind them, and the last block where there is one."""
        one, two, three, four = self.resnet
        after = ((self.conv_block_after1,),) if len(self.widths) == 5 else ()
        return (self.conv_block1,), (one,), (two,), (three,), (four, self.halve), *after
