"""From windows to log-mels on disk: every recording is read once, every window computed once."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lungsound.audio import read_pcm, to_float, window_pcm
from lungsound.errors import InputError
from lungsound.files.arrays import new_array, open_array
from lungsound.files.atomic import whole_file
from lungsound.files.stored import stored_once
from lungsound.logmel import LogMelSpec, log_mel
from lungsound.parallel import in_parallel
from lungsound.recording_mean import HeardRecording
from lungsound.terminal import progress

if TYPE_CHECKING:  # boards have no pandas
    import pandas as pd

_FORMATS = {"corpus": 1, "recording": 2}  # of a normalisation; raise it when the same windows give other numbers
_VALUES_AT_ONCE = 2**22  # 32 MiB of float64


def pcm_windows(windows: "pd.DataFrame", sample_rate: int, seconds: float) -> NDArray[np.int16]:
    """Return the sound of every window, in the order of the table.

    Parameters
    ----------
    windows : DataFrame
        Columns `windows.WINDOW_COLUMNS`.
    sample_rate : int
        Hz.
    seconds : float
        Length of the window.

    Returns
    -------
    ndarray of int16, shape [len(windows), round(seconds * sample_rate)]

    Raises
    ------
    InputError
        If a recording cannot be read or a window does not lie within it.
    """
    sound = np.empty((len(windows), round(seconds * sample_rate)), dtype=np.int16)
    for recording in _by_recording(windows):
        for row, pcm in zip(recording.rows, recording.pcm(sample_rate, seconds), strict=True):
            sound[row] = pcm
    return sound


def heard_windows(windows: "pd.DataFrame", logmel: LogMelSpec, seconds: float) -> NDArray[np.float64]:
    """Return what a model hears of every window before mean and deviation of its corpus, in the order of the table.

    That is the float64 reference :func:`lungsound.logmel.log_mel` of its sound; where the log-mel is normalised over
    the recording, a window of a stream has the frames of the recording, each less the mean that the stream had then,
    and a cycle or clip loses the mean of the whole recording (:mod:`lungsound.recording_mean`).

    Parameters
    ----------
    windows : DataFrame
        Columns `windows.WINDOW_COLUMNS`.
    logmel : LogMelSpec
        Mean and standard deviation play no part.
    seconds : float
        Length of the window.

    Returns
    -------
    ndarray of float64, shape [len(windows), frames, n_mels]

    Raises
    ------
    InputError
        If a recording cannot be read, a window does not lie within it, or is to be normalised over it and does not
        begin with a frame.
    """
    heard = np.empty((len(windows), logmel.frames(logmel.samples(seconds)), logmel.n_mels))
    for recording in _by_recording(windows):
        for row, features in zip(recording.rows, recording.features(logmel, seconds), strict=True):
            heard[row] = features
    return heard


def prepare(
    windows: "pd.DataFrame", logmel: LogMelSpec, seconds: float, cache: Path, *, sound: bool = False
) -> NDArray[np.float32]:
    """Return the log-mels of all windows, from the cache if they are there.

    They are those of :func:`heard_windows`, rounded to float32.

    Parameters
    ----------
    windows : DataFrame
        Columns `windows.WINDOW_COLUMNS`.
    logmel : LogMelSpec
        Mean and standard deviation play no part.
    seconds : float
        Length of the window.
    cache : Path
        Folder to keep them in.
    sound : bool
        Keep the samples themselves, in [-1, 1), for networks that hear sound; of `logmel`, the sample rate counts.

    Returns
    -------
    memmap of float32, shape [len(windows), frames, n_mels] or [len(windows), samples]
        Read-only.

    Raises
    ------
    InputError
        If there are no windows, a recording cannot be read, or a window does not lie within it.
    """
    if len(windows) == 0:
        raise InputError("no windows to prepare; choose another corpus, split or protocol")
    samples = logmel.samples(seconds)
    shape = (len(windows), *((samples,) if sound else (logmel.frames(samples), logmel.n_mels)))
    file = cache / "features" / f"{feature_key(windows, logmel, seconds, sound=sound)}.npy"

    def make() -> NDArray[np.float32] | None:
        with whole_file(file) as temporary, new_array(temporary, shape) as first_byte:
            fill = partial(_fill, file=temporary, first_byte=first_byte, logmel=logmel, seconds=seconds, sound=sound)
            recordings, what = _by_recording(windows), "preparing sound" if sound else "preparing log-mels"
            for _ in progress(in_parallel(fill, recordings), what, total=len(recordings)):
                pass
        return open_array(file, shape, verify=False)

    return stored_once(cache, file, lambda: open_array(file, shape), make)


def feature_key(windows: "pd.DataFrame", logmel: LogMelSpec, seconds: float, *, sound: bool = False) -> str:
    """Return what the log-mels of `windows` depend on as a hash, without reading any sound.

    Parameters
    ----------
    windows : DataFrame
        Path, start, end and protocol count; a file counts by its path, size and time of change.
    logmel : LogMelSpec
        All but mean and standard deviation counts.
    seconds : float
        Length of the window.
    sound : bool
        See :func:`prepare`.

    Returns
    -------
    str
        32 hexadecimal digits.

    Raises
    ------
    InputError
        If a recording is missing.
    """
    spec = {"sound": logmel.sample_rate} if sound else logmel.with_statistics(0.0, 1.0).to_dict()
    paths, path_of_row = np.unique(windows["path"].to_numpy(str), return_inverse=True)
    files = [identity(path) for path in paths.tolist()]
    digest = hashlib.sha256(json.dumps([_FORMATS[logmel.normalisation], spec, float(seconds), files]).encode())
    digest.update(path_of_row.astype("<i8").tobytes())
    digest.update(windows[["start", "end"]].to_numpy("<f8").tobytes())
    digest.update((windows["protocol"] == "cycles").to_numpy(np.uint8).tobytes())
    if (clips := windows["protocol"] == "recordings").any():  # keys without any are those of before there were some
        digest.update(clips.to_numpy(np.uint8).tobytes())
    return digest.hexdigest()[:32]


def statistics(features: NDArray[np.float32], rows: NDArray[np.integer[Any]] | None = None) -> tuple[float, float]:
    """Return mean and standard deviation over all values of the rows, summed in float64.

    Parameters
    ----------
    features : ndarray of float32, shape [N, frames, n_mels]
        From :func:`prepare`; read a chunk at a time.
    rows : ndarray of int, optional
        The training rows; all by default.

    Raises
    ------
    InputError
        If there are no rows.
    """
    rows = np.arange(len(features)) if rows is None else rows
    if len(rows) == 0:
        raise InputError("no training windows to take mean and deviation from; choose another split")
    step = max(1, _VALUES_AT_ONCE // features[0].size)
    origin = float(features[rows[0]].mean(dtype=np.float64))  # near the mean, so that squares cancel little
    total = squares = 0.0
    for first in range(0, len(rows), step):
        values = features[rows[first : first + step]].astype(np.float64) - origin
        total += float(values.sum())
        squares += float(np.square(values, out=values).sum())
    count = len(rows) * features[0].size
    mean = total / count
    return origin + mean, float(np.sqrt(max(0.0, squares / count - mean * mean)))


@dataclass(frozen=True)
class _Recording:
    """A recording and its windows: rows in the table, and (protocol, start, end) of each."""

    path: str
    rows: list[int]
    windows: list[tuple[str, float, float]]

    def pcm(self, sample_rate: int, seconds: float) -> Iterator[NDArray[np.int16]]:
        """Read the recording and yield the sound of its windows."""
        wave = to_float(read_pcm(self.path, sample_rate))
        for protocol, start, end in self.windows:
            with self._named():
                window = window_pcm(wave, sample_rate, protocol, start, end, seconds)
            yield window

    def features(self, logmel: LogMelSpec, seconds: float) -> Iterator[NDArray[np.float64]]:
        """Read the recording and yield what is heard of its windows."""
        if logmel.normalisation == "corpus":
            yield from (log_mel(logmel, to_float(pcm)) for pcm in self.pcm(logmel.sample_rate, seconds))
            return
        rate, samples = logmel.sample_rate, logmel.samples(seconds)
        pcm = read_pcm(self.path, rate)
        wave, recording = to_float(pcm), HeardRecording(logmel, np.resize(pcm, max(len(pcm), samples)))
        for protocol, start, end in self.windows:
            with self._named():
                window = window_pcm(wave, rate, protocol, start, end, seconds)
                if protocol == "stream":
                    features = recording.of_stream(round(start * rate), logmel.frames(samples))
                else:
                    features = recording.of_cycle(window)
            yield features

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from error


def _by_recording(windows: "pd.DataFrame") -> list[_Recording]:
    rows_of_path = windows.groupby("path", sort=False).indices
    protocol, start, end = (windows[column].tolist() for column in ("protocol", "start", "end"))
    return [
        _Recording(str(path), np.asarray(rows).tolist(), [(protocol[row], start[row], end[row]) for row in rows])
        for path, rows in rows_of_path.items()
    ]


def _fill(
    recording: _Recording, file: Path, first_byte: int, logmel: LogMelSpec, seconds: float, *, sound: bool
) -> None:
    """Write a recording's rows."""
    with file.open("r+b") as handle:
        rate = logmel.sample_rate
        heard: Iterator[NDArray[np.floating[Any]]] = recording.features(logmel, seconds)
        if sound:
            heard = map(to_float, recording.pcm(rate, seconds))
        for row, values in zip(recording.rows, heard, strict=True):
            features = values.astype(np.float32)
            handle.seek(first_byte + row * features.nbytes)
            handle.write(features.data)


def identity(path: str) -> tuple[str, int, int]:
    """Return what a file counts by: its path, its size and the time of its last change, in nanoseconds.

    Raises
    ------
    InputError
        If there is no such file.
    """
    try:
        found = Path(path).stat()
    except OSError as error:
        raise InputError(f"{path}: no such file; check the corpus' folder") from error
    return path, found.st_size, found.st_mtime_ns
