"""What a window's blocks tell of its signal: integers, the same in Python and on a device.

Nothing here but the levels themselves depends on a gain or on a stethoscope's response, as differences lose both: how
much levels change from block to block and from group to group, alone and against the band below.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError
from lungsound.quality.bands import BANDS, BLOCK, block_levels, halvings

GROUP = 8
"""Blocks of a group, a quarter of a second: longer than a click, shorter than a breath."""

PARTS = {
    "level": BANDS,  # mean
    "flux": BANDS,  # mean change from block to block
    "flux_apart": BANDS - 1,  # the same of the difference to the band below
    "range": BANDS,  # mean over groups of what lies between a group's lowest and highest level
    "low": BANDS,  # mean change of a group's lowest level from group to group: breath, with clicks left out
    "middle": BANDS,  # of its mean level
    "low_apart": BANDS - 1,  # of the lowest level's difference to the band below
    "span": BANDS,  # between the lowest and the highest of the groups' lowest levels
}
"""Names of the features, and how many each are."""

FEATURES = sum(PARTS.values())
UNIT = 16
"""Of a feature in a level's step."""

_LEAST_GROUPS = 2
_MOST = 2**16 - 1  # what sums of changes are kept at; no sound comes near in a window of some seconds


@dataclass(frozen=True)
class Signal:
    """What N windows tell of their signal.

    Attributes
    ----------
    features : ndarray of int64, shape [N, FEATURES]
        In `UNIT` a level's step; in the order of `PARTS`, from high bands to low.
    peaks : ndarray of int64, shape [N, blocks]
        The largest magnitude of each block.
    """

    features: NDArray[np.int64]
    peaks: NDArray[np.int64]


def check_window(samples: int, sample_rate: int) -> None:
    """Refuse windows that the check of the signal is not made for.

    Raises
    ------
    InputError
        If they are too short, or of a rate that :func:`lungsound.quality.bands.halvings` refuses.
    """
    least = (1 + _LEAST_GROUPS * GROUP) * (BLOCK << halvings(sample_rate))
    if samples < least:
        raise InputError(
            f"a window of {samples / sample_rate:g} s is too short for a check of its signal; at least "
            f"{least / sample_rate:g} s are needed"
        )


def signal(pcm: NDArray[np.int16], sample_rate: int) -> Signal:
    """Return what windows tell of their signal.

    Parameters
    ----------
    pcm : ndarray of int16, shape [N, samples]
        Windows.
    sample_rate : int
        Hz.

    Returns
    -------
    Signal
        The first block, in which the filters begin, does not count, nor does what is less than a block or a group at
        the end.

    Raises
    ------
    InputError
        See :func:`check_window`.
    """
    check_window(pcm.shape[1], sample_rate)
    levels, peaks = block_levels(pcm, sample_rate)
    levels, peaks = levels[:, 1:], peaks[:, 1:]
    blocks, groups = levels.shape[1], levels.shape[1] // GROUP
    grouped = levels[:, : groups * GROUP].reshape(len(pcm), groups, GROUP, BANDS)
    low, high, whole = grouped.min(axis=2), grouped.max(axis=2), grouped.sum(axis=2)
    found = [
        levels.sum(axis=1) * UNIT // blocks,
        _kept(np.abs(_change(levels))) * UNIT // (blocks - 1),
        _kept(np.abs(_change(_apart(levels)))) * UNIT // (blocks - 1),
        _kept(high - low) * UNIT // groups,
        _kept(np.abs(_change(low))) * UNIT // (groups - 1),
        _kept(np.abs(_change(whole))) * (UNIT // GROUP) // (groups - 1),
        _kept(np.abs(_change(_apart(low)))) * UNIT // (groups - 1),
        (low.max(axis=1) - low.min(axis=1)) * UNIT,
    ]
    return Signal(np.concatenate(found, axis=1), peaks)


def _change(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(np.diff(values, axis=1))


def _apart(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(values[..., :-1] - values[..., 1:])


def _kept(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(np.minimum(values.sum(axis=1), _MOST), np.int64)
