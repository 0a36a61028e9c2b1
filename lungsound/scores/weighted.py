"""Scores in which recordings count more than once, or not at all: one value for each draw of patients."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungsound.labels import classes_from_labels, four_classes
from lungsound.scores.paired import weighted_auroc


def weighted_share(hits: ArrayLike, among: ArrayLike, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of what is `among` that is a hit, for each row of weights; NaN where nothing counts.

    Parameters
    ----------
    hits, among : array_like of bool, shape [N]
    weights : ndarray of float64, shape [draws, N]
        Not negative.
    """
    hits, among = np.asarray(hits, dtype=bool), np.asarray(among, dtype=bool)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((weights @ (hits & among).astype(np.float64)) / (weights @ among.astype(np.float64)))


def weighted_label_scores(
    truth: ArrayLike, logits: ArrayLike, decisions: ArrayLike, labels: Sequence[str], weights: NDArray[np.float64]
) -> dict[str, Any]:
    """Return what :func:`lungsound.scores.metrics.label_scores` returns, ``n`` apart, for each row of weights.

    Parameters
    ----------
    truth, logits, decisions, labels
        As there; N windows.
    weights : ndarray of float64, shape [draws, N]
        How often each window counts.

    Returns
    -------
    dict
        Its keys; every figure is an array of shape [draws].
    """
    truth, decisions = (np.asarray(values).astype(np.int64) for values in (truth, decisions))
    logits = np.asarray(logits, dtype=np.float64)
    scores: dict[str, Any] = {}
    if four_classes(labels):
        scores |= _four_classes(classes_from_labels(truth), classes_from_labels(decisions), weights)
    sides = (np.column_stack([values, values.max(axis=1)]).T for values in (truth, decisions, logits))
    by_label = [_binary_scores(has, given, logit, weights) for has, given, logit in zip(*sides, strict=True)]
    for figure in ("auroc", "sensitivity", "specificity", "f1"):
        scores[figure] = {name: found[figure] for name, found in zip((*labels, "any"), by_label, strict=True)}
    balanced = [(found["sensitivity"] + found["specificity"]) / 2 for found in by_label[:-1]]
    scores["balanced_accuracy"] = defined_mean(balanced)
    return scores


def weighted_sprsound_scores(
    truth: ArrayLike, prediction: ArrayLike, neutral: Sequence[int], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return what :func:`lungsound.scores.sprsound.sprsound_scores` returns for each row of weights."""
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    sp = weighted_share(prediction == 0, truth == 0, weights)
    se = weighted_share(prediction == truth, (truth != 0) & ~np.isin(truth, list(neutral)), weights)
    average, total = (se + sp) / 2, se + sp
    harmonic = np.where(total == 0, 0.0, 2 * se * sp / np.where(total == 0, 1.0, total))
    return {"sp": sp, "se": se, "as": average, "hs": harmonic, "score": (average + harmonic) / 2}


def defined_mean(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the mean of several figures for each draw, of those that are defined there; NaN where none is."""
    return np.asarray(np.ma.masked_invalid(np.stack(values)).mean(axis=0).filled(np.nan))


def _four_classes(
    truth: NDArray[np.int64], prediction: NDArray[np.int64], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    abnormal = truth != 0
    sp = weighted_share(prediction == 0, ~abnormal, weights)
    se = weighted_share(prediction == truth, abnormal, weights)
    se_any = weighted_share(prediction != 0, abnormal, weights)
    return {"sp": sp, "se": se, "score": (se + sp) / 2, "se_any": se_any, "score_any": (se_any + sp) / 2}


def _binary_scores(
    truth: NDArray[Any], decisions: NDArray[Any], logits: NDArray[Any], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    has, given = truth == 1, decisions == 1
    hits, either = (weights @ values.astype(np.float64) for values in (has & given, has.astype(int) + given))
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = 2 * hits / either
    return {
        "auroc": weighted_auroc(has, logits, weights),
        "sensitivity": weighted_share(given, has, weights),
        "specificity": weighted_share(~given, ~has, weights),
        "f1": f1,
    }
