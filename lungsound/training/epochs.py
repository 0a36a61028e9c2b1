"""The weights of every epoch, kept where they are small: what picking one on a test would claim can then be told."""

from pathlib import Path
from typing import Any

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before lightning, which imports torchvision

import lightning
from torch import nn

from lungsound.training.weights import save_weights

EPOCHS_FOLDER = "epochs"
MOST_BYTES = 2**26
"""Of the weights of all epochs of a training; of a larger network none is kept."""


class KeepEpochs(lightning.Callback):
    """Write the weights of each epoch into a run folder.

    Parameters
    ----------
    network : nn.Module
        What is trained.
    folder : Path
        The run folder.
    epochs : int
        Of the whole training.
    """

    def __init__(self, network: nn.Module, folder: Path, epochs: int) -> None:
        self._network, self._folder = network, folder
        size = sum(value.numel() * value.element_size() for value in network.state_dict().values())
        self._kept = size * epochs <= MOST_BYTES

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Write those of this epoch."""
        if self._kept:
            save_weights(self._network, self._folder / EPOCHS_FOLDER / f"{trainer.current_epoch + 1}.safetensors")


def kept_epochs(folder: Path) -> dict[int, Path]:
    """Return the weights of a run's epochs by their number, from 1; none where they were not kept."""
    found = {path.stem: path for path in (folder / EPOCHS_FOLDER).glob("*.safetensors") if path.stem.isdecimal()}
    return {int(name): found[name] for name in sorted(found, key=int)}
