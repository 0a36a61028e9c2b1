"""PANNs' published networks: the whole of one and its weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before anything that imports torchvision

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lungsound.errors import InputError, first_line
from lungsound.logmel import SPECS, LogMelSpec
from lungsound.mel_bands import mel_filters
from lungsound.networks.cards import PANNS, WeightsCard
from lungsound.networks.cnn6 import Cnn6
from lungsound.networks.cnn14 import Cnn10, Cnn14
from lungsound.networks.panns_mobilenet import MobileNetV1, MobileNetV2
from lungsound.networks.resnet22 import ResNet22
from lungsound.networks.trunk import PannsTrunk, pool
from lungsound.training.weights import read_checkpoint

TRUNKS: tuple[type[PannsTrunk], ...] = (Cnn6, Cnn10, Cnn14, ResNet22, MobileNetV1, MobileNetV2)

_FRONT_END = ("spectrogram_extractor.", "logmel_extractor.")
_AROUND_TRUNK = ("bn0", "fc1", "fc_audioset")
_FILTERS = "logmel_extractor.melW"
_OF_MOBILENETV3 = "features.16.0.weight"
"""In files of EfficientAT at the top."""


@dataclass(frozen=True)
class PannsOutput:
    """What PANNs compute of B log-mels.

    Attributes
    ----------
    feature_map : Tensor, shape [B, D, T', F']
        Of the trunk.
    pooled : Tensor, shape [B, D]
        Before the first linear layer.
    embedding : Tensor, shape [B, E]
        Behind it.
    probabilities : Tensor, shape [B, C]
        Of the sound classes, independent of each other.
    """

    feature_map: Tensor
    pooled: Tensor
    embedding: Tensor
    probabilities: Tensor


class Panns(nn.Module):
    """A published network from the log-mel on.

    Source: Kong et al. 2020, table 1; evaluation only.

    Parameters
    ----------
    trunk : PannsTrunk
        Its convolutions.
    n_mels : int
        Mel bands, each normalised by itself before the trunk.
    embedding : int
        E, values behind the first linear layer.
    classes : int
        Sound classes, AudioSet's 527 as published.
    """

    def __init__(self, trunk: PannsTrunk, n_mels: int = 64, embedding: int = 512, classes: int = 527) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(n_mels)
        self.trunk = trunk
        self.fc1 = nn.Linear(trunk.channels, embedding)
        self.fc_audioset = nn.Linear(embedding, classes)

    @classmethod
    def of(cls, kind: type[PannsTrunk], state: Mapping[str, Tensor]) -> Self:
        """Make the network that a published state is of, and give it these tensors.

        Parameters
        ----------
        kind : type of PannsTrunk
            The trunk that it must be.
        state : mapping of str to Tensor
            By published names, without a front end; the shapes tell the widths.

        Raises
        ------
        KeyError, IndexError, RuntimeError
            If it is of another network.
        """
        widths = [state[name].shape[0] for name in kind.sized_by]
        bands, embedding, classes = (state[f"{name}.weight"].shape[0] for name in _AROUND_TRUNK)
        with torch.device("meta"):  # a state may claim any size
            network = cls(kind(widths), bands, embedding, classes)
        network.load_state_dict({_own_name(name): value for name, value in state.items()}, assign=True)
        return network.float()

    def tag(self, logmel: Tensor) -> PannsOutput:
        """Tag un-normalised log-mels (dB) [B, 1, T, F]."""
        feature_map = self.trunk(self.bn0(logmel.transpose(1, 3)).transpose(1, 3))
        pooled = pool(feature_map)
        embedding = F.relu(self.fc1(pooled))
        return PannsOutput(feature_map, pooled, embedding, torch.sigmoid(self.fc_audioset(embedding)))

    def published_state(self) -> dict[str, Tensor]:
        """Return the state by its published names, without a front end."""
        return {name.removeprefix("trunk."): value for name, value in self.state_dict().items()}


@dataclass(frozen=True)
class PannsWeights:
    """A published file as it was read.

    Attributes
    ----------
    network : Panns
        In evaluation mode.
    card : WeightsCard
        What it was published as.
    """

    network: Panns
    card: WeightsCard


def load_panns(path: Path, kind: type[PannsTrunk]) -> PannsWeights:
    """Load a published checkpoint; its shapes tell the widths, its mel filters which of a family's files it is.

    Parameters
    ----------
    path : Path
        A ``.pth`` file holding a dictionary whose ``model`` is the state. Nothing in the file is executed.
    kind : type of PannsTrunk
        What the file must hold.

    Raises
    ------
    InputError
        If the file is missing or damaged, is of another network, or holds a value that is not finite.
    """
    usual = PANNS[kind.family()][0]
    whole = _state(path, kind, usual)
    state = {name: value for name, value in whole.items() if not name.startswith(_FRONT_END)}
    try:
        network = Panns.of(kind, state)
    except (KeyError, IndexError, RuntimeError) as error:
        other = _family_of(state)
        if other is not None and other is not kind:
            raise InputError(
                f"{path}: holds PANNs' {other.title}, not {kind.title}; name {other.family()}, or get {usual.file} "
                f"from {usual.url}"
            ) from error
        reason = f"lacks {error.args[0]}" if isinstance(error, KeyError) else first_line(error)
        raise InputError(f"{path}: no {kind.title} of PANNs ({reason}); get {usual.file} from {usual.url}") from error
    return PannsWeights(network.eval(), _card(kind, path, whole.get(_FILTERS)))


def _own_name(published: str) -> str:
    """Return the name of a tensor in `Panns` by its published one."""
    return published if published.partition(".")[0] in _AROUND_TRUNK else f"trunk.{published}"


def _family_of(state: Mapping[str, Tensor]) -> type[PannsTrunk] | None:
    """Return the trunk whose network has tensors of exactly these names."""
    for kind in TRUNKS:
        with torch.device("meta"):
            if Panns(kind([8] * len(kind.published))).published_state().keys() == state.keys():
                return kind
    return None


def _card(kind: type[PannsTrunk], path: Path, filters: Tensor | None) -> WeightsCard:
    """Return the card of a file: that whose log-mel has its filters; else of its name; else the usual one."""
    cards = PANNS[kind.family()]
    for card in cards:
        if filters is not None and _are_filters(filters, SPECS[card.logmel]):
            return card
    return next((card for card in cards if card.file == path.name), cards[0])


def _are_filters(found: Tensor, spec: LogMelSpec) -> bool:
    filters = mel_filters(spec).T
    return found.shape == filters.shape and np.allclose(found.double().numpy(), filters, rtol=0, atol=1e-6)


def _state(path: Path, kind: type[PannsTrunk], card: WeightsCard) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(f"{path}: missing; get {card.file} from {card.url}")
    content = read_checkpoint(path)
    if isinstance(content, dict) and "model" not in content and _OF_MOBILENETV3 in content:
        raise InputError(
            f"{path}: holds EfficientAT's MobileNetV3, not {kind.title}; name mobilenetv3, or get {card.file} from "
            f"{card.url}"
        )
    state = content.get("model") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise InputError(f"{path}: holds no 'model' with tensors; get {card.file} from {card.url}")
    for name, value in state.items():
        # A tensor that is not laid out in full can claim a size that the file does not have.
        if value.layout != torch.strided or not value.is_contiguous() or not torch.isfinite(value).all():
            raise InputError(f"{path}: {name} is not laid out in full, or not finite; get {card.file} again")
    return state
