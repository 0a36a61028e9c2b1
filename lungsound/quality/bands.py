"""Blocks of sound in octave bands, in a device's integers: the logarithms that the check of the signal rests on.

Octaves below 2 kHz come from a cascade of binomial filters: of a band's samples a third difference, whose three zeros
at 0 Hz keep rumble out, is what that octave holds, and a third sum of every other sample is what the next begins with.
"""

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError

RATE = 4000
"""Hz; of sound with more, that times a power of two, the octaves above 2 kHz do not count."""

OCTAVES = 5
BANDS = OCTAVES + 1
"""1 to 2 kHz, and so on down to 62 to 125 Hz, and all that is below."""

BLOCK = 128
"""Samples of a block at `RATE`, 32 ms."""

STEPS = 16
"""Of a level in an octave, which is 6 dB; a level has one of every 0.38 dB."""

_TAPS = 3  # samples that a filter remembers
_MOST_HALVINGS = 3  # 32 kHz; a filter's output has a bit more than its input

MANTISSA = tuple(round(STEPS * float(np.log2(1 + part / 16))) for part in range(16))
"""Steps of a mantissa's first four bits."""


def halvings(sample_rate: int) -> int:
    """Return how often a rate is halved until it is `RATE`.

    Raises
    ------
    InputError
        If that does not give `RATE`.
    """
    times = (sample_rate // RATE).bit_length() - 1
    if sample_rate != RATE << max(0, times) or times > _MOST_HALVINGS:
        rates = ", ".join(str(RATE << k) for k in range(_MOST_HALVINGS + 1))
        raise InputError(f"the signal of {sample_rate} Hz is not checked; listen at {rates} Hz")
    return times


def logarithm(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return ``STEPS * log2(values + 1)`` from the leading bit and the four below it; any shape, 0 and more."""
    more = values + 1
    width = np.frexp(more.astype(np.float64))[1].astype(np.int64) - 1  # exact below 2^53
    mantissa = (more << 4 >> width) & 15
    return np.asarray(STEPS * width + np.asarray(MANTISSA, np.int64)[mantissa], np.int64)


def block_levels(pcm: NDArray[np.int16], sample_rate: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the levels of every whole block in each band, and its peak.

    Parameters
    ----------
    pcm : ndarray of int16, shape [N, samples]
        Windows, each of which the filters begin with zeros.
    sample_rate : int
        Hz.

    Returns
    -------
    levels : ndarray of int64, shape [N, blocks, BANDS]
        In `STEPS` an octave, of sums of magnitudes; from high to low.
    peaks : ndarray of int64, shape [N, blocks]
        The largest magnitude, 0 to 32768.

    Raises
    ------
    InputError
        If the rate is not `RATE` times a power of two up to 32 kHz.
    """
    skipped = halvings(sample_rate)
    block = BLOCK << skipped
    windows, blocks = len(pcm), pcm.shape[1] // block
    rest = pcm[:, : blocks * block].astype(np.int64)
    peaks = np.abs(rest).reshape(windows, blocks, block).max(axis=2, initial=0)
    sums = []
    for octave in range(skipped + OCTAVES):
        ahead = np.pad(rest, ((0, 0), (_TAPS, 0)))
        a, b, c, d = (ahead[:, _TAPS - back : ahead.shape[1] - back : 2] for back in range(_TAPS + 1))
        if octave >= skipped:
            sums.append(np.abs(a - d + 3 * (c - b)).reshape(windows, blocks, -1).sum(axis=2))
        rest = (a + d + 3 * (b + c) + 2) >> 2
    sums.append(np.abs(rest).reshape(windows, blocks, -1).sum(axis=2))
    levels = logarithm(np.stack(sums, axis=2)) - STEPS * skipped  # a filter doubles
    return np.maximum(levels, 0), peaks
