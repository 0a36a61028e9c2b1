"""Recordings of one's own with label tracks of Audacity beside them."""

from dataclasses import replace
from pathlib import Path

from lungsound.corpora.formats.annotations import (
    checked_number,
    checked_times,
    label_names,
    within_audio,
)
from lungsound.corpora.formats.audio_files import audio_below, files_below, own_recording
from lungsound.corpora.formats.text import listed, read_lines, shown
from lungsound.corpora.registry import register
from lungsound.corpus import Corpus, make_corpus
from lungsound.errors import InputError, gathered
from lungsound.labels import LABELS, NOTICE, checked_labels

POINT_SECONDS = 0.1
"""Sound around a point label that becomes its event: several times a crackle, which lasts 5 to 15 ms."""

_SLACK = 0.1  # seconds that a label may end after the sound


@register(
    "audacity",
    what="recordings of one's own with label tracks of Audacity",
    layout="NAME.wav (or FLAC, MP3, OGG) and the exported label track NAME.txt beside it, in ROOT or below.",
    terms="the owner's",
    paper="none",
)
def load(root: Path) -> Corpus:
    """Read recordings and their label tracks.

    A label is an event; its text names the sound (``crackle``), several (``crackle+wheeze``), or none (``normal``).
    Labels of the same times are one event. A point label stands for the sound around it. A recording without a track
    was not annotated and is left out; one with an empty track has no event.

    Parameters
    ----------
    root : Path
        Folder of the recordings.

    Returns
    -------
    Corpus
        Nothing is known of patients: ``patient`` is the recording.

    Raises
    ------
    InputError
        If there is no recording with a track, or no track names a sound.
    """
    faults, points, recordings = list[str](), list[str](), list[dict[str, object]]()
    events: list[tuple[str, float, float, set[str]]] = []
    files = audio_below(root, faults)
    tracks = {path.with_suffix(""): path for path in files_below(root, {".txt"}, [])}
    seen: dict[Path, Path] = {}
    for path in files:
        track = tracks.get(path.with_suffix(""))
        if track is None:
            continue
        with gathered(faults):
            if (other := seen.setdefault(track, path)) != path:
                raise InputError(f"{path}: has the label track of {other.name}; keep one of the two")
            recording = own_recording(root, path)
            recordings.append(recording)
            name, seconds = str(recording["recording"]), float(str(recording["seconds"]))
            found = _events(track, seconds, points, faults)
            events += [(name, start, end, names) for (start, end), names in found.items()]
    labels = tuple(sorted(set().union(*(names for *_, names in events))))
    if not (labels or faults):
        found_there = "no label track names a sound" if seen else "no audio with a label track (NAME.wav, NAME.txt)"
        raise InputError(f"{root}: {found_there}; export the labels of each recording beside it")
    labels = checked_labels(labels or LABELS, root)  # where none could be read, the faults say why
    rows = [
        {"recording": name, "start": start, "end": end} | {label: int(label in names) for label in labels}
        for name, start, end, names in events
    ]
    corpus = make_corpus(
        "audacity", root.resolve(), recordings, rows, _notes(root, files, tracks, points), labels=labels
    )
    return within_audio(replace(corpus, faults=tuple(faults)))


def _notes(root: Path, files: list[Path], tracks: dict[Path, Path], points: list[str]) -> list[str]:
    stems = {path.with_suffix("") for path in files}
    found = {
        "audio without a label track, which nobody annotated, left out": [
            p for p in files if p.with_suffix("") not in tracks
        ],
        "text files without audio beside them, left out": [path for stem, path in tracks.items() if stem not in stems],
    }
    notes = [
        f"{note}: {listed(p.relative_to(root).as_posix() for p in paths)}" for note, paths in found.items() if paths
    ]
    if points:
        notes.append(f"point labels, which stand for the {POINT_SECONDS:g} s around them: {len(points)}")
    return notes


def _events(track: Path, seconds: float, points: list[str], faults: list[str]) -> dict[tuple[float, float], set[str]]:
    """Return the labels of a track by start and end; tracks that were exported together may repeat times."""
    events: dict[tuple[float, float], set[str]] = {}
    seen: set[tuple[float, float]] = set()
    for where, line in read_lines(track):
        if line.startswith("\\"):  # the frequencies of the label above
            continue
        with gathered(faults):
            columns = [column.strip() for column in line.split("\t")]
            if len(columns) < 3:
                raise InputError(f"{where}: {shown(line)} is no label (start, end, text between tabs); export it again")
            if columns[2] == NOTICE:  # `auscult classify` writes it above what a model found
                continue
            start, end, is_point = _times(where, columns[0], columns[1])
            if end > seconds + _SLACK:
                raise InputError(f"{where}: the end {end:g} lies beyond the {seconds:g} s of sound; mend the label")
            if is_point:
                points.append(where)
                middle = min(start, seconds)
                start, end = max(0.0, middle - POINT_SECONDS / 2), min(seconds, middle + POINT_SECONDS / 2)
            names, known = set(label_names(where, " ".join(columns[2:]))), events.setdefault((start, end), set())
            if (start, end) in seen and not (known and names and known.isdisjoint(names)):
                raise InputError(f"{where}: {shown(columns[2])} at the times of a label above; keep one of the two")
            seen.add((start, end))
            known |= names
    return events


def _times(where: str, first: str, last: str) -> tuple[float, float, bool]:
    """Return start, end, and whether they are one point; Audacity of old wrote decimal commas."""
    start, end = first.replace(",", "."), last.replace(",", ".")
    at = checked_number(where, "start", start)
    if at >= 0 and at == checked_number(where, "end", end):
        return at, at, True
    return *checked_times(where, start, end), False
