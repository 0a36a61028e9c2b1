"""AUROC when whole patients are drawn with replacement: intervals, and differences on the same patients."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

DRAWS = 1000


def patient_weights(patients: Sequence[str], draws: int = DRAWS, seed: int = 0) -> NDArray[np.float64]:
    """Return how often each recording counts in each draw of as many patients as there are, shape [draws, N]."""
    names, index = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    drawn = np.random.default_rng(seed).integers(0, len(names), (draws, len(names)))
    counts = np.stack([np.bincount(draw, minlength=len(names)) for draw in drawn])
    return counts[:, index].astype(np.float64)


def weighted_auroc(truth: ArrayLike, score: ArrayLike, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the AUROC of a binary label for each row of weights; NaN where only one value counts.

    Parameters
    ----------
    truth : array_like of bool, shape [N]
    score : array_like of float, shape [N]
    weights : ndarray of float64, shape [draws, N]
        Not negative.

    Returns
    -------
    ndarray of float64, shape [draws]
        The share of pairs of a positive and a negative in which the positive has the higher score; ties count half.
    """
    truth, score = np.asarray(truth, dtype=bool), np.asarray(score, dtype=np.float64)
    order = np.argsort(score, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])  # of each group of equal scores
    positive, negative = (np.add.reduceat((weights * side)[:, order], first, axis=1) for side in (truth, ~truth))
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((positive * below).sum(axis=1) / pairs)


def drawn_auroc(
    truth: NDArray[np.int64], probabilities: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the AUROC of each draw: macro over the classes that it has, then the mean over seeds.

    Parameters
    ----------
    truth : ndarray of int64, shape [N]
        Classes.
    probabilities : ndarray of float64, shape [S, N, C]
        Of each seed's model.
    weights : ndarray of float64, shape [draws, N]
        From :func:`patient_weights`; the same for what shall be compared on the same patients.

    Returns
    -------
    ndarray of float64, shape [draws]
    """
    classes = range(1, 2) if probabilities.shape[-1] == 2 else range(probabilities.shape[-1])
    found = [[weighted_auroc(truth == c, said[:, c], weights) for c in classes] for said in probabilities]
    return np.asarray(np.ma.masked_invalid(found).mean(axis=(0, 1)).filled(np.nan))


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % interval of draws, or of the differences of two models' draws; NaN where nothing is defined."""
    defined = values[~np.isnan(values)]
    if not defined.size:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)
