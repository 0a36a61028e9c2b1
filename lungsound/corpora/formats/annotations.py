"""What annotators wrote: times, labels, and how they fit the sound."""

import math
import re
from dataclasses import replace

from lungsound.corpora.formats.text import listed, shown
from lungsound.corpus import Corpus
from lungsound.errors import InputError
from lungsound.labels import checked_labels

NO_LABEL = ("normal", "none", "healthy")
"""What folders and tracks call a sound without any label."""

OLDEST = 130
"""Years that a patient may be old."""

_JOINT = re.compile(r"[,;+&]")
_SHORTEST = 0.01  # seconds; of less than this there is nothing to hear


def checked_number(where: str, name: str, value: object) -> float:
    """Return a number as written, text or number; see :func:`checked_times`."""
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise TypeError
        if isinstance(value, str) and "_" in value:  # Python reads 1_5 as 15
            raise ValueError
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{where}: the {name} {shown(value)} is not a number; mend the annotation")
    return number


def known_age(text: str) -> float:
    """Return an age in years as a corpus writes it; NaN where that is no age of a human being."""
    try:
        age = float(text)
    except ValueError:
        return math.nan
    return age if 0 <= age <= OLDEST else math.nan


def checked_times(where: str, start: object, end: object) -> tuple[float, float]:
    """Return start and end as numbers.

    Parameters
    ----------
    where : str
        File and line, for the error.
    start, end : object
        As written: text or number, in any one unit.

    Raises
    ------
    InputError
        If one is no finite number, the start is negative, or the end does not come after the start.
    """
    first, last = (checked_number(where, name, value) for name, value in (("start", start), ("end", end)))
    if first < 0:
        raise InputError(f"{where}: the start {start!s:.20} is negative; mend the annotation")
    if last <= first:
        raise InputError(
            f"{where}: the end {end!s:.20} does not come after the start {start!s:.20}; mend the annotation"
        )
    return first, last


def label_names(where: str, text: str) -> tuple[str, ...]:
    """Return the labels that a word or several joined ones stand for, none for a sound without a label.

    Parameters
    ----------
    where : str
        What names them, for the error.
    text : str
        ``crackle``, ``crackle+wheeze``, ``crackle, wheeze``, or one of `NO_LABEL`; capitals do not count.

    Raises
    ------
    InputError
        If there is no word, or a name is no plain text.
    """
    names = [" ".join(name.split()).lower() for name in _JOINT.split(text)]
    if not all(names):
        raise InputError(f"{where}: {shown(text)} names no sound; write a label such as crackle, or normal for none")
    labels = tuple(sorted(set(names) - set(NO_LABEL)))
    return checked_labels(labels, where) if labels else ()


def within_audio(corpus: Corpus) -> Corpus:
    """Clip events to the length of their recordings, with a note.

    An event of which nothing is heard keeps its row, so that counts of annotations stay, but loses its ``path``, as
    events of recordings without audio have none.
    """
    seconds = corpus.events["recording"].map(corpus.recordings.set_index("recording")["seconds"])
    heard = corpus.events["path"] != ""
    silent = heard & (corpus.events["start"] > seconds - _SHORTEST)
    clipped = heard & ~silent & (corpus.events["end"] > seconds)
    if not (silent.any() or clipped.any()):
        return corpus
    events, notes = corpus.events.copy(), list(corpus.notes)
    if clipped.any():
        excess = (events["end"] - seconds)[clipped].max()
        names = listed(events.loc[clipped, "recording"].unique())
        notes.append(f"events clipped to the end of their recording, by at most {excess:.3f} s, in {names}")
        events.loc[clipped, "end"] = seconds[clipped]
    if silent.any():
        names = listed(events.loc[silent, "recording"].unique())
        notes.append(f"{silent.sum()} events that begin where their recording ends, not listened to, in {names}")
        events.loc[silent, "path"] = ""
    return replace(corpus, events=events, notes=tuple(notes))
