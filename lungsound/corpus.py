"""One table of recordings and one of events, whatever corpus they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import pandas as pd

from lungsound.errors import InputError
from lungsound.labels import LABELS, checked_labels

RECORDING_COLUMNS = (
    "recording",  # stem of the file, unique in the corpus
    "path",  # absolute path of the audio as str, "" where there is none
    "seconds",  # length of the audio, 0.0 where there is none
    "sample_rate",  # Hz of the file, 0 where there is none
    "patient",  # the recording's own name where nobody knows
    "site",  # chest location in the corpus' own code
    "device",
    "split",  # official split: "train", "test", or the corpus' own name (SPRSound: "intra", "inter")
    "record_type",  # SPRSound's record label, "" elsewhere
    "continuous",  # False where sound without an event is not normal: pieced together, poor quality, not annotated
    "age",  # years, NaN where nobody knows
    "sex",  # "F", "M", "" where nobody knows
)

EVENT_COLUMNS = (
    "recording",
    "path",  # "" where the event's sound is not in the recording's audio, or there is no audio
    "start",  # seconds
    "end",  # seconds
    "patient",
    "site",
    "device",
    "split",
    "event_type",  # SPRSound's own event label, "" elsewhere
    "record_type",
    "age",
    "sex",
)
"""Columns of every table of events; a column of 0 and 1 for each of the corpus' labels follows."""

_TAKEN = {*RECORDING_COLUMNS, *EVENT_COLUMNS, "corpus", "protocol", "event"}  # the last three are windows'


@dataclass(frozen=True)
class Corpus:
    """A corpus of lung-sound recordings as read from disk.

    Attributes
    ----------
    name : str
        Under which its reader is registered.
    root : Path
        Where it lies.
    recordings : DataFrame
        One row a recording, columns `RECORDING_COLUMNS`, sorted by recording.
    events : DataFrame
        One row an annotated cycle or event, columns `EVENT_COLUMNS` and `labels`, sorted by recording and start.
    labels : tuple of str
        Names of the binary labels that the events are annotated with.
    notes : tuple of str
        What was met and mended while reading, a sentence each.
    synthetic : bool
        Whether figures from it must be called synthetic.
    faults : tuple of str
        What is wrong with its files, a sentence each; the tables lack what it concerns. Nobody works with such a
        corpus (:func:`lungsound.corpora.registry.open_corpus`), but all of it can be told at once.
    diagnoses : mapping of str to str
        Of the patients whose diagnosis is known.
    """

    name: str
    root: Path
    recordings: pd.DataFrame
    events: pd.DataFrame
    labels: tuple[str, ...] = LABELS
    notes: tuple[str, ...] = ()
    synthetic: bool = False
    faults: tuple[str, ...] = ()
    diagnoses: Mapping[str, str] = field(default_factory=dict)

    def where(self, recordings: pd.Series) -> Self:
        """Return the corpus with the recordings for which the boolean series is true, and their events."""
        kept = self.recordings[recordings].reset_index(drop=True)
        events = self.events[self.events["recording"].isin(kept["recording"])].reset_index(drop=True)
        return replace(self, recordings=kept, events=events)

    def with_audio(self) -> Self:
        """Return the corpus without the recordings that have annotations alone, and the events without sound."""
        heard = self.where(self.recordings["path"] != "")
        return replace(heard, events=heard.events[heard.events["path"] != ""].reset_index(drop=True))

    def refuse_unless_annotated(self, labels: Sequence[str]) -> None:
        """Refuse labels that the events are not annotated with.

        Raises
        ------
        InputError
            If there is one; the sentence lists what there is.
        """
        missing = [label for label in labels if label not in self.labels]
        if missing:
            raise InputError(
                f"{self.name}: not annotated with {', '.join(missing)}; it offers {', '.join(self.labels)}"
            )


def make_corpus(
    name: str,
    root: Path,
    recordings: list[dict[str, object]],
    events: list[dict[str, object]],
    notes: list[str] | tuple[str, ...] = (),
    *,
    labels: Sequence[str] = LABELS,
    synthetic: bool = False,
) -> Corpus:
    """Build the two tables from rows.

    Parameters
    ----------
    name, root
        See :class:`Corpus`.
    recordings : list of dict
        The values of `RECORDING_COLUMNS`; ``age`` and ``sex`` may be missing.
    events : list of dict
        ``recording``, ``start``, ``end``, 0 or 1 for every label and optionally ``event_type``;
        the other columns are taken from the recording.
    notes : list of str
        See :class:`Corpus`.
    labels : sequence of str
        Names of the events' labels.
    synthetic : bool
        See :class:`Corpus`.

    Raises
    ------
    InputError
        If a label's name cannot be one.
    """
    labels = checked_labels(labels)
    if taken := sorted(_TAKEN.intersection(labels)):
        raise InputError(f"{root}: {', '.join(taken)} cannot name a label, it is a column of its own; rename it")
    table = pd.DataFrame(recordings, columns=list(RECORDING_COLUMNS)).sort_values("recording", ignore_index=True)
    table["age"] = table["age"].astype("float64")
    table["sex"] = table["sex"].astype(object).where(table["sex"].notna(), "")
    rows = pd.DataFrame(events, columns=["recording", "start", "end", "event_type", *labels])
    rows["event_type"] = rows["event_type"].astype(object).where(rows["event_type"].notna(), "")
    rows = rows.astype(dict.fromkeys(labels, "int64"))
    carried = table[["recording", *(name for name in EVENT_COLUMNS if name in RECORDING_COLUMNS[1:])]]
    rows = rows.merge(carried, on="recording", how="left", validate="many_to_one")
    rows = rows[[*EVENT_COLUMNS, *labels]].sort_values(["recording", "start", "end"], ignore_index=True, kind="stable")
    return Corpus(name, root, table, rows, labels, tuple(notes), synthetic)
