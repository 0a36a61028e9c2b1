"""A table of one's own: a row a recording or event, a column a label."""

import math
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from lungsound.corpora.formats.annotations import OLDEST, checked_times, known_age, within_audio
from lungsound.corpora.formats.audio_files import measure
from lungsound.corpora.formats.table_file import TableFile, read_table
from lungsound.corpora.formats.text import listed, named, shown
from lungsound.corpora.registry import register
from lungsound.corpora.splits import PARTS
from lungsound.corpus import Corpus, make_corpus
from lungsound.errors import InputError, gathered
from lungsound.labels import checked_labels
from lungsound.terminal import progress

OF_RECORDING = ("patient", "site", "device", "split", "quality", "record_type", "age", "sex")
"""Columns that say the same in all rows of a recording."""

COLUMNS = ("path", "recording", "start", "end", *OF_RECORDING, "event_type", "diagnosis", "synthetic")
"""Columns with a meaning of their own; any other column of ones and zeros is a label."""

QUALITIES = {"": True, "good": True, "fair": True, "poor": False, "partial": False}
"""Whether sound without an event is normal: not where quality is poor, nor where only a part was annotated."""

BINARY = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1, "no": 0, "yes": 1}
SEXES = {"": "", "f": "F", "female": "F", "m": "M", "male": "M"}
_CHOICES: dict[str, Iterable[str]] = {"split": PARTS, "quality": QUALITIES, "sex": SEXES}
_SLACK = 0.1  # seconds; annotators round, and compressed files lose or gain a frame


@register(
    "table",
    what="recordings of one's own, listed in a table",
    layout="A CSV or Parquet file with the columns path (relative to it), start, end, one of 0 and 1 for each label, "
    "and as far as known patient, age (in years), sex (F or M), site, device, split and quality.",
    terms="the owner's",
    paper="none",
    root="file",
)
def load(path: Path) -> Corpus:
    """Read a table.

    A row is an event, or a whole recording where ``start`` and ``end`` are empty; if all of its labels are empty, too,
    the recording has no event. Beside a label that is not empty, an empty one is 0. A recording may have several rows.
    Columns that are neither known nor binary are left out with a note. ``quality`` may be good, fair, poor or partial
    (only a part was annotated); in a recording of the latter two sound without an event does not count as normal.

    Parameters
    ----------
    path : Path
        Of the table.

    Returns
    -------
    Corpus
        ``patient`` is the recording where none is named.

    Raises
    ------
    InputError
        If there is no column ``path``, no label or no row. Anything wrong with a row or a recording is a fault.
    """
    notes, faults = list[str](), list[str]()
    table = _with_known_names(path, read_table(path, faults))
    labels = _label_columns(path, table, notes, faults)
    rows = _Rows(path, table.decimal_comma, labels)
    for number, values in table.rows:
        with gathered(faults):
            rows.add(number, values)
    recordings = []
    for name, recording in progress(list(rows.recordings.items()), "reading headers"):
        with gathered(faults):
            recordings.append(recording.row(name, path))
    events = rows.events({str(row["recording"]): float(str(row["seconds"])) for row in recordings}, faults)
    if empty := sorted({str(row["recording"]) for row in recordings} - {str(event["recording"]) for event in events}):
        notes.append(f"recordings without an event: {listed(empty)}")
    if without := [str(row["recording"]) for row in recordings if not row["path"]]:
        notes.append(f"recordings with annotations alone, without audio: {listed(without)}")
    corpus = make_corpus("table", path.resolve(), recordings, events, notes, labels=labels, synthetic=rows.synthetic)
    corpus = replace(corpus, faults=tuple(faults), diagnoses=rows.diagnoses)
    return within_audio(_without_sound(corpus, rows.silent))


