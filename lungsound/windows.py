"""Annotated cycles, windows sliding over the stream, and one clip a recording, from the same two tables."""

import zlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungsound.corpus import Corpus
from lungsound.errors import InputError
from lungsound.labels import LABELS

WINDOW_COLUMNS = (
    "corpus",
    "recording",
    "path",
    "start",  # seconds
    "end",  # seconds; of the cycle, whatever the window's length, or of the stretch that the window covers
    "protocol",  # "cycles", "stream" or "recordings"
    "patient",
    "site",
    "device",
    "split",
    "event",  # row in the corpus' events, -1 for a window of a stream or a recording
    "event_type",  # SPRSound's own event label, "" elsewhere
    "record_type",
    "age",  # years, NaN where nobody knows
    "sex",
)
"""Columns of every table of windows; a column of 0 and 1 for each chosen label follows."""

HEARD_SECONDS = 0.3
"""An overlap this long lets a window carry an event's labels; half of a shorter event does, too."""

_ROUNDING = 1e-6  # seconds; less than a sample


def cycles(corpus: Corpus, seconds: float, labels: Sequence[str] = LABELS) -> pd.DataFrame:
    """Return a row for every annotated cycle or event that has audio, in the order of the corpus' events.

    Parameters
    ----------
    corpus : Corpus
        Read from disk.
    seconds : float
        Length of the window that each cycle will be tiled to (:func:`lungsound.audio.tile_cycle`).
    labels : sequence of str
        Of the corpus' labels, those that count.

    Returns
    -------
    DataFrame
        Columns `WINDOW_COLUMNS` and `labels`.

    Raises
    ------
    InputError
        If `seconds` is not positive, or the corpus lacks a label.
    """
    _refuse_unless_positive("window", seconds)
    corpus.refuse_unless_annotated(labels)
    events = corpus.events[corpus.events["path"] != ""]
    table = events.assign(corpus=corpus.name, protocol="cycles", event=events.index.to_numpy(np.int64))
    return table[[*WINDOW_COLUMNS, *labels]].reset_index(drop=True)


def stream(corpus: Corpus, seconds: float, hop_seconds: float, labels: Sequence[str] = LABELS) -> pd.DataFrame:
    """Return windows that slide over every continuous recording, as a device hears it.

    Windows start at 0 and every hop as long as they lie within the recording; a recording shorter than the window
    gives one. A window carries a label if it overlaps one event of that label by 0.3 s or by half of the event.

    Parameters
    ----------
    corpus : Corpus
        Read from disk; recordings without audio or pieced together from cycles are left out.
    seconds, hop_seconds : float
        Length of the window, and from one window to the next.
    labels : sequence of str
        Of the corpus' labels, those that count.

    Returns
    -------
    DataFrame
        Columns `WINDOW_COLUMNS` and `labels`, sorted as the corpus' recordings, then by start.

    Raises
    ------
    InputError
        If `seconds` or `hop_seconds` is not positive, or the corpus lacks a label.
    """
    _refuse_unless_positive("window", seconds)
    _refuse_unless_positive("hop", hop_seconds)
    corpus.refuse_unless_annotated(labels)
    recordings = corpus.recordings
    recordings = recordings[(recordings["path"] != "") & recordings["continuous"].astype(bool)]
    spare = np.maximum(0.0, recordings["seconds"].to_numpy(np.float64) - seconds)
    counts = ((spare + _ROUNDING) // hop_seconds).astype(np.int64) + 1
    table = recordings.iloc[np.repeat(np.arange(len(recordings)), counts)].reset_index(drop=True)
    number = np.arange(len(table)) - np.repeat(np.cumsum(counts) - counts, counts)
    start = number * hop_seconds
    end = np.minimum(start + seconds, table["seconds"])
    table = table.assign(start=start, end=end, corpus=corpus.name, protocol="stream", event=-1, event_type="")
    carried = pd.DataFrame(_carried_labels(table, corpus.events, labels), columns=list(labels))
    return pd.concat([table[list(WINDOW_COLUMNS)], carried], axis=1)


def recordings(corpus: Corpus, seconds: float, labels: Sequence[str] = LABELS, seed: int = 0) -> pd.DataFrame:
    """Return one clip of every recording that has audio and an event, as benchmarks of whole recordings hear it.

    Of a longer recording it is a random part, drawn from the seed and the recording's name, so that it does not depend
    on what else there is; a shorter one is followed by silence (:func:`lungsound.audio.clip_recording`).

    Parameters
    ----------
    corpus : Corpus
        Read from disk.
    seconds : float
        Length of the clip.
    labels : sequence of str
        Of the corpus' labels, those that count; a recording has those of all its events.
    seed : int
        Of the draws.

    Returns
    -------
    DataFrame
        Columns `WINDOW_COLUMNS` and `labels`, sorted as the corpus' recordings.

    Raises
    ------
    InputError
        If `seconds` is not positive, or the corpus lacks a label.
    """
    _refuse_unless_positive("clip", seconds)
    corpus.refuse_unless_annotated(labels)
    carried = corpus.events.groupby("recording")[list(labels)].max()
    found = corpus.recordings
    table = found[(found["path"] != "") & found["recording"].isin(carried.index)].reset_index(drop=True)
    spare = np.maximum(0.0, table["seconds"].to_numpy(np.float64) - seconds)
    names = [zlib.crc32(name.encode("utf-8", "surrogateescape")) for name in table["recording"]]
    start = spare * [np.random.default_rng([seed, name]).random() for name in names]
    end = np.minimum(start + seconds, table["seconds"])
    table = table.assign(start=start, end=end, corpus=corpus.name, protocol="recordings", event=-1, event_type="")
    had = carried.loc[table["recording"]].reset_index(drop=True)
    return pd.concat([table[list(WINDOW_COLUMNS)], had], axis=1)


def heard_events(windows: pd.DataFrame, events: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which window hears enough of which event to carry its labels.

    Parameters
    ----------
    windows, events : DataFrame
        Columns ``recording``, ``start`` and ``end`` (seconds).

    Returns
    -------
    tuple of ndarray of int64
        Places of a window and of an event, pair by pair.
    """
    left = windows[["recording", "start", "end"]].reset_index(drop=True).reset_index(names="window")
    right = events[["recording", "start", "end"]].assign(event=np.arange(len(events)))
    pairs = left.merge(right, on="recording", suffixes=("", "_event"))
    overlap = np.minimum(pairs["end"], pairs["end_event"]) - np.maximum(pairs["start"], pairs["start_event"])
    enough = np.minimum(HEARD_SECONDS, (pairs["end_event"] - pairs["start_event"]) / 2)
    heard = pairs[(overlap > 0) & (overlap >= enough - _ROUNDING)]
    return heard["window"].to_numpy(np.int64), heard["event"].to_numpy(np.int64)


def _carried_labels(windows: pd.DataFrame, events: pd.DataFrame, labels: Sequence[str]) -> NDArray[np.int64]:
    """Return the labels of each window, shape ``[len(windows), len(labels)]``."""
    carried = np.zeros((len(windows), len(labels)), dtype=np.int64)
    windows_heard, events_heard = heard_events(windows, events)
    for column, label in enumerate(labels):
        has = events[label].to_numpy() == 1
        carried[windows_heard[has[events_heard]], column] = 1
    return carried


def _refuse_unless_positive(what: str, seconds: float) -> None:
    if not (seconds > 0 and np.isfinite(seconds)):
        raise InputError(f"a {what} of {seconds} s is impossible; give a positive number of seconds")
