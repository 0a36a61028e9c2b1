"""The check of a window's signal: integers alone, so that Python and a device give the same reason for every window."""

import json
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError
from lungsound.files.plain_json import take, take_list
from lungsound.quality.bands import BANDS
from lungsound.quality.features import FEATURES, PARTS, Signal, signal

SHARE = 256
"""What a share of a window's blocks is counted in."""

_MOST_WEIGHT = 2**17  # of all of a score's weights; features are below 2^13, and a score has 32 bits
_LARGEST_WEIGHT = 2**15 - 1
_LARGEST_THRESHOLD = 2**30
_WEIGHTS = Path(__file__).with_name("weights.json")


class Reason(IntEnum):
    """Why a window has no answer; the numbers are those of a device's ``auscult_reason_t``."""

    NONE = 0
    """It has one."""
    SILENT = 1
    """Most of it is next to nothing: switched off, or in the air."""
    CLIPPED = 2
    """Much of it lies at the ends of the scale."""
    HUM = 3
    """A sound that never changes covers the rest: mains, a fan, rain."""
    VOICE = 4
    """Speech or crying, rather than another sound of the surroundings."""
    NOISE = 5
    """The surroundings are louder than the chest."""
    CONTACT = 6
    """No breath comes through: poor contact, or movement."""
    UNCERTAIN = 7
    """The signal is good, and the model's score lies where it is too often wrong."""

    @property
    def title(self) -> str:
        """What people read."""
        return "" if self is Reason.NONE else self.name.lower()


@dataclass(frozen=True)
class LinearScore:
    """A weighted sum of a signal's features, and where it tells.

    Attributes
    ----------
    weights : tuple of int
        One a feature, in the order of :data:`lungsound.quality.features.PARTS`.
    threshold : int
        The sum at and above which it tells.
    """

    weights: tuple[int, ...]
    threshold: int

    def __post_init__(self) -> None:
        if len(self.weights) != FEATURES:
            raise InputError(f"a score of the signal has {len(self.weights)} weights for {FEATURES} features")
        if max(map(abs, self.weights)) > _LARGEST_WEIGHT or sum(map(abs, self.weights)) > _MOST_WEIGHT:
            raise InputError(f"a score's weights do not fit 16 bits, or add up to more than {_MOST_WEIGHT}")
        if abs(self.threshold) > _LARGEST_THRESHOLD:
            raise InputError(f"a score's threshold is {self.threshold}, at most {_LARGEST_THRESHOLD} is possible")

    def of(self, features: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the sums of features [N, FEATURES], shape [N]."""
        return np.asarray(features @ np.asarray(self.weights, np.int64), np.int64)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make it from plain values; raises InputError where one is missing or impossible."""
        return cls(tuple(take_list(values, "weights", int)), take(values, "threshold", int))


@dataclass(frozen=True)
class SignalCheck:
    """What makes a window's signal too poor for an answer.

    Attributes
    ----------
    quiet_peak, clipped_peak : int
        Magnitudes of samples below which a block is quiet, and from which on it is clipped.
    most_quiet, most_clipped : int
        Shares of such blocks, in 1 / `SHARE`, beyond which a window is silent or clipped.
    hum : int
        Mean change of the loudest band from group to group, in a feature's units, below which it hums.
    noise, contact : LinearScore
        Whether it is the surroundings that are heard, and whether no breath is.
    voice : LinearScore
        Whether the surroundings are speech or crying.
    """

    quiet_peak: int
    most_quiet: int
    clipped_peak: int
    most_clipped: int
    hum: int
    noise: LinearScore
    voice: LinearScore
    contact: LinearScore

    def __post_init__(self) -> None:
        for name, most in (("quiet_peak", 2**15), ("clipped_peak", 2**15), ("hum", 2**13)):
            if not 0 <= getattr(self, name) <= most:
                raise InputError(f"{name} is {getattr(self, name)}, 0 to {most} are possible")
        for name in ("most_quiet", "most_clipped"):
            if not 0 <= getattr(self, name) <= SHARE:
                raise InputError(f"{name} is {getattr(self, name)}, 0 to {SHARE} are possible")

    @classmethod
    def shipped(cls) -> Self:
        """Return the check that `benchmarks/signal_quality.py` fitted; `contact`'s threshold is SPRSound's."""
        return cls.from_dict(json.loads(_WEIGHTS.read_text()))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make it from :meth:`to_dict`'s values.

        Raises
        ------
        InputError
            If a value is missing, of the wrong type or impossible.
        """
        given: dict[str, Any] = {name: take(values, name, int) for name in _NUMBERS}
        given |= {name: LinearScore.from_dict(take(values, name, dict)) for name in _SCORES}
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def reasons(self, pcm: NDArray[np.int16], sample_rate: int) -> NDArray[np.uint8]:
        """Return the reason of each window, the first of `Reason` that holds.

        Parameters
        ----------
        pcm : ndarray of int16, shape [N, samples]
            Windows.
        sample_rate : int
            Hz.

        Returns
        -------
        ndarray of uint8, shape [N]

        Raises
        ------
        InputError
            See :func:`lungsound.quality.features.check_window`.
        """
        return self.reasons_of(signal(pcm, sample_rate))

    def reasons_of(self, heard: Signal) -> NDArray[np.uint8]:
        """Return the reason of each window from what it tells; see :meth:`reasons`."""
        features, peaks = heard.features, heard.peaks
        blocks = peaks.shape[1]
        noisy = self.noise.of(features) >= self.noise.threshold
        holds = {
            Reason.SILENT: (peaks < self.quiet_peak).sum(axis=1) * SHARE > self.most_quiet * blocks,
            Reason.CLIPPED: (peaks >= self.clipped_peak).sum(axis=1) * SHARE > self.most_clipped * blocks,
            Reason.HUM: steadiness(features) < self.hum,
            Reason.VOICE: noisy & (self.voice.of(features) >= self.voice.threshold),
            Reason.NOISE: noisy,
            Reason.CONTACT: self.contact.of(features) >= self.contact.threshold,
        }
        return np.select(list(holds.values()), [np.uint8(reason) for reason in holds], np.uint8(Reason.NONE))


_SCORES = ("noise", "voice", "contact")
_NUMBERS = ("quiet_peak", "most_quiet", "clipped_peak", "most_clipped", "hum")


def steadiness(features: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how much the mean level of the loudest band (the first of equals) changes from group to group, [N]."""
    loudest = features[:, :BANDS].argmax(axis=1)
    first = FIRST["middle"]
    return np.asarray(features[np.arange(len(features)), first + loudest], np.int64)


FIRST = dict(zip(PARTS, np.cumsum([0, *PARTS.values()])[:-1].tolist(), strict=True))
"""Of each part, which feature is its first."""
