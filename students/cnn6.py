"""CNN6 of PANNs as a student."""

from pathlib import Path

from torch import nn

from lungsound.errors import InputError
from lungsound.networks.cards import PANNS_CNN6
from lungsound.networks.cnn6 import SMALLEST_INPUT, Cnn6, scaled_widths
from lungsound.networks.panns import load_panns_cnn6
from students.registry import Published, StudentCard, register


def load_panns(trunk: nn.Module, path: Path) -> None:
    """Copy the trunk of a published CNN6 into one of full width.

    The published trunk sees log-mels normalised band by band, a student's are normalised by one mean and deviation:
    close enough to start training from.

    Raises
    ------
    InputError
        If the file is no CNN6, or the trunk has other widths.
    """
    assert isinstance(trunk, Cnn6)
    network = load_panns_cnn6(path)
    if trunk.widths != network.widths:
        raise InputError(
            f"{path}: PANNs' CNN6 has {network.widths} channels, the student {trunk.widths}; "
            "only a student of width 1 can start from it"
        )
    trunk.load_state_dict(
        {name: value for name, value in network.state_dict().items() if name.startswith("conv_block")}
    )


@register(
    StudentCard(
        name="cnn6",
        summary="Four blocks of one 5x5 convolution and 2x2 average pooling, PANNs' smallest network.",
        paper=PANNS_CNN6.paper,
        licence="Apache-2.0",
        input="one log-mel, normalised by one mean and deviation",
        width="64, 128, 256 and 512 channels",
        smallest_input=SMALLEST_INPUT,
        published=Published(PANNS_CNN6, load_panns),
    )
)
class Cnn6Trunk(Cnn6):
    """CNN6's trunk with a multiplier of its widths.

    Parameters
    ----------
    width : float
        Multiplier of the published channels.
    dropout : float
        After each block, while training.
    """

    def __init__(self, width: float, dropout: float) -> None:
        super().__init__(scaled_widths(width), dropout)
        self.channels = self.widths[-1]
