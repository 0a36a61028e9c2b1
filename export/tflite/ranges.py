"""The range of every tensor of a float .tflite, from inputs it will see."""

import numpy as np
from numpy.typing import NDArray

from export.tflite.activations import activations
from lungsound.errors import InputError

Ranges = dict[str, tuple[float, float]]
"""Smallest and largest value by tensor name."""

_BINS = 8192


def calibrate(float_model: bytes, features: NDArray[np.float32], percentile: float | None = None) -> Ranges:
    """Run the model and note between which values every tensor lies.

    True extremes, not a moving average of them: averages of extremes lie inside the extremes, and what lies beyond
    a range saturates.

    Parameters
    ----------
    float_model : bytes
        As :func:`export.tflite.float_model.float_tflite` writes it.
    features : ndarray of float32, shape [N, frames, mels]
        Normalised log-mels of training windows.
    percentile : float, optional
        Leave out the values above this percentile and below its mirror image (99.99 leaves out one value in ten
        thousand at either end); without it nothing is left out.

    Returns
    -------
    dict
        Range by tensor name, of the input and of every tensor that an operator writes.

    Raises
    ------
    InputError
        If there are no features, they do not fit the model, one is not finite, or the percentile is out of range.
    """
    if percentile is not None and not 50 < percentile <= 100:
        raise InputError(f"the percentile of a range must lie above 50 and up to 100, got {percentile}")
    ranges: Ranges = {}
    for values in activations(float_model, features, "measuring ranges"):
        for name, value in values.items():
            low, high = ranges.get(name, (np.inf, -np.inf))
            ranges[name] = min(low, float(value.min())), max(high, float(value.max()))
    if percentile is None:
        return ranges
    counts = {name: np.zeros(_BINS, np.int64) for name in ranges}
    for values in activations(float_model, features, "counting values"):
        for name, value in values.items():
            counts[name] += np.histogram(value, _BINS, ranges[name])[0]
    return {name: _percentiles(counts[name], ranges[name], percentile) for name in ranges}


def _percentiles(counts: NDArray[np.int64], bounds: tuple[float, float], percentile: float) -> tuple[float, float]:
    """Return between which bins' outer edges all but `percentile`'s share of the counted values at either end lie."""
    edges = np.linspace(*bounds, len(counts) + 1)
    left_out = counts.sum() * (1 - percentile / 100)
    low = int(np.searchsorted(counts.cumsum(), left_out, side="right"))
    high = len(counts) - int(np.searchsorted(counts[::-1].cumsum(), left_out, side="right"))
    return float(edges[low]), float(edges[high])
