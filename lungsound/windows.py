"""Two protocols over one event table: annotated cycles, and windows sliding over the stream."""

import numpy as np
import pandas as pd

from lungsound.corpus import Corpus
from lungsound.errors import InputError
from lungsound.labels import CLASSES, LABELS, classes_from_labels

WINDOW_COLUMNS = (
    "corpus",
    "recording",
    "path",
    "start",  # seconds
    "end",  # seconds; of the cycle, whatever the window's length, or of the stretch that the window covers
    "protocol",  # "cycles" or "stream"
    "crackle",  # 0 or 1
    "wheeze",  # 0 or 1
    "class",  # one of labels.CLASSES
    "patient",
    "site",
    "device",
    "split",
    "event",  # row in the corpus' events, -1 for a window of a stream
    "event_type",  # SPRSound's own event label, "" elsewhere
    "record_type",
)

HEARD_SECONDS = 0.3
"""An overlap this long lets a window carry an event's labels; half of a shorter event does, too."""

_ROUNDING = 1e-6  # seconds; less than a sample


def cycles(corpus: Corpus, seconds: float) -> pd.DataFrame:
    """Return a row for every annotated cycle or event that has audio, in the order of the corpus' events.

    Parameters
    ----------
    corpus : Corpus
        Read from disk.
    seconds : float
        Length of the window that each cycle will be tiled to (:func:`lungsound.audio.tile_cycle`).

    Returns
    -------
    DataFrame
        Columns `WINDOW_COLUMNS`.

    Raises
    ------
    InputError
        If `seconds` is not positive.
    """
    _refuse_unless_positive("window", seconds)
    events = corpus.events[corpus.events["path"] != ""]
    table = events.assign(corpus=corpus.name, protocol="cycles", event=events.index.to_numpy(np.int64))
    return table[list(WINDOW_COLUMNS)].reset_index(drop=True)


def stream(corpus: Corpus, seconds: float, hop_seconds: float) -> pd.DataFrame:
    """Return windows that slide over every continuous recording, as a device hears it.

    Windows start at 0 and every hop as long as they lie within the recording; a recording shorter than the window
    gives one. A window carries a label if it overlaps one event of that label by 0.3 s or by half of the event.

    Parameters
    ----------
    corpus : Corpus
        Read from disk; recordings without audio or pieced together from cycles are left out.
    seconds, hop_seconds : float
        Length of the window, and from one window to the next.

    Returns
    -------
    DataFrame
        Columns `WINDOW_COLUMNS`, sorted as the corpus' recordings, then by start.

    Raises
    ------
    InputError
        If `seconds` or `hop_seconds` is not positive.
    """
    _refuse_unless_positive("window", seconds)
    _refuse_unless_positive("hop", hop_seconds)
    recordings = corpus.recordings
    recordings = recordings[(recordings["path"] != "") & recordings["continuous"].astype(bool)]
    spare = np.maximum(0.0, recordings["seconds"].to_numpy(np.float64) - seconds)
    counts = ((spare + _ROUNDING) // hop_seconds).astype(np.int64) + 1
    table = recordings.iloc[np.repeat(np.arange(len(recordings)), counts)].reset_index(drop=True)
    number = np.arange(len(table)) - np.repeat(np.cumsum(counts) - counts, counts)
    start = number * hop_seconds
    end = np.minimum(start + seconds, table["seconds"])
    table = table.assign(start=start, end=end, corpus=corpus.name, protocol="stream", event=-1, event_type="")
    labels = _carried_labels(table, corpus.events)
    table[list(LABELS)] = labels
    table["class"] = np.asarray(CLASSES, dtype=object)[classes_from_labels(labels)]
    return table[list(WINDOW_COLUMNS)]


def _carried_labels(windows: pd.DataFrame, events: pd.DataFrame) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Return the labels of each window, shape ``[len(windows), 2]``."""
    left = windows[["recording", "start", "end"]].reset_index(names="window")
    pairs = left.merge(events[["recording", "start", "end", *LABELS]], on="recording", suffixes=("", "_event"))
    overlap = np.minimum(pairs["end"], pairs["end_event"]) - np.maximum(pairs["start"], pairs["start_event"])
    enough = np.minimum(HEARD_SECONDS, (pairs["end_event"] - pairs["start_event"]) / 2)
    heard = pairs[(overlap > 0) & (overlap >= enough - _ROUNDING)]
    labels = np.zeros((len(windows), len(LABELS)), dtype=np.int64)
    for column, label in enumerate(LABELS):
        labels[heard.loc[heard[label] == 1, "window"].to_numpy(), column] = 1
    return labels


def _refuse_unless_positive(what: str, seconds: float) -> None:
    if not (seconds > 0 and np.isfinite(seconds)):
        raise InputError(f"a {what} of {seconds} s is impossible; give a positive number of seconds")
