"""The no-sound baseline: what the length of an annotated event gives away.

Tiling an event to a window shows the network how long it was. A logistic regression on log duration alone
says how much of a `cycles` figure needs no ear.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungsound.scores.metrics import auroc, choose_threshold, choose_thresholds, label_scores
from lungsound.scores.sprsound import sprsound_scores


@dataclass(frozen=True)
class NoSound:
    """One logistic regression a label on the log duration of training events.

    Attributes
    ----------
    slopes, intercepts, thresholds : tuple of float
        Of each label, and behind the last one of any of them.
    """

    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]
    thresholds: tuple[float, ...]

    @classmethod
    def fit(cls, train: pd.DataFrame, labels: Sequence[str]) -> Self:
        """Fit regressions and thresholds on windows of the `cycles` protocol (``start``, ``end`` and the labels)."""
        truth = train[list(labels)].to_numpy(np.int64)
        columns = np.column_stack([truth, truth.max(axis=1)]).T
        slopes, intercepts = zip(*(_regression(train, has) for has in columns), strict=True)
        odds = cls(slopes, intercepts, ()).logits(train)
        thresholds = (*choose_thresholds(truth, odds[:, :-1], labels), choose_threshold(columns[-1], odds[:, -1]))
        return cls(slopes, intercepts, thresholds)

    def logits(self, windows: pd.DataFrame) -> NDArray[np.float64]:
        """Return the log odds of each label and of any, shape [N, C + 1]."""
        return np.asarray(_log_seconds(windows) * np.asarray(self.slopes) + np.asarray(self.intercepts))

    def scores(self, windows: pd.DataFrame, labels: Sequence[str]) -> dict[str, Any]:
        """Score it.

        Returns
        -------
        dict
            As :func:`lungsound.scores.metrics.label_scores`; ``binary`` holds SPRSound's scores of abnormal against
            normal, decided at the training set's balanced threshold, and ``auroc_binary`` its AUROC.
        """
        logits, truth = self.logits(windows), windows[list(labels)].to_numpy(np.int64)
        decisions = (logits >= np.asarray(self.thresholds)).astype(np.int64)
        scores = label_scores(truth, logits[:, :-1], decisions[:, :-1], labels)
        scores["binary"] = sprsound_scores(truth.max(axis=1), decisions[:, -1])
        scores["auroc_binary"] = auroc(truth.max(axis=1), logits[:, -1])
        return scores


def _log_seconds(windows: pd.DataFrame) -> NDArray[np.float64]:
    seconds = np.asarray(windows["end"], dtype=np.float64) - np.asarray(windows["start"], dtype=np.float64)
    return np.asarray(np.log(np.maximum(seconds, 1e-3)))[:, None]


def _regression(train: pd.DataFrame, truth: NDArray[np.int64]) -> tuple[float, float]:
    """Return slope and intercept of the log odds; a constant where `truth` does not vary."""
    from sklearn.linear_model import LogisticRegression

    if truth.min() == truth.max():
        return 0.0, 10.0 if truth[0] else -10.0
    # No regularisation to speak of: one feature, thousands of events.
    model = LogisticRegression(C=1e6).fit(_log_seconds(train), truth)
    return float(model.coef_[0, 0]), float(model.intercept_[0])
