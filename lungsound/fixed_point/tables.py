"""The constants of a device's front end: one set for its C and for :mod:`lungsound.fixed_point.codes`."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError
from lungsound.fixed_point.fft import Fft
from lungsound.logmel import LogMelSpec, analysis_window
from lungsound.mel_bands import mel_filters

LOG_BITS = 24
"""Fractional bits of a logarithm to base 2, and of the codes an octave."""

LOG_SEGMENTS = 64

_PRE_EMPHASIS = 15 / 16
_WIDEST = 15  # bits of a sample: cores that multiply halves shift them up by 16 at least
_FLOOR_ROOM = 30  # a floor's mantissa of 32 bits may be shifted up so far
_SCALED_BITS = 45  # fractional bits of samples of 15 bits that are scaled up to 31 and times the window


class Line(NamedTuple):
    """What makes codes of a log-mel: ``(logmel - mean) / std / scale + zero_point``, to be rounded."""

    mean: float
    std: float
    scale: float
    zero_point: int

    def code(self, logmel: float) -> float:
        """Return the code before rounding."""
        return (logmel - self.mean) / self.std / self.scale + self.zero_point


@dataclass(frozen=True, slots=True)
class Band:
    """A band: its bins, and what turns the logarithm of their weighted sum into a code.

    Attributes
    ----------
    first_bin, bins : int
        Neighbours.
    floor, floor_exponent : int
        Of the power, for a frame of exponent 0: mantissa of 32 bits, and exponent of two.
    first_weight : int
        Place of its first weight.
    offset : int
        Code of a logarithm of zero plus one half, ``2 * LOG_BITS`` fractional bits.
    """

    first_bin: int
    bins: int
    floor: int
    floor_exponent: int
    first_weight: int
    offset: int


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Everything that makes codes of a frame's samples.

    Attributes
    ----------
    fft : Fft
        The transform.
    window, window_low : list of int
        31 fractional bits, and the 16 below them.
    cosine_low : list of int
        The 16 bits below the cosines of ``fft.split``.
    weights : list of int
        Of the bands' bins, band after band; each band's sum to 2^32 at most.
    bands : list of Band
        From the lowest to the highest.
    octave : float
        Codes an octave of power.
    least_width : int
        Bits that samples count as having, however quiet.
    """

    fft: Fft
    window: list[int]
    window_low: list[int]
    cosine_low: list[int]
    weights: list[int]
    bands: list[Band]
    octave: float
    least_width: int

    @classmethod
    def of(cls, spec: LogMelSpec, line: Line) -> Self:
        """Make the tables of a specification, whose own mean and deviation play no part.

        Raises
        ------
        InputError
            If they cannot be computed in integers.
        """
        octave = _log_factor(spec) / (line.std * line.scale)
        if not 2**-10 < octave < 64:
            raise InputError(
                f"front end: {octave:.3g} codes an octave of power; the input's scale {line.scale} cannot be right, "
                "quantize again with the log-mels of its training"
            )
        cosines, cosine_low = wide_fraction(np.cos(2 * np.pi * np.arange(spec.n_fft // 4 + 1) / spec.n_fft))
        fft = Fft.of(spec.n_fft, np.stack([cosines, cosines[::-1]], axis=1))
        weights, bands = _bands(spec, line)
        window = [part.tolist() for part in wide_fraction(analysis_window(spec))]
        width = _least_width(spec, bands, fft.radices)
        return cls(fft, window[0], window[1], cosine_low.tolist(), weights, bands, octave, width)

    @property
    def slope(self) -> int:
        """Codes an octave of power, `LOG_BITS` fractional bits."""
        return round(self.octave * 2.0**LOG_BITS)


def wide_fraction(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return numbers in [0, 1] as 31 fractional bits, rounded down, and the 16 bits below them."""
    whole = np.minimum(np.rint(np.maximum(values, 0) * 2.0**47), 2**47 - 1).astype(np.int64)
    return whole >> 16, whole & 0xFFFF


def _log_factor(spec: LogMelSpec) -> float:
    return math.log(2) if spec.log == "ln" else 10 * math.log10(2)


def _least_width(spec: LogMelSpec, bands: list[Band], radices: list[int]) -> int:
    """Return how many bits samples count as having, however quiet, so that every band's floor stays below 2^62."""
    shifts = sum({4: 1, 5: 2}[radix] for radix in radices[1:])
    loudest = max(band.floor_exponent for band in bands)
    width = math.ceil((loudest - _FLOOR_ROOM) / 2) + _SCALED_BITS - shifts
    if width > _WIDEST:
        most = spec.floor / 4.0 ** (width - _WIDEST)
        raise InputError(
            f"front end: a floor of {spec.floor} does not fit its integers; train on a log-mel with {most:.3g} at most"
        )
    return max(0, width)


def _bands(spec: LogMelSpec, line: Line) -> tuple[list[int], list[Band]]:
    """Return the bands' weights, one after the other, and what makes codes of their sums.

    The transform is of samples less 15/16 of the one before, whose response the weights divide by. A band's weights are
    scaled to sum to 2^32; the logarithm of that factor goes into its offset.
    """
    angles = 2 * np.pi * np.arange(spec.n_fft // 2 + 1) / spec.n_fft
    response = 1 + _PRE_EMPHASIS**2 - 2 * _PRE_EMPHASIS * np.cos(angles)
    weights: list[int] = []
    bands: list[Band] = []
    for row in mel_filters(spec) / response:
        used = np.flatnonzero(row)
        first, last = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
        unit = float(row.sum()) / (2**32 - 1 - (last - first)) if len(used) else spec.floor / 2**32
        weights += [round(float(value) / unit) for value in row[first:last]]
        # The sum in C is of weight times power / 2^32.
        octaves = math.log2(unit * 2**32)
        mantissa, exponent = math.frexp(spec.floor / (unit * 2**32))
        offset = line.code(_log_factor(spec) * octaves) + 0.5
        bands.append(
            Band(
                first_bin=first,
                bins=last - first,
                floor=min(round(mantissa * 2**32), 2**32 - 1),
                floor_exponent=exponent - 32,
                first_weight=len(weights) - (last - first),
                offset=round(offset * 2 ** (2 * LOG_BITS)),
            )
        )
    return weights, bands


@lru_cache(maxsize=1)
def logarithm() -> list[tuple[int, int, int]]:
    """Return parabolas through ``log2(1 + (segment + x) / 64)`` at the three Chebyshev nodes of each segment.

    30 fractional bits; the quadratic term, which is negative, with its sign changed.
    """
    nodes = 0.5 + 0.5 * np.cos(np.pi * (2 * np.arange(3) + 1) / 6)
    parabolas = []
    for segment in range(LOG_SEGMENTS):
        quadratic, linear, constant = np.polyfit(nodes, np.log2(1 + (segment + nodes) / LOG_SEGMENTS), 2)
        parabolas.append((round(constant * 2**30), round(linear * 2**30), round(-quadratic * 2**30)))
    return parabolas
