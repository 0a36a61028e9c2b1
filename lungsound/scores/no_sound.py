"""The no-sound baseline: what the length of an annotated event gives away.

Tiling an event to a window shows the network how long it was. A logistic regression on log duration alone
says how much of a `cycles` figure needs no ear.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungsound.scores.metrics import auroc, choose_threshold, choose_thresholds, label_scores
from lungsound.scores.sprsound import sprsound_scores


def _log_seconds(windows: pd.DataFrame) -> NDArray[np.float64]:
    seconds = np.asarray(windows["end"], dtype=np.float64) - np.asarray(windows["start"], dtype=np.float64)
    return np.asarray(np.log(np.maximum(seconds, 1e-3)))[:, None]


def _log_odds(train: pd.DataFrame, truth: NDArray[np.int64], test: pd.DataFrame) -> NDArray[np.float64]:
    """Fit on `train` and return the log odds of `test`; a constant where `truth` does not vary."""
    from sklearn.linear_model import LogisticRegression

    if truth.min() == truth.max():
        return np.full(len(test), 10.0 if truth[0] else -10.0)
    # No regularisation to speak of: one feature, thousands of events.
    model = LogisticRegression(C=1e6).fit(_log_seconds(train), truth)
    return np.asarray(model.decision_function(_log_seconds(test)))


def no_sound_logits(train: pd.DataFrame, test: pd.DataFrame, labels: Sequence[str]) -> NDArray[np.float64]:
    """Fit one logistic regression a label on the log duration of training events and apply it.

    Parameters
    ----------
    train, test : DataFrame
        Windows of the `cycles` protocol (columns ``start``, ``end`` and the labels).
    labels : sequence of str, length C
        Their names.

    Returns
    -------
    ndarray of float64, shape [len(test), C]
        Logits per label.
    """
    return np.stack([_log_odds(train, train[label].to_numpy(np.int64), test) for label in labels], axis=1)


def no_sound_scores(train: pd.DataFrame, test: pd.DataFrame, labels: Sequence[str]) -> dict[str, Any]:
    """Score the baseline on `test`; regressions and thresholds both come from `train`.

    Returns
    -------
    dict
        As :func:`lungsound.scores.metrics.label_scores`; ``binary`` holds SPRSound's scores of a regression on
        abnormal against normal, decided at the training set's balanced threshold, and ``auroc_binary`` its AUROC.
    """
    names = list(labels)
    thresholds = choose_thresholds(train[names].to_numpy(), no_sound_logits(train, train, labels), labels)
    logits = no_sound_logits(train, test, labels)
    scores = label_scores(test[names].to_numpy(), logits, logits >= np.asarray(thresholds), labels)
    abnormal, truth = (np.asarray(part[names].any(axis=1), dtype=np.int64) for part in (train, test))
    threshold = choose_threshold(abnormal, _log_odds(train, abnormal, train))
    odds = _log_odds(train, abnormal, test)
    scores["binary"] = sprsound_scores(truth, (odds >= threshold).astype(np.int64))
    scores["auroc_binary"] = auroc(truth, odds)
    return scores
