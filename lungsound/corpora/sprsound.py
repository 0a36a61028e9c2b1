"""SPRSound 2022: paediatric recordings with labels by event and by recording, as published on disk.

Zhang et al., "SPRSound: open-source SJTU paediatric respiratory sound database", IEEE Transactions on Biomedical
Circuits and Systems 16(5):867-881, 2022.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lungsound.corpora.formats.annotations import checked_times, known_age, within_audio
from lungsound.corpora.formats.audio_files import audio_files, files_in, measure
from lungsound.corpora.formats.text import listed, read_text, shown
from lungsound.corpora.registry import register
from lungsound.corpus import Corpus, make_corpus
from lungsound.errors import InputError, first_line, gathered
from lungsound.labels import SPRSOUND_EVENTS, SPRSOUND_LABELS, SPRSOUND_RECORDS

FOLDERS = (".", "BioCAS2022", "releases/BioCAS2022")
YEARS = ("2022", "")
"""What stands in the folders' names: ``train2022_json`` at present, ``train_json`` in the first releases."""

LATER = ("2023", "2024", "2025")
"""Releases that are tests alone, of other children; most of their recordings have no record label."""

DEVICE = "Yunting II"
POOR = "Poor Quality"
NAME = re.compile(r"(?P<patient>\d*)_(?P<age>[\d.]+)_(?P<sex>[01])_(?P<site>p\d)_\d+")
"""Patient (nobody where the name begins with ``_``), age in years, sex (1 is female), site and number."""


@dataclass(frozen=True)
class _Part:
    """Recordings of one part of a release."""

    split: str
    annotations: Path
    sounds: Path
    labelled: bool  # whether every recording must have a record label


@register(
    "sprsound",
    what="SPRSound 2022: recordings of 292 children, labels by event and by recording",
    layout="BioCAS2022 or the folder above it, with train2022_json, train2022_wav, test2022_json and test2022_wav; "
    "BioCAS2023 to BioCAS2025 where they lie alone or are named, as tests of their own.",
    terms="open access; cite the paper",
    paper="Zhang et al., SPRSound: open-source SJTU paediatric respiratory sound database, "
    "IEEE Transactions on Biomedical Circuits and Systems 16(5):867-881, 2022",
)
def load(root: Path) -> Corpus:
    """Read the corpus.

    A recording is a JSON file; its folder tells the split: ``train``, and of the test recordings, whose sound lies
    in one folder, ``intra`` (children whom training has too) and ``inter`` (other children).

    The releases of 2023 to 2025 are tests: ``test`` where the root holds no 2022, else left out with a note.

    Parameters
    ----------
    root : Path
        ``BioCAS2022``, a later release, or the folder above them.

    Returns
    -------
    Corpus
        Labels are `labels.SPRSOUND_LABELS`; the published ones stand in ``event_type`` and ``record_type``. A
        recording of poor quality has no events, which does not make it normal: its ``continuous`` is False, so that
        no window of it counts as such. The same holds for one that has neither events nor a record label.

    Raises
    ------
    InputError
        If there are no annotations.
    """
    recordings: list[dict[str, object]] = []
    events: list[dict[str, object]] = []
    notes, faults = list[str](), list[str]()
    splits: dict[str, str] = {}
    heard: dict[Path, dict[str, Path]] = {}
    for part in _parts(root, notes):
        if part.sounds not in heard:  # two tests share a folder
            heard[part.sounds] = audio_files(part.sounds, faults)
        audio = heard[part.sounds]
        for path in files_in(part.annotations, {".json"}, faults):
            name = path.stem
            with gathered(faults):
                if name in splits:
                    raise InputError(f"{path}: {name} is in the part {splits[name]} already; keep one of the two")
                splits[name] = part.split
                record_type, found = _annotation(path, faults, labelled=part.labelled)
                recordings.append(_recording(path, audio.get(name), part.split, record_type, bool(found)))
                events += [{"recording": name, **event} for event in found]
    if not (splits or faults):
        raise InputError(
            f"{root}: no annotations of SPRSound 2022 here (BioCAS2022/train2022_json/*.json and so on); "
            "name the folder of the unpacked corpus"
        )
    if poor := sum(row["record_type"] == POOR for row in recordings):
        notes.append(f"recordings of poor quality, which nobody annotated, not listened to as a stream: {poor}")
    if unknown := [str(row["recording"]) for row in recordings if not (row["record_type"] or row["continuous"])]:
        notes.append(f"recordings without label and event, not listened to as a stream: {listed(unknown)}")
    if without := [str(row["recording"]) for row in recordings if not row["path"]]:
        notes.append(f"recordings with annotations alone, without audio: {listed(without)}")
    if left := sorted({name for audio in heard.values() for name in audio} - splits.keys()):
        notes.append(f"audio without annotation, left out: {listed(left)}")
    corpus = make_corpus("sprsound", root.resolve(), recordings, events, notes, labels=SPRSOUND_LABELS)
    return within_audio(replace(corpus, faults=tuple(faults)))


