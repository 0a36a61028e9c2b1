"""What a training is watched by: scores of the validation windows after every epoch."""

import math
from collections.abc import Sequence
from typing import Any, Literal

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before lightning, which imports torchvision

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lungsound.errors import InputError
from lungsound.scores.metrics import auroc
from lungsound.terminal import err
from lungsound.training.settings import AUROC
from lungsound.training.trainer import VALIDATION_LOSS


def watched(name: str, labels: Sequence[str], losses: Sequence[str]) -> Literal["min", "max"]:
    """Return whether the epoch with the smallest or the largest value of a logged figure is the best.

    Parameters
    ----------
    name : str
        Of the figure.
    labels : sequence of str
        Names of the labels.
    losses : sequence of str
        Names under which the training logs its losses.

    Raises
    ------
    InputError
        If such a training logs no figure of this name; the sentence lists those that it does.
    """
    if name in (AUROC, *(f"{AUROC}_{label}" for label in labels)):
        return "max"
    if name in (VALIDATION_LOSS, *losses):
        return "min"
    logged = [AUROC, *(f"{AUROC}_{label}" for label in labels), VALIDATION_LOSS, *losses]
    raise InputError(f"--watch {name}: never logged; choose one of {', '.join(logged)}")


def watchable(
    name: str, mode: Literal["min", "max"], labels: Sequence[str], truth: NDArray[np.int64]
) -> tuple[str, Literal["min", "max"]]:
    """Return the figure that can choose the epoch on these validation windows, and whether it is best small or large.

    Parameters
    ----------
    name, mode : str
        The figure that was asked for, and what :func:`watched` says of it.
    labels : sequence of str, length C
        Names of the labels.
    truth : ndarray of int, shape [N, C]
        0 or 1, of the validation windows.

    Returns
    -------
    tuple of str
        `name` and `mode`; the smallest loss, which is said on stderr, where the mean AUROC is that of no label.

    Raises
    ------
    InputError
        If the AUROC of one label was asked for, and every window has it, or none.
    """
    constant = [label for label, column in zip(labels, truth.T, strict=True) if column.min() == column.max()]
    for label in constant:
        if name == f"{AUROC}_{label}":
            raise InputError(f"--watch {name}: all validation windows are alike in {label}; watch another figure")
    if name == AUROC and len(constant) == len(labels):
        err.print(
            f"note: no {AUROC} is defined, so {VALIDATION_LOSS} chooses the epoch", style="yellow", highlight=False
        )
        return VALIDATION_LOSS, "min"
    return name, mode


class WatchAuroc(lightning.Callback):
    """Log the AUROC of each label, and their mean, over all validation windows of an epoch.

    Parameters
    ----------
    labels : sequence of str
        Names of the labels, in the order of the logits.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(labels)
        self._seen: list[tuple[Tensor, Tensor]] = []

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Keep logits and labels; the epoch's end scores them together."""
        self._seen.append((outputs.float().cpu(), batch["labels"].cpu()))

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Score the epoch."""
        logits, truth = (torch.cat(values).numpy() for values in zip(*self._seen, strict=True))
        self._seen.clear()
        areas = {label: auroc(truth[:, i], logits[:, i]) for i, label in enumerate(self._labels)}
        pl_module.log_dict({f"{AUROC}_{label}": area for label, area in areas.items()})
        defined = [area for area in areas.values() if not math.isnan(area)]
        pl_module.log(AUROC, float(np.mean(defined)) if defined else 0.5)
