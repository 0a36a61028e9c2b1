"""Scores when whole patients are drawn with replacement: intervals, and differences on the same patients."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

DRAWS = 1000

_AT_ONCE = 2**21
"""Weights that are held in memory at once."""


def patient_weights(patients: ArrayLike, draws: int = DRAWS, seed: int = 0) -> NDArray[np.float64]:
    """Return how often each recording counts in each draw of as many patients as there are, shape [draws, N]."""
    return np.concatenate(list(patient_draws(patients, draws, seed)))


def patient_draws(patients: ArrayLike, draws: int = DRAWS, seed: int = 0) -> Iterator[NDArray[np.float64]]:
    """Yield the rows of :func:`patient_weights` in blocks that fit the memory, each of shape [some draws, N]."""
    names, index = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    rng, block = np.random.default_rng(seed), max(1, _AT_ONCE // max(1, len(index)))
    for start in range(0, draws, block):
        drawn = rng.integers(0, len(names), (min(block, draws - start), len(names)))
        counts = np.stack([np.bincount(draw, minlength=len(names)) for draw in drawn])
        yield counts[:, index].astype(np.float64)


def intervals(
    score: Callable[[NDArray[np.float64]], Mapping[str, Any]],
    patients: ArrayLike,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the 95 % interval of every figure when whole patients are drawn with replacement.

    Parameters
    ----------
    score : callable
        From weights [draws, N] to figures [draws], in dicts as deep as one likes.
    patients : array_like of str, shape [N]
        Of each window or recording.
    draws, seed : int
        Of the patients.

    Returns
    -------
    dict
        As `score` gives it, with (low, high) for each figure; NaN where it is not defined.
    """
    return _each([score(weights) for weights in patient_draws(patients, draws, seed)])


def _each(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the interval of each figure, of which every block of draws has a part."""
    return {
        name: _each([part[name] for part in found])
        if isinstance(found[0][name], Mapping)
        else interval(np.concatenate([part[name] for part in found]))
        for name in found[0]
    }


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
