"""What picking the epoch on the test would have claimed, beside what the epoch that validation chose reaches.

Published figures often are those of the best epoch on the test. A run that kept the weights of its epochs can say by
how much that flatters; thresholds are those that validation chooses for each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from auscult.ledger.classifier import Classifier, FloatRun
from lungsound.scores.metrics import choose_thresholds, label_scores
from lungsound.terminal import progress


@dataclass(frozen=True)
class Epochs:
    """What every epoch says of the same windows.

    Attributes
    ----------
    logits : DataFrame
        N windows; see :func:`column`.
    thresholds : mapping of str to tuple of float
        By the number of the epoch.
    """

    logits: pd.DataFrame
    thresholds: Mapping[str, tuple[float, ...]]

    def scores(self, truth: NDArray[np.int64], labels: tuple[str, ...]) -> dict[str, Any]:
        """Return the figures of each epoch, and the best of them, each for itself.

        Parameters
        ----------
        truth : ndarray of int64, shape [N, C]
            0 or 1.
        labels : tuple of str, length C
            Their names.

        Returns
        -------
        dict
            ``epochs``: a list of ``epoch``, ``score`` (of other labels than crackle and wheeze the balanced accuracy)
            and ``auroc_any``; ``claimed``: the largest ``score`` and ``auroc_any`` of them.
        """
        rows = []
        for epoch, thresholds in self.thresholds.items():
            logits = self.logits[[column(epoch, label) for label in labels]].to_numpy(np.float64)
            found = label_scores(truth, logits, logits >= np.asarray(thresholds), labels)
            score = found.get("score", found["balanced_accuracy"])
            rows.append({"epoch": int(epoch), "score": score, "auroc_any": found["auroc"]["any"]})
        claimed = {name: float(np.nanmax([row[name] for row in rows])) for name in ("score", "auroc_any")}
        return {"epochs": rows, "claimed": claimed}


def column(epoch: object, label: str) -> str:
    """Return the name of the column of an epoch's logits for a label."""
    return f"epoch_{epoch}_{label}"


Thresholds = Mapping[int, tuple[float, ...]]
"""By the number of an epoch, one a label."""


def epoch_thresholds(classifier: Classifier, data: Sequence[str]) -> Thresholds:
    """Choose thresholds for every kept epoch of a run on its validation windows.

    None of a bundle, of a run that kept no epoch, or where these corpora (``name:root``) are not those of the training.
    """
    if not isinstance(classifier, FloatRun) or not classifier.epochs():
        return {}
    selection, labels = classifier.trained_on(data), list(classifier.listening.labels)
    if selection is None:
        return {}
    windows = selection.windows("validation", classifier.protocols, classifier.listening)
    found = {}
    for epoch, one in progress(classifier.epochs().items(), "choosing thresholds of every epoch"):
        logits, _ = one.decide(windows)
        found[epoch] = choose_thresholds(windows[labels].to_numpy(), logits, labels)
    return found


def epochs_on(classifier: Classifier, thresholds: Thresholds, windows: pd.DataFrame) -> Epochs | None:
    """Run every epoch that has thresholds over windows; None where none has."""
    if not thresholds or not isinstance(classifier, FloatRun):
        return None
    said: dict[str, NDArray[np.float64]] = {}
    epochs = classifier.epochs()
    for epoch in progress(thresholds, "scoring every epoch"):
        logits, _ = epochs[epoch].decide(windows)
        said |= {column(epoch, label): logits[:, place] for place, label in enumerate(classifier.listening.labels)}
    return Epochs(pd.DataFrame(said), {str(epoch): of for epoch, of in thresholds.items()})
