"""Codes of frames as a device computes them: every shift and every rounding of the quick transform in C."""

import numpy as np
from numpy.typing import NDArray

from lungsound.fixed_point.fft import width
from lungsound.fixed_point.tables import LOG_BITS, LOG_SEGMENTS, Tables, logarithm
from lungsound.logmel import LogMelSpec

_FRAMES_AT_ONCE = 192  # all their arrays stay in a core's cache
_LOW = np.uint64(2**32 - 1)
_HALF = np.uint64(32)


def frame_codes(spec: LogMelSpec, tables: Tables, frames: NDArray[np.int16]) -> NDArray[np.int64]:
    """Return the codes of frames before they are limited to a number of bits.

    Parameters
    ----------
    spec : LogMelSpec
        That of the tables.
    tables : Tables
        What makes codes of samples.
    frames : ndarray of int16, shape [n, n_fft]
        Samples.

    Returns
    -------
    ndarray of int64, shape [n, n_mels]
    """
    codes = np.empty((len(frames), spec.n_mels), np.int64)
    for first in range(0, len(frames), _FRAMES_AT_ONCE):
        few = slice(first, first + _FRAMES_AT_ONCE)
        power, exponent = _power(tables, frames[few].T.astype(np.int64))
        codes[few] = _codes(tables, _with_floor(spec, tables, power, 2 * exponent), 2 * exponent).T
    return codes


def _power(tables: Tables, samples: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the power spectrum of [n_fft, n] samples, and exponents of two of its amplitudes; full scale is 1.

    Samples are scaled up to 31 bits, times the window, and 15/16 of each is taken from the next: lung sounds are
    loudest at the lowest frequencies, and integers are spent on what is large.
    """
    widest = np.maximum(width((samples ^ (samples >> 16)).max(axis=0)), tables.least_width)
    windowed = ((samples << (31 - widest)) * np.array(tables.window)[:, None]) >> 32
    before = np.roll(windowed, 1, axis=0)  # the window begins with zero: its last sample stands before its first
    less = windowed - before + (before >> 4)
    less[0] = (before[0] >> 4) - before[0]
    power, exponent = tables.fft.power(np.stack([less[0::2], less[1::2]]))
    return power, exponent + widest - (15 + 30)


def _with_floor(
    spec: LogMelSpec, tables: Tables, power: NDArray[np.uint64], scale: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Return the bands' weighted sums / 2^32, [n_mels, n], with the floor of the power."""
    bins = np.concatenate([np.arange(band.first_bin, band.first_bin + band.bins) for band in tables.bands])
    first = [band.first_weight for band in tables.bands]
    used, weights = power[bins], np.array(tables.weights, np.uint64)[:, None]
    high = np.add.reduceat((used >> _HALF) * weights, first, axis=0)
    sums = high + (np.add.reduceat((used & _LOW) * weights, first, axis=0) >> _HALF)
    shift = np.array([band.floor_exponent for band in tables.bands])[:, None] - scale
    floors = np.array([band.floor for band in tables.bands], np.uint64)[:, None]
    floors = (floors >> np.clip(-shift, 0, 31).astype(np.uint64)) << np.maximum(shift, 0).astype(np.uint64)
    return np.asarray(sums + floors if spec.log == "ln" else np.maximum(sums, floors))


def _codes(tables: Tables, sums: NDArray[np.uint64], scale: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the codes of sums below 2^63 times 2^scale."""
    high, low = (sums >> _HALF).astype(np.int64), (sums & _LOW).astype(np.int64)
    bits = width(np.where(high > 0, high, low))
    mantissa = np.where(high > 0, (high << (32 - bits)) | (low >> bits), low << (32 - bits))
    constant, linear, quadratic = np.array(logarithm()).T[:, (mantissa >> 25) % LOG_SEGMENTS]
    x = (mantissa << 7) & 0xFFFFFFFF
    fraction = constant + (((linear - ((quadratic * x) >> 32)) * x) >> 32)
    octaves = ((np.where(high > 0, bits + 31, bits - 1) + scale) << LOG_BITS) + (fraction >> (30 - LOG_BITS))
    offsets = np.array([band.offset for band in tables.bands])[:, None]
    return np.asarray((offsets + octaves * tables.slope) >> (2 * LOG_BITS))
