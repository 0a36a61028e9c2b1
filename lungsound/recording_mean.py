"""Log-mels that know the recording: each band less its mean over it, in integers, as a stream knows it at each frame.

A gain, the response of a stethoscope and of whoever wears it are constants of the log-mel's bands: the mean holds them,
and its difference does not. Levels are those of a device's quick transform (:mod:`lungsound.fixed_point`), and all that
is added up is a whole number: devices find the same ones, to the last code.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError
from lungsound.fixed_point.codes import frame_codes
from lungsound.fixed_point.tables import Line, Tables
from lungsound.logmel import LogMelSpec

_STEPS = {"ln": 32, "db": 8}  # of a level, in a nat or a dB; one is 0.13 dB, half of what an int8 input tells apart
_SECONDS = 16.0
_MOST_FRAMES = 2**16  # levels have 16 bits, and 32 hold as many


def level_step(spec: LogMelSpec) -> float:
    """Return what a level is, in nats or dB."""
    return 1.0 / _STEPS[spec.log]


def lowest_logmel(spec: LogMelSpec) -> float:
    """Return the log-mel of silence, level 0: the logarithm of the floor."""
    return math.log(spec.floor) if spec.log == "ln" else 10.0 * math.log10(spec.floor)


def frames_remembered(spec: LogMelSpec) -> int:
    """Return the frames that a mean is taken over before the older ones fade: the power of two nearest 16 s."""
    return min(_MOST_FRAMES, 1 << max(0, round(math.log2(_SECONDS * spec.sample_rate / spec.hop))))


def level_tables(spec: LogMelSpec) -> Tables:
    """Return what makes levels of samples; mean and deviation of the corpus play no part.

    Raises
    ------
    InputError
        If a device's integers do not hold them.
    """
    return _level_tables(spec.with_statistics(0.0, 1.0))


@lru_cache(maxsize=8)
def _level_tables(spec: LogMelSpec) -> Tables:
    return Tables.of(spec, Line(lowest_logmel(spec), 1.0, level_step(spec), 0))


def levels(spec: LogMelSpec, pcm: NDArray[np.int16]) -> NDArray[np.int64]:
    """Return the log-mel above that of silence in whole levels (:func:`level_step`), as a device rounds it.

    Parameters
    ----------
    spec : LogMelSpec
        Without padding.
    pcm : ndarray of int16, shape [..., samples]
        Sound at the specification's rate.

    Returns
    -------
    ndarray of int64, shape [..., frames, n_mels]
        0 and more.

    Raises
    ------
    InputError
        If the sound is shorter than a frame, or a device's integers do not hold the specification.
    """
    shape = (*pcm.shape[:-1], spec.frames(pcm.shape[-1]))
    frames = np.lib.stride_tricks.sliding_window_view(pcm, spec.n_fft, axis=-1)[..., :: spec.hop, :]
    return frame_codes(spec, level_tables(spec), frames.reshape(-1, spec.n_fft)).reshape(*shape, spec.n_mels)


def running_mean(heard: NDArray[np.int64], remembered: int) -> NDArray[np.int64]:
    """Return the mean level of each band at each frame of a stream: of this frame and those before it.

    It is the plain mean of ``remembered`` frames, n at first, ``(sum + n // 2) // n``; from then on the sum S, which is
    the mean times ``remembered``, gains each new level and loses the mean of before. Frames of silence, whose levels
    are all 0, do not count: they say nothing of the stethoscope.

    Parameters
    ----------
    heard : ndarray of int64, shape [frames, n_mels]
        Levels, from the first frame of the stream on.
    remembered : int
        Frames, a power of two.

    Returns
    -------
    ndarray of int64, shape [frames, n_mels]
    """
    return RunningMean(remembered).push(heard)


class RunningMean:
    """The mean of :func:`running_mean` of a stream whose frames come a few at a time.

    Parameters
    ----------
    remembered : int
        Frames, a power of two.
    """

    def __init__(self, remembered: int) -> None:
        self._remembered = remembered
        self._count, self._sum = 0, np.zeros(1, np.int64)

    def push(self, heard: NDArray[np.int64]) -> NDArray[np.int64]:
        """Take the levels of the next frames and return the mean at each of them; both [frames, n_mels]."""
        if not len(heard):
            return heard
        remembered, before_all = self._remembered, self._sum
        counts = self._count + np.cumsum(heard.any(axis=1))
        sums = before_all + np.cumsum(heard, axis=0)
        frames = np.minimum(np.maximum(counts, 1), remembered)[:, None]
        half = remembered // 2
        full = int(np.searchsorted(counts, remembered, side="right"))  # the first frame that finds the memory full
        for frame in range(full, len(heard)):
            before = sums[frame - 1] if frame else before_all
            sums[frame] = before + heard[frame] - (before + half) // remembered * bool(heard[frame].any())
        self._count, self._sum = int(counts[-1]), sums[-1].copy()
        return np.asarray((sums + frames // 2) // frames)


def whole_mean(heard: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the mean level of each band over a whole recording, frames of silence left out; shape [n_mels]."""
    count = max(1, int(heard.any(axis=1).sum()))
    return np.asarray((heard.sum(axis=0) + count // 2) // count)


@dataclass(frozen=True)
class HeardRecording:
    """A recording, for the log-mels of its windows.

    Attributes
    ----------
    spec : LogMelSpec
        Normalised over the recording.
    pcm : ndarray of int16, shape [samples]
        All of it.
    """

    spec: LogMelSpec
    pcm: NDArray[np.int16]

    @cached_property
    def _levels(self) -> NDArray[np.int64]:
        return levels(self.spec, self.pcm)

    @cached_property
    def _stream(self) -> NDArray[np.float64]:
        means = running_mean(self._levels, frames_remembered(self.spec))
        return np.asarray((self._levels - means) * level_step(self.spec), np.float64)

    def of_stream(self, start: int, frames: int) -> NDArray[np.float64]:
        """Return the frames of a window that begins at sample `start`, each less the mean that the stream had then.

        Raises
        ------
        InputError
            If the window does not begin with a frame.
        """
        first, between = divmod(start, self.spec.hop)
        if between:
            raise InputError(f"a window from sample {start} begins between frames; cut it at a multiple of the hop")
        return self._stream[first : first + frames]

    def of_cycle(self, cycle: NDArray[np.int16]) -> NDArray[np.float64]:
        """Return the frames of a tiled cycle of this recording, less the mean of the whole."""
        less = levels(self.spec, cycle) - whole_mean(self._levels)
        return np.asarray(less * level_step(self.spec), np.float64)
