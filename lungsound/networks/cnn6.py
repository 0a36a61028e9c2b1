"""CNN6, the smallest network of PANNs, with a width multiplier."""

from collections.abc import Sequence

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before anything that imports torchvision

import torch.nn.functional as F
from torch import Tensor, nn

from lungsound.errors import InputError

PUBLISHED_WIDTHS = (64, 128, 256, 512)
"""Channels of the four blocks as published (Kong et al. 2020, table 1)."""

SMALLEST_INPUT = 16
"""Frames and mels that four halvings leave one position of."""


def scaled_widths(width: float) -> tuple[int, ...]:
    """Multiply the published widths, each rounded to the nearest multiple of 8 (halves up), at least 8.

    Vector units read int8 in eights, so other widths cost as much as the next multiple.
    """
    return tuple(max(8, int(channels * width / 8 + 0.5) * 8) for channels in PUBLISHED_WIDTHS)


class ConvBlock(nn.Module):
    """A bias-free 5x5 convolution that keeps the size, batch normalisation, ReLU, 2x2 average pooling."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 5, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        nn.init.xavier_uniform_(self.conv1.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in, T, F] to [B, out, T // 2, F // 2]."""
        return F.avg_pool2d(F.relu(self.bn1(self.conv1(x))), 2)


class Cnn6(nn.Module):
    """The convolutional trunk; parameters carry their published names.

    Source: Kong et al. 2020, "PANNs", table 1.

    Parameters
    ----------
    widths : sequence of int
        Channels of the four blocks.
    dropout : float
        Probability of zeroing a value after each block while training (0.2 as published).
    """

    def __init__(self, widths: Sequence[int] = PUBLISHED_WIDTHS, dropout: float = 0.0) -> None:
        super().__init__()
        self.widths = tuple(widths)
        one, two, three, four = self.widths
        self.conv_block1 = ConvBlock(1, one)
        self.conv_block2 = ConvBlock(one, two)
        self.conv_block3 = ConvBlock(two, three)
        self.conv_block4 = ConvBlock(three, four)
        self.dropout = dropout

    @property
    def blocks(self) -> tuple[ConvBlock, ...]:
        """The blocks in order."""
        return self.conv_block1, self.conv_block2, self.conv_block3, self.conv_block4

    def forward(self, x: Tensor) -> Tensor:
        """Map a log-mel [B, 1, T, F] to features [B, widths[3], T // 16, F // 16]; see :meth:`layers`."""
        return self.layers(x)[-1]

    def layers(self, x: Tensor) -> list[Tensor]:
        """Map a log-mel [B, 1, T, F] to what each block puts out, [B, widths[i], T // 2^(i+1), F // 2^(i+1)].

        Raises
        ------
        InputError
            If fewer than 16 frames or mels come in.
        """
        if min(x.shape[-2:]) < SMALLEST_INPUT:
            raise InputError(
                f"{x.shape[-2]} frames of {x.shape[-1]} mels are too few for CNN6, which halves both four times; "
                f"give at least {SMALLEST_INPUT}"
            )
        outputs = []
        for block in self.blocks:
            x = F.dropout(block(x), self.dropout, self.training)
            outputs.append(x)
        return outputs


def pool(feature_map: Tensor) -> Tensor:
    """Pool [B, D, t, f] to [B, D] as PANNs do: mean over mel, then maximum plus mean over time."""
    over_mel = feature_map.mean(dim=3)
    return over_mel.amax(dim=2) + over_mel.mean(dim=2)
