"""The CNNs of PANNs as students: the trunks of the published networks, as wide as one likes."""

from pathlib import Path

from torch import nn

from lungsound.errors import InputError
from lungsound.networks.cards import PANNS, WeightsCard
from lungsound.networks.cnn6 import Cnn6
from lungsound.networks.cnn14 import Cnn10, Cnn14
from lungsound.networks.panns import load_panns
from lungsound.networks.panns_mobilenet import MobileNetV1, MobileNetV2
from lungsound.networks.resnet22 import ResNet22
from lungsound.networks.trunk import PannsTrunk, scaled_widths
from students.registry import Published, StudentCard, register


def load_trunk(trunk: nn.Module, path: Path) -> WeightsCard:
    """Copy the trunk of a published network into one of full width and return the file's card.

    The published trunk sees log-mels normalised band by band, a student's are normalised by one mean and deviation:
    close enough to start training from.

    Raises
    ------
    InputError
        If the file holds another network, or the trunk has other widths.
    """
    assert isinstance(trunk, PannsTrunk)
    read = load_panns(path, type(trunk))
    widths = read.network.trunk.widths[: len(trunk.widths)]
    if trunk.widths != widths:
        what = "give --width 1" if widths == trunk.published[: len(widths)] else "name a file of this width"
        raise InputError(f"{path}: its {trunk.title} has {widths} channels, the student {trunk.widths}; {what}")
    published = read.network.trunk.state_dict()
    trunk.load_state_dict({name: published[name] for name in trunk.state_dict()})
    return read.card


def _register(kind: type[PannsTrunk], summary: str, width: str, sizes: int | None = None) -> None:
    """Make a trunk a family; `sizes` leaves out what stands behind so many of its widths."""

    def trunk(width: float, dropout: float) -> PannsTrunk:
        return kind(scaled_widths(kind.published, width)[:sizes], dropout)

    cards = PANNS[kind.family()]
    card = StudentCard(
        name=kind.family(),
        summary=summary,
        paper=cards[0].paper,
        licence="Apache-2.0",
        input="one log-mel, normalised by one mean and deviation",
        width=f"{width} channels",
        smallest_input=kind.smallest_input(),
        published=Published(cards[0], load_trunk),
    )
    register(card)(trunk)


_register(
    Cnn6,
    "Four blocks of one 5x5 convolution and 2x2 average pooling, PANNs' smallest CNN.",
    "64, 128, 256 and 512",
)
_register(Cnn10, "Four blocks of two 3x3 convolutions and 2x2 average pooling.", "64, 128, 256 and 512")
_register(
    Cnn14,
    "Six blocks of two 3x3 convolutions, five of them with 2x2 average pooling.",
    "64, 128, 256, 512, 1024 and 2048",
)
_register(
    ResNet22,
    "A block of two 3x3 convolutions, four stages of two residual blocks, without the block behind them.",
    "64, 128, 256 and 512",
    sizes=4,
)
_register(
    MobileNetV1,
    "Thirteen depthwise separable convolutions; where others stride, 2x2 average pooling.",
    "32 to 1024",
)
_register(
    MobileNetV2,
    "Seventeen inverted residuals; where others stride, 2x2 average pooling.",
    "32, 16, 24, 32, 64, 96, 160, 320 and 1280",
)