def _with_known_names(path: Path, table: TableFile) -> TableFile:
    """Write the known columns' names small, and refuse a table that names no recordings."""
    names = {name: name.lower() if name.lower() in COLUMNS else name for name in table.columns}
    if "path" not in names.values():
        raise InputError(
            f"{path}: no column path (it has {named(table.columns)}); name the column with the audio files path"
        )
    if len(set(names.values())) < len(names):
        raise InputError(f"{path}: two columns differ in capitals alone; keep one of {named(table.columns)}")
    rows = [(number, {names[name]: value for name, value in values.items()}) for number, values in table.rows]
    return TableFile(tuple(names.values()), rows, table.decimal_comma)


def _label_columns(path: Path, table: TableFile, notes: list[str], faults: list[str]) -> tuple[str, ...]:
    """Tell labels from remarks: a column is a label if most of what stands in it is binary."""
    labels, others = [], []
    for name in (column for column in table.columns if column not in COLUMNS):
        found = [(number, values[name]) for number, values in table.rows if values[name]]
        odd = [(number, value) for number, value in found if value.lower() not in BINARY]
        if 2 * len(odd) >= len(found):
            others.append(name)
            continue
        labels.append(name)
        faults += [
            f"{path}, row {number}: {named([name])} is {shown(value)}; write 0 or 1, or nothing"
            for number, value in odd
        ]
    if others:
        notes.append(f"columns that are no labels (other values than 0 and 1), left out: {listed(others)}")
    if not labels:
        raise InputError(f"{path}: no column of 0 and 1 (it has {named(table.columns)}); add one for each sound")
    return checked_labels(labels, path)


@dataclass
class _Recording:
    """What the rows of a recording say: its file, and by column a value and the row where it stands."""

    path: str = ""
    known: dict[str, tuple[str, int]] = field(default_factory=dict)

    def row(self, name: str, table: Path) -> dict[str, object]:
        values = {column: self.known.get(column, ("", 0))[0] for column in OF_RECORDING}
        file, seconds, sample_rate = measure(_file(table, self.path, self.known["path"][1]) if self.path else None)
        quality, age, sex = (values.pop(column) for column in ("quality", "age", "sex"))
        known = {"recording": name, "path": file, "seconds": seconds, "sample_rate": sample_rate}
        known |= {"age": known_age(age), "sex": SEXES[sex]}
        return known | values | {"patient": values["patient"] or name, "continuous": QUALITIES[quality]}


