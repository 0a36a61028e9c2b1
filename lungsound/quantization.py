"""How int8 codes stand for real values."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError

LOWEST, HIGHEST = -128, 127


@dataclass(frozen=True, slots=True)
class Quantization:
    """How int8 codes stand for real values: ``value = (code - zero_point) * scale``.

    Attributes
    ----------
    scale : float
        Positive.
    zero_point : int
        The code of zero, -128 to 127.
    """

    scale: float
    zero_point: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and self.scale > 0 and LOWEST <= self.zero_point <= HIGHEST):
            raise InputError(f"a scale must be positive and a zero point an int8, got {self.scale}, {self.zero_point}")

    def quantize(self, values: NDArray[np.floating[Any]]) -> NDArray[np.int8]:
        """Round to the nearest code (half to even) in float64 and saturate; any shape."""
        codes = np.rint(np.asarray(values, np.float64) / self.scale) + self.zero_point
        return np.asarray(np.clip(codes, LOWEST, HIGHEST), np.int8)

    def dequantize(self, codes: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Return the values that codes stand for; any shape."""
        return (np.asarray(codes, np.float64) - self.zero_point) * self.scale

    def threshold_codes(self, thresholds: Sequence[float]) -> tuple[int, ...]:
        """Return the smallest code whose value reaches each threshold; 128, which no code reaches, if none does."""
        values = self.dequantize(np.arange(LOWEST, HIGHEST + 1))
        return tuple(LOWEST + int(np.searchsorted(values, threshold)) for threshold in thresholds)
