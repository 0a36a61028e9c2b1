"""EfficientAT's MobileNetV3 as a student."""

from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from lungsound.errors import InputError
from lungsound.networks.cards import EFFICIENTAT_MN04, WeightsCard
from lungsound.networks.mobilenet import USUAL_STRIDES, MobileNetV3
from lungsound.networks.mobilenet_files import read_published
from lungsound.networks.mobilenet_tagger import hidden_of
from students.registry import Published, StudentCard, register

_MN04_WIDTH = 0.4


def load_published(trunk: nn.Module, path: Path) -> WeightsCard:
    """Copy the trunk of a published file and return its card.

    Its kernels over mels and frames become kernels over frames and mels. The published trunk sees log-mels of its own,
    a student's are those of its run: close enough to start training from.

    Raises
    ------
    InputError
        If the file is no MobileNetV3 of EfficientAT, or the trunk has another width.
    """
    assert isinstance(trunk, MobileNetV3Trunk)
    published = read_published(path)
    if published.strides != USUAL_STRIDES:
        raise InputError(f"{path}: was trained with strides of {published.strides}, a student has {USUAL_STRIDES}")
    if published.width != trunk.width:
        raise InputError(
            f"{path}: holds a MobileNetV3 of width {published.width:g}, the student's is {trunk.width:g}; "
            f"give it --width {published.width:g}"
        )
    trunk.load_state_dict({name: value.mT if value.dim() == 4 else value for name, value in published.trunk.items()})
    if published.width == _MN04_WIDTH:
        return EFFICIENTAT_MN04
    return replace(EFFICIENTAT_MN04, name=f"EfficientAT {path.stem}, AudioSet", file=path.name, hash=None)


def load_hidden(layer: nn.Linear, path: Path) -> None:
    """Copy the layer between the mean of the last map and AudioSet's classes; a file whose head has none has none."""
    if hidden := read_published(path).hidden:
        layer.load_state_dict(hidden)


@register(
    StudentCard(
        name="mobilenetv3",
        summary="Fifteen inverted residuals with squeeze and excitation, EfficientAT's network for devices.",
        paper=EFFICIENTAT_MN04.paper,
        licence="Apache-2.0",
        input="one log-mel, normalised by one mean and deviation",
        width="16 to 160 channels and 960 in the last map; mn04, the published one, is 0.4",
        published=Published(EFFICIENTAT_MN04, load_published, load_hidden),
    )
)
class MobileNetV3Trunk(MobileNetV3):
    """EfficientAT's trunk over frames and mels, where the published one has mels and frames.

    Parameters
    ----------
    width : float
        Multiplier of the published channels, rounded to eights.
    dropout : float
        Of the last map, while training.

    Attributes
    ----------
    channels, hidden : int
        Of the last map, and of the published head's hidden layer.
    """

    def __init__(self, width: float, dropout: float) -> None:
        super().__init__(width)
        self.width = width
        self.channels, self.hidden = self.widths[-1], hidden_of(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised log-mels [B, 1, T, F] to a feature map [B, D, T / 32, F / 32], halves rounded up."""
        feature_map: Tensor = self.dropout(super().forward(x))
        return feature_map
