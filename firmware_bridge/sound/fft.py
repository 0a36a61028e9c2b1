"""The FFT of the front end in C: its stages, their rotations, and how far its rounding may be off."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage after the first.

    Attributes
    ----------
    radix : int
        Transforms that it joins into one.
    before : str
        Radix of the stage before, or ``FIRST``.
    length : int
        Of these transforms.
    twiddle : int
        Place of its first rotation.
    """

    radix: int
    before: str
    length: int
    twiddle: int


def fft_radices(n_fft: int) -> list[int]:
    """Return the radices of the FFT of ``n_fft / 2`` complex numbers, first stage first."""
    rest, fives = n_fft // 2, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    twos = rest.bit_length() - 1
    if n_fft % 2 or rest != 2**twos or twos < 2 or n_fft > 4096:
        raise InputError(
            f"front end: n_fft = {n_fft} is not 8, 16, 32, ... times a power of 5, 4096 at most; train on a log-mel "
            "with such a one"
        )
    fours = [4] * (twos // 2) if twos % 2 == 0 else [8] + [4] * ((twos - 3) // 2)
    return fours + [5] * fives


def input_order(radices: list[int]) -> NDArray[np.int64]:
    """Return where in-place decimation in time wants each input."""
    inputs = np.zeros(1, dtype=np.int64)
    for radix in radices:
        inputs = np.concatenate([inputs * radix + phase for phase in range(radix)])
    return np.argsort(inputs)


def fft_stages(radices: list[int]) -> tuple[list[Stage], list[tuple[int, int]]]:
    """Return the stages after the first, and their rotations one after the other."""
    stages: list[Stage] = []
    twiddles: list[tuple[int, int]] = []
    length = radices[0]
    for before, radix in pairwise(radices):
        first = radix == 5 and length == radices[0]
        stages.append(Stage(radix, "FIRST" if first else str(before), length, len(twiddles)))
        turns = np.outer(np.arange(length), np.arange(1, radix)) / (length * radix)
        twiddles += _rotations(turns.ravel())
        length *= radix
    return stages, twiddles


def _rotations(turns: NDArray[np.float64]) -> list[tuple[int, int]]:
    angles = 2 * np.pi * turns
    return list(zip(_fraction(np.cos(angles)).tolist(), _fraction(np.sin(angles)).tolist(), strict=True))


def _fraction(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return numbers in [-1, 1] with 31 fractional bits."""
    return np.clip(np.rint(values * 2**31), -(2**31) + 1, 2**31 - 1).astype(np.int64)


def rounding_noise(radices: list[int]) -> int:
    """Return how far the quick transform's rounding moves an amplitude, in its units.

    Three standard deviations or more, as measured on tones, pulses and recordings. Most of it is rounded samples: radix
    4 adds four and halves, which leaves noise as it is; radix 5 adds five and divides by four.
    """
    return max(4, math.ceil(8 * (math.sqrt(5) / 4) ** radices.count(5)))
