"""How far a figure varies from one seed to the next."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

_COUNT = "n"


def spread(values: Sequence[float | None]) -> dict[str, Any]:
    """Return what repeated trainings say of a figure.

    Parameters
    ----------
    values : sequence of float or None
        One for each training, at least two; None or NaN where a figure is not defined.

    Returns
    -------
    dict
        ``mean``; ``deviation``, the standard deviation of a sample (n - 1); ``interval``, 95 % of the mean by
        Student's t with n - 1 degrees of freedom; ``values`` as they were given. It tells what chance in training
        does; the recordings stay the same. NaN where one of the values is not defined.
    """
    found = np.array([math.nan if value is None else value for value in values], dtype=np.float64)
    mean, deviation = float(found.mean()), float(found.std(ddof=1))
    half = float(stdtrit(len(found) - 1, 0.975)) * deviation / math.sqrt(len(found))
    return {"mean": mean, "deviation": deviation, "interval": (mean - half, mean + half), "values": list(values)}


def spreads(scores: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the spread of every figure.

    Parameters
    ----------
    scores : sequence of mapping
        Of each training as :func:`lungsound.scores.metrics.label_scores` returns them, all of the same windows.

    Returns
    -------
    dict
        See :func:`spread`, by the names that lead to a figure with dots between them, such as ``auroc.crackle``.
    """
    figures = [flat(found) for found in scores]
    return {name: spread([found[name] for found in figures]) for name in figures[0]}


def flat(scores: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return figures by the names that lead to them, with dots between; ``n`` is left out."""
    found: dict[str, Any] = {}
    for name, value in scores.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{name}.")
        elif name != _COUNT:
            found[before + name] = value
    return found