def _parts(root: Path, notes: list[str]) -> list[_Part]:
    """Return the parts of 2022 that are there, or those of later releases where there is none."""
    first = [part for place in FOLDERS for year in YEARS for part in _parts_of_2022(root / place, year)]
    later = {year: part for year in LATER for part in _later_parts(root, year)}
    if not first:
        return list(later.values())
    if later:
        names = ", ".join(f"{year} ({part.annotations})" for year, part in later.items())
        how = f"sprsound:{next(iter(later.values())).annotations.parent}"
        notes.append(f"later releases of SPRSound, tests of their own, left out: {names}; read one as {how}")
    return first


def _parts_of_2022(place: Path, year: str) -> Iterator[_Part]:
    test = place / f"test{year}_json"
    parts = {"train": place / f"train{year}_json", "intra": test / "intra_test_json", "inter": test / "inter_test_json"}
    for split, annotations in parts.items():
        if annotations.is_dir():
            sounds = place / f"{'train' if split == 'train' else 'test'}{year}_wav"
            yield _Part(split, annotations, sounds, labelled=True)


def _later_parts(root: Path, year: str) -> Iterator[_Part]:
    for place in (root, root / f"BioCAS{year}", root / "releases" / f"BioCAS{year}"):
        annotations = place / f"test{year}_json"
        if annotations.is_dir():
            yield _Part("test", annotations, place / f"test{year}_wav", labelled=False)


def _recording(path: Path, audio: Path | None, split: str, record_type: str, annotated: bool) -> dict[str, object]:
    fields = NAME.fullmatch(path.stem)
    if fields is None:
        raise InputError(f"{path}: not named PATIENT_AGE_SEX_SITE_NUMBER.json; restore the published name")
    file, seconds, sample_rate = measure(audio)
    return {
        "recording": path.stem,
        "path": file,
        "seconds": seconds,
        "sample_rate": sample_rate,
        "patient": fields["patient"] or path.stem,
        "site": fields["site"],
        "device": DEVICE,
        "split": split,
        "record_type": record_type,
        "continuous": record_type != POOR if record_type else annotated,
        "age": known_age(fields["age"]),
        "sex": "MF"[int(fields["sex"])],
    }


def _annotation(path: Path, faults: list[str], *, labelled: bool) -> tuple[str, list[dict[str, object]]]:
    """Return the record label ("" where there may be none) and the events; an event that is damaged is a fault."""
    text = read_text(path)
    try:
        values = json.loads(text)
    except (RecursionError, ValueError) as error:  # JSONDecodeError is a ValueError, as is a number of 5000 digits
        reason = first_line(error)
        raise InputError(f"{path}: not readable as JSON ({reason}); restore it from the published corpus") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: not an annotation but a JSON {type(values).__name__}; restore the published file")
    # The files say record_annotation, the description of the corpus recording_annotation.
    written = values.get("record_annotation", values.get("recording_annotation"))
    record = "" if written is None and not labelled else _spelt(written, " & ")
    if record not in SPRSOUND_RECORDS and (record or written is not None):
        raise InputError(f"{path}: the record label {shown(record)} is none of {', '.join(SPRSOUND_RECORDS)}; mend it")
    listed_events = values.get("event_annotation")
    if not isinstance(listed_events, list):
        raise InputError(f"{path}: no list event_annotation; restore it from the published corpus")
    events: list[dict[str, object]] = []
    seen: dict[tuple[object, object], int] = {}
    for number, values in enumerate(listed_events, 1):
        where = f"{path}, event {number}"
        with gathered(faults):
            event = _event(where, values)
            if (above := seen.setdefault((event["start"], event["end"]), number)) != number:
                raise InputError(f"{where}: at the times of event {above}; keep one of the two")
            events.append(event)
    return record, events


def _event(where: str, values: Any) -> dict[str, object]:
    if not isinstance(values, dict) or not {"start", "end", "type"} <= values.keys():
        raise InputError(f"{where}: start, end and type are not all there; restore the published file")
    start, end = checked_times(where, values["start"], values["end"])
    kind = _spelt(values["type"], "+")
    if kind not in SPRSOUND_EVENTS:
        raise InputError(
            f"{where}: the type {shown(kind)} is none of {', '.join(SPRSOUND_EVENTS)}; mend the annotation"
        )
    labels = {label: int(label in SPRSOUND_EVENTS[kind]) for label in SPRSOUND_LABELS}
    return {"start": start / 1000, "end": end / 1000, "event_type": kind, **labels}


def _spelt(label: object, joint: str) -> str:
    """Return a label with single spaces, and `joint` between two sounds: releases differ in both."""
    text = label if isinstance(label, str) else shown(label)
    return re.sub(r" ?[&+] ?", joint, " ".join(text.split()))