class _Rows:
    """The rows of a table, sorted into recordings and events."""

    def __init__(self, path: Path, decimal_comma: bool, labels: tuple[str, ...]) -> None:
        self._path, self._decimal_comma, self._labels = path, decimal_comma, labels
        self.recordings: dict[str, _Recording] = {}
        self.diagnoses: dict[str, str] = {}
        self.silent: set[tuple[str, object, object]] = set()
        self.synthetic = False
        self._events: list[tuple[int, dict[str, object]]] = []
        self._seen: dict[tuple[str, float | None, float | None], int] = {}

    def add(self, number: int, values: dict[str, str]) -> None:
        where = f"{self._path}, row {number}"
        if not (values.get("recording") or values["path"]):
            raise InputError(f"{where}: names no path; name the audio file")
        path = os.path.normpath(values["path"]) if values["path"] else ""
        name = values.get("recording") or path
        recording = self.recordings.setdefault(name, _Recording())
        if path:
            self._tell(recording, "path", path, number)
        recording.path = recording.path or path
        for column in OF_RECORDING:
            if value := values.get(column):
                value = self._number(value) if column == "age" else value
                self._tell(recording, column, _checked(where, column, value), number)
        patient, diagnosis = values.get("patient") or name, values.get("diagnosis", "")
        if diagnosis and self.diagnoses.setdefault(patient, diagnosis) != diagnosis:
            told = self.diagnoses[patient]
            diagnoses = f"{shown(diagnosis)} here and {shown(told)} above"
            raise InputError(f"{where}: the diagnosis of {named([patient])} is {diagnoses}; keep one")
        self.synthetic |= BINARY.get(values.get("synthetic", "").lower(), 0) == 1
        self._add_event(number, where, name, values)

    def events(self, seconds: dict[str, float], faults: list[str]) -> list[dict[str, object]]:
        """Return the events of the recordings that could be read; whole ones end where their recording does."""
        events = []
        for number, event in self._events:
            length = seconds.get(str(event["recording"]))
            if length is None:
                continue
            end = length if event["end"] is None else float(str(event["end"]))
            silent = (str(event["recording"]), event["start"], event["end"]) in self.silent
            if length and not silent and end > length + _SLACK:
                faults.append(
                    f"{self._path}, row {number}: the end {end:g} lies beyond the {length:g} s of "
                    f"{named([str(event['recording'])])}; mend the times (in seconds)"
                )
            elif not end:
                faults.append(f"{self._path}, row {number}: neither times nor audio; name one of the two")
            else:
                events.append(event | {"end": end})
        return events

    def _tell(self, recording: _Recording, column: str, value: str, number: int) -> None:
        """Note what a row says of its recording; rows that differ are refused."""
        told, above = recording.known.setdefault(column, (value, number))
        if told != value:
            raise InputError(
                f"{self._path}, row {number}: the {column} is {shown(value)}, but {shown(told)} in row {above} of "
                "the same recording; make them the same"
            )

    def _add_event(self, number: int, where: str, name: str, values: dict[str, str]) -> None:
        labels = {label: BINARY.get(values[label].lower(), 0) for label in self._labels}
        start, end = values.get("start", ""), values.get("end", "")
        times: tuple[float | None, float | None] = (None, None)
        if start or end:
            times = checked_times(where, *map(self._number, (start, end)))
        if (above := self._seen.setdefault((name, *times), number)) != number:
            raise InputError(f"{where}: the same event as row {above}; keep one of the two")
        if times[0] is None and not any(values[label] for label in self._labels):
            return
        if not values["path"] and times[0] is not None and times[1] is not None:
            self.silent.add((name, times[0], times[1]))
        event: dict[str, object] = {"recording": name, "start": times[0] or 0.0, "end": times[1], **labels}
        self._events.append((number, event | {"event_type": values.get("event_type", "")}))

    def _number(self, text: str) -> str:
        """Return a number as Python writes it."""
        return re.sub(r"^(\s*-?\d*),(\d+)$", r"\1.\2", text) if self._decimal_comma else text


def _checked(where: str, column: str, value: str) -> str:
    """Return the value of a column that takes only certain ones, in small letters; an age must be one."""
    if column == "age" and math.isnan(known_age(value)):
        raise InputError(f"{where}: the age {shown(value)} is none; write years from 0 to {OLDEST}, or nothing")
    allowed = _CHOICES.get(column)
    if allowed is None:
        return value
    small = value.lower()
    if small not in allowed:
        choice = ", ".join(filter(None, allowed))
        raise InputError(
            f"{where}: the {column} {shown(value)} is none of {choice}; take one of these or leave it empty"
        )
    return small


def _file(table: Path, text: str, number: int) -> Path:
    """Return the audio file that a row names, in whatever slashes."""
    for name in dict.fromkeys((text, text.replace("\\", "/"))):
        path = Path(os.path.normpath(table.absolute().parent / name))
        with suppress(OSError):  # a name that no file can have
            if path.exists():
                return path
    missing = f"{table.parent / text!s:.300}"
    raise InputError(f"{table}, row {number}: {missing} is not there; mend the path or copy the file")


def _without_sound(corpus: Corpus, silent: set[tuple[str, object, object]]) -> Corpus:
    """Take the path from events whose rows name none, though their recording has audio."""
    keys = zip(corpus.events["recording"], corpus.events["start"], corpus.events["end"], strict=True)
    events = corpus.events.copy()
    events.loc[[key in silent for key in keys], "path"] = ""
    return replace(corpus, events=events)
