"""Clips of sound as log-mels of their whole length, computed once and mapped into memory."""

import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungsound.audio import read_pcm, to_float
from lungsound.corpus import Corpus
from lungsound.errors import InputError
from lungsound.features import feature_key
from lungsound.files.arrays import new_array, open_array
from lungsound.files.atomic import whole_file
from lungsound.files.stored import stored_once
from lungsound.logmel import LogMelSpec, log_mel
from lungsound.parallel import in_parallel
from lungsound.terminal import progress

CLIP_COLUMNS = ("source", "recording", "path", "start", "end")
"""Place of the corpus among those that were named; recording and its file; seconds, infinite where it ends with it."""


def clips_of(corpus: Corpus, source: int, *, events: bool = False) -> pd.DataFrame:
    """Return the clips of a corpus, sorted by file and start.

    Parameters
    ----------
    corpus : Corpus
        With audio.
    source : int
        Its place among the corpora that were named.
    events : bool
        A clip for every annotated event, else for every recording. One that is pieced together from its events
        (``continuous`` is false) always gives these, and a corpus without events its recordings.

    Returns
    -------
    DataFrame
        Columns `CLIP_COLUMNS`.
    """
    recordings, events = corpus.recordings, events and len(corpus.events) > 0
    annotated = recordings["recording"].isin(corpus.events["recording"])
    cut = annotated if events else annotated & ~recordings["continuous"].astype(bool)
    whole = recordings[~cut].assign(start=0.0, end=np.inf) if not events else recordings[:0].assign(start=0.0, end=0.0)
    pieces = corpus.events[corpus.events["recording"].isin(recordings.loc[cut, "recording"])]
    columns = list(CLIP_COLUMNS[1:])
    table = pd.concat([part[columns] for part in (whole, pieces) if len(part)] or [whole[columns]])
    table.insert(0, "source", source)
    return table.sort_values(["path", "start", "end"], ignore_index=True, kind="stable")


@dataclass(frozen=True)
class Clips:
    """Log-mels of clips, each as long as it is.

    Attributes
    ----------
    table : DataFrame
        A row a clip, columns `CLIP_COLUMNS`.
    logmel : LogMelSpec
        What they are, before normalisation.
    lengths, offsets : ndarray of int64, shape [clips]
        Frames of each, and where its first lies in `frames`.
    frames : memmap of float32, shape [all frames, n_mels]
        One clip after the other.
    """

    table: pd.DataFrame
    logmel: LogMelSpec
    lengths: NDArray[np.int64]
    offsets: NDArray[np.int64]
    frames: NDArray[np.float32]

    @classmethod
    def none(cls, logmel: LogMelSpec) -> "Clips":
        """Return no clips of a log-mel."""
        nothing = np.empty(0, dtype=np.int64)
        frames = np.empty((0, logmel.n_mels), dtype=np.float32)
        return cls(pd.DataFrame(columns=CLIP_COLUMNS), logmel.with_statistics(0.0, 1.0), nothing, nothing, frames)

    def __len__(self) -> int:
        return len(self.lengths)

    def crop(self, clip: int, start: int, width: int, fill: float) -> NDArray[np.float32]:
        """Return `width` frames of a clip from `start` on, float32 [width, n_mels]; `fill` follows where it ends."""
        crop = np.full((width, self.logmel.n_mels), fill, dtype=np.float32)
        present = max(0, min(width, int(self.lengths[clip]) - start))
        first = int(self.offsets[clip]) + start
        crop[:present] = self.frames[first : first + present]
        return crop

    def repeated(self, clip: int, start: int, width: int) -> NDArray[np.float32]:
        """Return `width` frames of a clip from `start` on; a shorter one begins again where it ends."""
        length = int(self.lengths[clip])
        rows = int(self.offsets[clip]) + (start + np.arange(width)) % length
        return np.asarray(self.frames[rows])

    def starts(self, clip: int, width: int) -> int:
        """Return how many crops of `width` frames a clip has; 1 where it is shorter."""
        return max(1, int(self.lengths[clip]) - width + 1)


