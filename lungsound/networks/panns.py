"""PANNs' published CNN6: the whole network and its weights."""

from dataclasses import dataclass
from pathlib import Path

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before anything that imports torchvision

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lungsound.errors import InputError
from lungsound.networks.cards import PANNS_CNN6
from lungsound.networks.cnn6 import PUBLISHED_WIDTHS, Cnn6, pool
from lungsound.training.weights import read_checkpoint

_FRONT_END = ("spectrogram_extractor.", "logmel_extractor.")


@dataclass(frozen=True)
class PannsOutput:
    """What PANNs compute of B log-mels.

    Attributes
    ----------
    feature_map : Tensor, shape [B, D, T // 16, F // 16]
        Of the trunk.
    pooled, embedding : Tensor, shape [B, D]
        Before and after the first linear layer.
    probabilities : Tensor, shape [B, C]
        Of the sound classes, independent of each other.
    """

    feature_map: Tensor
    pooled: Tensor
    embedding: Tensor
    probabilities: Tensor


class PannsCnn6(Cnn6):
    """The published network from the log-mel on; parameters carry their published names.

    Source: Kong et al. 2020, table 1; evaluation only.

    Parameters
    ----------
    widths : sequence of int
        Channels of the four blocks.
    n_mels : int
        Mel bands, each normalised by itself before the trunk.
    classes : int
        Sound classes, AudioSet's 527 as published.
    """

    def __init__(self, widths: tuple[int, ...] = PUBLISHED_WIDTHS, n_mels: int = 64, classes: int = 527) -> None:
        super().__init__(widths)
        self.bn0 = nn.BatchNorm2d(n_mels)
        self.fc1 = nn.Linear(widths[-1], widths[-1])
        self.fc_audioset = nn.Linear(widths[-1], classes)

    def tag(self, logmel: Tensor) -> PannsOutput:
        """Tag un-normalised log-mels (dB) [B, 1, T, F]."""
        normalised = self.bn0(logmel.transpose(1, 3)).transpose(1, 3)
        feature_map = self.forward(normalised)
        pooled = pool(feature_map)
        embedding = F.relu(self.fc1(pooled))
        return PannsOutput(feature_map, pooled, embedding, torch.sigmoid(self.fc_audioset(embedding)))


def load_panns_cnn6(path: Path) -> PannsCnn6:
    """Load a published CNN6 checkpoint, in evaluation mode.

    Parameters
    ----------
    path : Path
        A ``.pth`` file holding a dictionary whose ``model`` is the state; the tensors of its front end are skipped.
        Nothing in the file is executed.

    Raises
    ------
    InputError
        If the file is missing or damaged, is no CNN6, or holds a value that is not finite.
    """
    state = {name: value for name, value in _state(path).items() if not name.startswith(_FRONT_END)}
    try:
        widths = tuple(state[f"conv_block{i}.conv1.weight"].shape[0] for i in (1, 2, 3, 4))
        network = PannsCnn6(widths, state["bn0.weight"].shape[0], state["fc_audioset.weight"].shape[0])
        network.load_state_dict(state)
    except (KeyError, IndexError, RuntimeError) as error:
        raise InputError(f"{path}: no CNN6 of PANNs ({str(error).splitlines()[0]}); get {PANNS_CNN6.file}") from error
    return network.eval()


def _state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(f"{path}: missing; get {PANNS_CNN6.file} from {PANNS_CNN6.url}")
    content = read_checkpoint(path)
    state = content.get("model") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise InputError(f"{path}: holds no 'model' with tensors; get {PANNS_CNN6.file} from {PANNS_CNN6.url}")
    for name, value in state.items():
        # A tensor that is not laid out in full can claim a size that the file does not have.
        if value.layout != torch.strided or not value.is_contiguous() or not torch.isfinite(value).all():
            raise InputError(f"{path}: {name} is not laid out in full, or not finite; get {PANNS_CNN6.file} again")
    return state
