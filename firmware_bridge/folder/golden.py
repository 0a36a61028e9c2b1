"""Golden vectors: windows that a few lines of C can make again, and what LiteRT answers to them."""

import numpy as np
import numpy.typing as npt

from export.tflite.runtime import LiteRT
from lungsound.errors import InputError

Windows = npt.NDArray[np.int8]

# Numerical Recipes' linear congruential generator; the same in self_test.c.
_FACTOR, _ADDEND, _SEED = 1664525, 1013904223, 1


def golden_windows(values: int) -> Windows:
    """Four windows of `values` int8: random, all lowest, all highest, random extremes. [4, values]."""
    state, rows = _SEED, np.empty((2, values), np.int64)
    for index in range(2 * values):
        state = (state * _FACTOR + _ADDEND) & 0xFFFFFFFF
        rows.flat[index] = state >> 24
    lowest = np.full(values, -128)
    extremes = np.where(rows[1] & 128, 127, -128)
    return np.stack([rows[0] - 128, lowest, -1 - lowest, extremes]).astype(np.int8)


def litert_outputs(model: bytes, rounding: str, windows: Windows, name: str = "this") -> Windows:
    """Return what LiteRT answers: its reference kernels for double rounding, its default (XNNPACK) for single.

    Parameters
    ----------
    model : bytes
        A .tflite file.
    rounding : str
        "double" or "single".
    windows : ndarray of int8, [n, ...]
        As many values each as the model takes.
    name : str
        The file, for error sentences.

    Returns
    -------
    ndarray of int8, [n, values]

    Raises
    ------
    InputError
        If LiteRT does not run the model.
    """
    try:
        return LiteRT(model, "reference" if rounding == "double" else "xnnpack").run(windows)
    except InputError as error:
        raise InputError(f"firmware is compared with LiteRT, and {name} is {error}") from error
