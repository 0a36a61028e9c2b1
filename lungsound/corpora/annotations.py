"""What annotators wrote: text files, times, and how they fit the sound."""

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from lungsound.corpus import Corpus
from lungsound.errors import InputError

_SHORTEST = 0.01  # seconds; of less than this there is nothing to hear


def read_lines(path: Path) -> list[tuple[str, str]]:
    """Return the lines of a text file that are not blank, each as (where it stands, its text).

    Raises
    ------
    InputError
        If the file is not text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file ({error.reason}); restore it from the published corpus") from error
    return [(f"{path}, line {number}", line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


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
    first, last = (_number(where, name, value) for name, value in (("start", start), ("end", end)))
    if first < 0:
        raise InputError(f"{where}: the start {start} is negative; mend the annotation")
    if last <= first:
        raise InputError(f"{where}: the end {end} does not come after the start {start}; mend the annotation")
    return first, last


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


def listed(names: Iterable[str], most: int = 5) -> str:
    """Return how many names there are and the first of them."""
    names = list(names)
    more = ", ..." if len(names) > most else ""
    return f"{len(names)} ({', '.join(names[:most])}{more})"


def _number(where: str, name: str, value: object) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise TypeError
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{where}: the {name} {value!r} is not a number; mend the annotation")
    return number