def silence(logmel: LogMelSpec) -> float:
    """Return what a log-mel is where there is no sound: of M2D's, -15.94."""
    return float(np.log(logmel.floor) if logmel.log == "ln" else 10 * np.log10(logmel.floor))


def store(table: pd.DataFrame, logmel: LogMelSpec, least: int, cache: Path) -> Clips:
    """Return the log-mels of clips, from the cache if they are there.

    Parameters
    ----------
    table : DataFrame
        Columns `CLIP_COLUMNS`.
    logmel : LogMelSpec
        Mean and standard deviation play no part.
    least : int
        Frames that a clip must have: a patch.
    cache : Path
        Folder to keep them in.

    Raises
    ------
    InputError
        If there are no clips, a recording cannot be read, or a clip is shorter than a patch.
    """
    if table.empty:
        raise InputError("no clips to pre-train on; name other corpora with --data")
    bare = logmel.with_statistics(0.0, 1.0)
    key = feature_key(table.assign(protocol="cycles"), bare, 0.0)
    file, count = cache / "features" / f"{key}-clips.npy", len(table)

    def opened() -> NDArray[np.float32] | None:
        values = open_array(file, (None,))
        return values if values is not None and len(values) > count else None

    def make() -> NDArray[np.float32] | None:
        with whole_file(file) as temporary, tempfile.TemporaryFile(dir=temporary.parent) as raw:
            lengths = _write(table, bare, raw)
            with new_array(temporary, (count + int(lengths.sum()) * bare.n_mels,)) as first_byte:
                raw.seek(0)
                with temporary.open("r+b") as handle:
                    handle.seek(first_byte)
                    handle.write(lengths.astype("<f4").tobytes())
                    shutil.copyfileobj(raw, handle, 2**22)
        return open_array(file, (None,), verify=False)

    values = stored_once(cache, file, opened, make)
    lengths = values[:count].astype(np.int64)
    clips = Clips(table, bare, lengths, np.cumsum(lengths) - lengths, values[count:].reshape(-1, bare.n_mels))
    shortest = int(lengths.argmin())
    if lengths[shortest] < least:
        where = table.loc[shortest]
        raise InputError(
            f"{where['path']}: the clip from {where['start']:g} s has {lengths[shortest]} frames, less than a patch of "
            f"{least}; leave it out, or take a narrower --patch"
        )
    return clips


def _write(table: pd.DataFrame, logmel: LogMelSpec, raw: BinaryIO) -> NDArray[np.int64]:
    """Write the log-mels of all clips one after the other and return how many frames each has."""
    lengths: list[int] = []
    rows = zip(table["path"].tolist(), table["start"].tolist(), table["end"].tolist(), strict=True)
    recordings = [(path, [(start, end) for _, start, end in same]) for path, same in groupby(rows, key=lambda r: r[0])]
    heard = in_parallel(partial(_log_mels, logmel=logmel), recordings)
    for features in progress(heard, "preparing log-mels", total=len(recordings)):
        for values in features:
            raw.write(values.tobytes())
            lengths.append(len(values))
    return np.array(lengths, dtype=np.int64)


def _log_mels(recording: tuple[str, list[tuple[float, float]]], logmel: LogMelSpec) -> list[NDArray[np.float32]]:
    path, spans = recording
    wave, rate = to_float(read_pcm(path, logmel.sample_rate)), logmel.sample_rate
    found = []
    for start, end in spans:
        last = len(wave) if np.isinf(end) else round(end * rate)
        try:
            found.append(log_mel(logmel, wave[round(start * rate) : last]).astype("<f4"))
        except InputError as error:
            raise InputError(f"{path}: the clip from {start:g} s: {error}; leave it out") from error
    return found
