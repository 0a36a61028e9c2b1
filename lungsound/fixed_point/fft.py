"""The FFT of a device's front end: its stages, their rotations, and its power spectrum, integer by integer.

Block floating point of 32 bits: before each stage all values of a frame share a shift that leaves room for its growth.
``frontend_fft.c`` and its likes for cores compute the same numbers. Arrays have complex parts first, frames last.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError

Integers = NDArray[np.int64]

_ROOM = 28  # bits that magnitudes may have before a stage of four
_ONE_LESS_ROOT = 1257966797  # 1 less the root of 1/2, 32 fractional bits
_COS_72, _COS_144, _SIN_72, _SIN_144 = 663608942, -1737350766, 2042378317, 1262259218  # 31 fractional bits


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


@dataclass(frozen=True, slots=True)
class Fft:
    """The transform of so many real samples, as ``n_fft / 2`` complex ones.

    Attributes
    ----------
    radices : list of int
        Of its stages.
    order : ndarray of int64, shape [n_fft / 2]
        Where decimation in time wants each input.
    stages : list of Stage
        After the first.
    twiddles : ndarray of int64, shape [rotations, 2]
        Their cosines and sines, 31 fractional bits.
    split : ndarray of int64, shape [n_fft / 4 + 1, 2]
        The same of the step from pairs of samples to samples.
    """

    radices: list[int]
    order: Integers
    stages: list[Stage]
    twiddles: Integers
    split: Integers

    @classmethod
    def of(cls, n_fft: int, split: Integers) -> "Fft":
        """Make the tables of a length; errors are those of :func:`fft_radices`."""
        radices = fft_radices(n_fft)
        stages, twiddles = fft_stages(radices)
        return cls(radices, input_order(radices), stages, np.array(twiddles, np.int64).reshape(-1, 2), split)

    @property
    def split_fits(self) -> bool:
        """Whether the last stage leaves magnitudes that need no shift before the split."""
        return len(self.radices) > 1 and self.radices[-1] == 4

    def power(self, pairs: Integers) -> tuple[NDArray[np.uint64], Integers]:
        """Return the power spectrum of frames.

        Parameters
        ----------
        pairs : ndarray of int64, shape [2, n_fft / 2, frames]
            Even and odd samples, below 2^31.

        Returns
        -------
        ndarray of uint64, shape [n_fft / 2 + 1, frames]
        ndarray of int64, shape [frames]
            Exponents of two of the amplitudes, relative to the samples.
        """
        values = np.empty_like(pairs)
        values[:, self.order] = pairs
        exponent = _excess(values, _ROOM - (self.radices[0] == 8))
        values = _first_stage(values >> exponent, self.radices[0])
        for stage in self.stages:
            last = self.split_fits and stage is self.stages[-1]
            shift = _shift_before(stage, values, last=last)
            groups = values.reshape(2, -1, stage.radix, stage.length, values.shape[-1])
            rotations = self.twiddles[stage.twiddle :][: stage.length * (stage.radix - 1)]
            turn = rotations.reshape(stage.length, stage.radix - 1, 2, 1).transpose(1, 2, 0, 3)
            values = (_stage_4 if stage.radix == 4 else _stage_5)(groups, shift, turn).reshape(values.shape)
            exponent = exponent + shift + (2 if stage.radix == 5 else 1)
        shift = np.zeros_like(exponent) if self.split_fits else _excess(values, _ROOM + 1)
        return self._split(values >> shift), exponent + shift

    def _split(self, values: Integers) -> NDArray[np.uint64]:
        """Return the power spectrum of single samples from the spectrum of pairs."""
        count = values.shape[1]
        half = np.arange(1, count // 2 + 1)
        low, high = values[:, half], values[:, count - half]
        turned = _rotate(np.stack([low[0] - high[0], low[1] + high[1]]), self.split[half].T[..., None])
        middle = np.stack([(low[0] + high[0]) >> 1, (low[1] - high[1]) >> 1])
        power = np.empty((count + 1, values.shape[-1]), np.uint64)
        re, im = values[:, 0]
        power[0], power[count] = _squared(np.stack([re + im, 0 * im])), _squared(np.stack([re - im, 0 * im]))
        power[half] = _squared(middle + _turned_back(turned))
        power[count - half] = _squared(middle - _turned_back(turned))
        return power


def width(values: Integers) -> Integers:
    """Return the bits that non-negative numbers below 2^53 have."""
    return np.asarray(np.frexp(values.astype(np.float64))[1], np.int64)


def _excess(values: Integers, room: int) -> Integers:
    """Return the shift that leaves the magnitudes of each frame `room` bits; those of -x - 1 for a negative x."""
    axes = tuple(range(values.ndim - 1))
    return np.maximum(width(np.maximum(values.max(axis=axes), ~values.min(axis=axes))) - room, 0)


def _shift_before(stage: Stage, values: Integers, *, last: bool) -> Integers:
    if stage.radix == 4:
        return _excess(values, _ROOM + 1 - last)
    if stage.before == "4":
        return _excess(values, _ROOM + 2)
    return np.full(values.shape[-1], 0 if stage.before == "FIRST" else 1)


def _turned_back(a: Integers) -> Integers:
    """Return -j a."""
    return np.stack([a[1], -a[0]])


def _rotate(a: Integers, turn: Integers) -> Integers:
    """Return half of a * (cos - j sin), rounded down."""
    return np.stack([(a[0] * turn[0] + a[1] * turn[1]) >> 32, (a[1] * turn[0] - a[0] * turn[1]) >> 32])


def _squared(a: Integers) -> NDArray[np.uint64]:
    return np.asarray((a[0] * a[0] + a[1] * a[1]).view(np.uint64))


def _butterfly_4(x: list[Integers]) -> list[Integers]:
    a, b, c, d = x[0] + x[2], x[0] - x[2], x[1] + x[3], _turned_back(x[1] - x[3])
    return [a + c, b + d, a - c, b - d]


def _first_stage(values: Integers, radix: int) -> Integers:
    groups = values.reshape(2, -1, radix, values.shape[-1])
    if radix == 4:
        made = _butterfly_4([groups[:, :, part] for part in range(4)])
    else:
        even, odd = (_butterfly_4([groups[:, :, part] for part in range(first, 8, 2)]) for first in (0, 1))
        turned = [
            odd[0],
            _times_root(odd[1] + _turned_back(odd[1])),
            _turned_back(odd[2]),
            -_times_root(odd[3] - _turned_back(odd[3])),
        ]
        made = [a + b for a, b in zip(even, turned, strict=True)] + [a - b for a, b in zip(even, turned, strict=True)]
    return np.stack(made, axis=2).reshape(values.shape)


def _times_root(a: Integers) -> Integers:
    """Return a * root of 1/2."""
    return a - (a * _ONE_LESS_ROOT >> 32)


def _stage_4(groups: Integers, shift: Integers, turn: Integers) -> Integers:
    """Join four transforms; all is divided by 2^(shift + 1). The one makes up for what rotations round down."""
    first = (groups[:, :, 0] >> (shift + 1)) + 1
    rotated = [_rotate(groups[:, :, part] >> shift, turn[part - 1][:, None]) for part in (1, 2, 3)]
    return np.stack(_butterfly_4([first, *rotated]), axis=2)


def _stage_5(groups: Integers, shift: Integers, turn: Integers) -> Integers:
    """Join five; all is divided by 2^(shift + 2)."""
    first = (groups[:, :, 0] >> (shift + 2)) + 1
    b, c, d, e = (_rotate(groups[:, :, part] >> shift, turn[part - 1][:, None]) for part in (1, 2, 3, 4))
    re = _parts_of_5(first[0], b[0] + e[0], b[1] - e[1], c[0] + d[0], c[1] - d[1])
    im = _parts_of_5(first[1], b[1] + e[1], b[0] - e[0], c[1] + d[1], c[0] - d[0])
    return np.stack([np.stack(re, axis=1), np.stack([im[part] for part in (0, 4, 3, 2, 1)], axis=1)])


def _parts_of_5(zero: Integers, a: Integers, b: Integers, c: Integers, d: Integers) -> list[Integers]:
    """Return real or imaginary parts: `a`, `c` are sums of opposite values, `b`, `d` differences of the other parts."""
    even, odd = zero + ((a * _COS_72 + c * _COS_144) >> 32), (b * _SIN_72 + d * _SIN_144) >> 32
    even_2, odd_2 = zero + ((a * _COS_144 + c * _COS_72) >> 32), (b * _SIN_144 - d * _SIN_72) >> 32
    return [zero + (a >> 1) + (c >> 1) + 1, even + odd, even_2 + odd_2, even_2 - odd_2, even - odd]
