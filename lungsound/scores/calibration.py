"""Whether probabilities are what they say: Brier score, expected calibration error, reliability, temperature.

Guo et al., "On calibration of modern neural networks", ICML 2017: the error of eq. (3), here of the probability of a
label and not of a winning class, and the temperature of section 4.2, one for all labels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 15
"""Of equal width, from 0 to 1."""

COLDEST, HOTTEST = 0.01, 100.0
"""Between which a temperature is looked for; labels that a model tells apart without error would have it at 0."""


def sigmoid(logits: ArrayLike) -> NDArray[np.float64]:
    """Return ``1 / (1 + exp(-logit))`` in float64; any shape."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * np.asarray(logits, dtype=np.float64)))


def fitted_temperature(truth: ArrayLike, logits: ArrayLike) -> float:
    """Return the temperature T at which ``sigmoid(logits / T)`` has the least cross entropy.

    Meant for validation windows alone.

    Parameters
    ----------
    truth : array_like of int, shape [N, C]
        0 or 1.
    logits : array_like of float, shape [N, C]
        Model outputs.
    """
    from scipy.optimize import minimize_scalar

    sign = 1 - 2 * np.asarray(truth, dtype=np.float64)
    signed = sign * np.asarray(logits, dtype=np.float64)

    def cross_entropy(coldness: float) -> float:  # convex in 1 / T
        return float(np.logaddexp(0, signed * coldness).mean())

    found = minimize_scalar(cross_entropy, bounds=(1 / HOTTEST, 1 / COLDEST), method="bounded", options={"xatol": 1e-9})
    return float(1 / found.x)


def calibration(truth: ArrayLike, logits: ArrayLike, labels: Sequence[str]) -> dict[str, Any]:
    """Return how well probabilities are calibrated, by label and for ``any`` (the largest of them).

    Parameters
    ----------
    truth : array_like of int, shape [N, C]
        0 or 1.
    logits : array_like of float, shape [N, C]
        Model outputs, divided by the temperature if one is used.
    labels : sequence of str, length C
        Their names.

    Returns
    -------
    dict
        By label: ``brier``, ``ece``, and ``bins``, those of `BINS` that are not empty: ``n``, ``said`` (mean
        probability) and ``found`` (share that has the label).
    """
    ones = np.ones((1, len(np.asarray(truth))))
    errors = weighted_calibration(truth, logits, labels, ones)
    found = {}
    for name, has, said in _columns(truth, logits, labels):
        place = _bins(said)
        members = [place == number for number in np.unique(place)]
        found[name] = {figure: float(value[0]) for figure, value in errors[name].items()} | {
            "bins": [
                {"n": int(inside.sum()), "said": float(said[inside].mean()), "found": float(has[inside].mean())}
                for inside in members
            ]
        }
    return found


def weighted_calibration(
    truth: ArrayLike, logits: ArrayLike, labels: Sequence[str], weights: NDArray[np.float64]
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return ``brier`` and ``ece`` of :func:`calibration` for each row of weights, arrays of shape [draws]."""
    total, found = weights.sum(axis=1), {}
    for name, has, said in _columns(truth, logits, labels):
        inside = np.eye(BINS)[_bins(said)]
        gaps = np.abs(weights @ (inside * (said - has)[:, None])).sum(axis=1)
        found[name] = {"brier": weights @ (said - has) ** 2 / total, "ece": gaps / total}
    return found


def _columns(
    truth: ArrayLike, logits: ArrayLike, labels: Sequence[str]
) -> list[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Return name, truth and probability of each label and of any."""
    has, said = np.asarray(truth, dtype=np.float64), sigmoid(logits)
    sides = (np.column_stack([values, values.max(axis=1)]).T for values in (has, said))
    return list(zip((*labels, "any"), *sides, strict=True))


def _bins(said: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.minimum((said * BINS).astype(np.int64), BINS - 1)
