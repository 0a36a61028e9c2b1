"""What a network is given of a stream that comes in blocks: the codes of every window that ends in one."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lungsound.audio import to_float
from lungsound.front_end import codes_of
from lungsound.listening import Listening
from lungsound.logmel import log_mel
from lungsound.quantization import Quantization
from lungsound.recording_mean import RunningMean, frames_remembered, level_step, levels

T = TypeVar("T", bound=np.generic)

_WINDOWS_AT_ONCE = 32


class StreamFrontEnd:
    """The front end of a stream without end.

    The codes are those of :func:`lungsound.front_end.codes_of` of :func:`lungsound.features.heard_windows`, which has
    the whole recording at hand. Frames that windows share are computed once; centred ones mirror each window's ends,
    and are each window's own.

    Parameters
    ----------
    listening : Listening
        Log-mel specification, window and hop.
    quantization : Quantization
        Of the network's input.
    """

    def __init__(self, listening: Listening, quantization: Quantization) -> None:
        spec = listening.logmel
        self._listening, self._quantization = listening, quantization
        self._shared = spec.padding == "none"
        self._frame_samples = spec.n_fft + bool(spec.preemphasis)
        self._mean = RunningMean(frames_remembered(spec)) if spec.normalisation == "recording" else None
        self._pcm: NDArray[np.int16] = np.empty(0, np.int16)
        self._frames: NDArray[np.int8] = np.empty((0, spec.n_mels), np.int8)
        self._heard = self._skip = self._skip_frames = 0
        """Samples heard; of what is to come, samples and frames that belong to no window."""

    def push(self, pcm: NDArray[np.int16]) -> NDArray[np.int8]:
        """Take the next samples; return the codes of the windows that end in them, [n, frames, n_mels].

        Parameters
        ----------
        pcm : ndarray of int16, shape [samples]
            At the specification's sample rate; any number of them.
        """
        before = self._ended(self._heard)
        self._heard += len(pcm)
        ended = self._ended(self._heard) - before
        return self._windows_of_frames(pcm, ended) if self._shared else self._windows_of_samples(pcm, ended)

    def _ended(self, samples: int) -> int:
        """Return how many windows have ended after so many samples."""
        listening = self._listening
        return max(0, (samples - listening.samples) // listening.hop_samples + 1)

    def _windows_of_frames(self, pcm: NDArray[np.int16], ended: int) -> NDArray[np.int8]:
        listening, hop = self._listening, self._listening.logmel.hop
        self._pcm, self._skip = _after(self._skip, np.concatenate([self._pcm, pcm]))
        count = max(0, (len(self._pcm) - self._frame_samples) // hop + 1)
        if count:
            codes = self._codes(self._pcm[: (count - 1) * hop + self._frame_samples])
            self._pcm, self._skip = _after(count * hop, self._pcm)
            codes, self._skip_frames = _after(self._skip_frames, codes)
            self._frames = np.concatenate([self._frames, codes])
        if not ended:
            return np.empty((0, listening.frames, listening.logmel.n_mels), np.int8)
        windows = _sliding(self._frames, listening.frames, listening.hop_frames)[:ended]
        self._frames, self._skip_frames = _after(ended * listening.hop_frames, self._frames)
        return windows.transpose(0, 2, 1)

    def _windows_of_samples(self, pcm: NDArray[np.int16], ended: int) -> NDArray[np.int8]:
        listening = self._listening
        self._pcm, self._skip = _after(self._skip, np.concatenate([self._pcm, pcm]))
        made = [np.empty((0, listening.frames, listening.logmel.n_mels), np.int8)]
        if ended:
            windows = _sliding(self._pcm, listening.samples, listening.hop_samples)[:ended]
            made += [self._codes(windows[few : few + _WINDOWS_AT_ONCE]) for few in range(0, ended, _WINDOWS_AT_ONCE)]
            self._pcm, self._skip = _after(ended * listening.hop_samples, self._pcm)
        return np.concatenate(made)

    def _codes(self, pcm: NDArray[np.int16]) -> NDArray[np.int8]:
        """Return the codes of sound, [..., frames, n_mels]; where they lose a mean, the next frames of the stream."""
        spec = self._listening.logmel
        if self._mean is None:
            return codes_of(spec, self._quantization, log_mel(spec, to_float(pcm)))
        found = levels(spec, pcm)
        less = np.asarray((found - self._mean.push(found)) * level_step(spec), np.float64)
        return codes_of(spec, self._quantization, less)


def _after(skip: int, values: NDArray[T]) -> tuple[NDArray[T], int]:
    """Drop the first `skip` values; return the rest, as an array of its own, and how many more are to be dropped."""
    return values[skip:].copy(), max(0, skip - len(values))


def _sliding(values: NDArray[T], length: int, hop: int) -> NDArray[T]:
    """Return every stretch of `length` values that begins at a multiple of `hop`, without a copy; the length last."""
    return np.lib.stride_tricks.sliding_window_view(values, length, axis=0)[::hop]
