"""What a training is watched by: scores of the validation windows after every epoch."""

import math
from collections.abc import Sequence
from typing import Any

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before lightning, which imports torchvision

import lightning
import numpy as np
import torch
from torch import Tensor

from lungsound.labels import LABELS
from lungsound.scores.metrics import auroc

AUROC = "val_auroc"
"""The figure that epochs are chosen by: the mean over the labels for which it is defined."""


class WatchAuroc(lightning.Callback):
    """Log the AUROC of each label, and their mean, over all validation windows of an epoch.

    Parameters
    ----------
    labels : sequence of str
        Names of the labels, in the order of the logits.
    """

    def __init__(self, labels: Sequence[str] = LABELS) -> None:
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
