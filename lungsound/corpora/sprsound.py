"""SPRSound 2022: paediatric recordings with labels by event and by recording, as published on disk.

Zhang et al., "SPRSound: open-source SJTU paediatric respiratory sound database", IEEE Transactions on Biomedical
Circuits and Systems 16(5):867-881, 2022.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from lungsound.corpora.formats.annotations import checked_times, listed, within_audio
from lungsound.corpora.formats.audio_files import audio_files, measure, visible
from lungsound.corpora.registry import register
from lungsound.corpus import Corpus, make_corpus
from lungsound.errors import InputError, gathered
from lungsound.labels import SPRSOUND_EVENTS, SPRSOUND_LABELS, SPRSOUND_RECORDS

FOLDERS = (".", "BioCAS2022")
YEARS = ("2022", "")
"""What stands in the folders' names: ``train2022_json`` at present, ``train_json`` in the first releases."""

DEVICE = "Yunting II"
POOR = "Poor Quality"
NAME = re.compile(r"(?P<patient>\d+)_[\d.]+_[01]_(?P<site>p\d)_\d+")


@register(
    "sprsound",
    what="SPRSound 2022: recordings of 292 children, labels by event and by recording",
    layout="BioCAS2022 or the folder above it, with train2022_json, train2022_wav, test2022_json and test2022_wav.",
    terms="open access; cite the paper",
    paper="Zhang et al., SPRSound: open-source SJTU paediatric respiratory sound database, "
    "IEEE Transactions on Biomedical Circuits and Systems 16(5):867-881, 2022",
)
def load(root: Path) -> Corpus:
    """Read the corpus.

    A recording is a JSON file; its folder tells the split: ``train``, and of the test recordings, whose sound lies
    in one folder, ``intra`` (children whom training has too) and ``inter`` (other children).

    Parameters
    ----------
    root : Path
        ``BioCAS2022`` or the folder above it.

    Returns
    -------
    Corpus
        Labels are `labels.SPRSOUND_LABELS`; the published ones stand in ``event_type`` and ``record_type``. A
        recording of poor quality has no events, which does not make it normal: its ``continuous`` is False, so that
        no window of it counts as such.

    Raises
    ------
    InputError
        If there are no annotations.
    """
    recordings: list[dict[str, object]] = []
    events: list[dict[str, object]] = []
    notes, faults = list[str](), list[str]()
    splits: dict[str, str] = {}
    for split, annotations, sounds in _folders(root):
        audio = audio_files(sounds)
        for path in sorted(visible(annotations.glob("*.json"))):
            name = path.stem
            with gathered(faults):
                if name in splits:
                    raise InputError(f"{path}: {name} is in the part {splits[name]} already; keep one of the two")
                splits[name] = split
                record_type, found = _annotation(path, faults)
                recordings.append(_recording(path, audio.get(name), split, record_type))
                events += [{"recording": name, **event} for event in found]
    if not splits:
        raise InputError(
            f"{root}: no annotations of SPRSound 2022 here (BioCAS2022/train2022_json/*.json and so on); "
            "name the folder of the unpacked corpus"
        )
    if poor := sum(row["record_type"] == POOR for row in recordings):
        notes.append(f"recordings of poor quality, which nobody annotated, not listened to as a stream: {poor}")
    if without := [str(row["recording"]) for row in recordings if not row["path"]]:
        notes.append(f"recordings with annotations alone, without audio: {listed(without)}")
    if left := sorted({name for *_, sounds in _folders(root) for name in audio_files(sounds)} - splits.keys()):
        notes.append(f"audio without annotation, left out: {listed(left)}")
    corpus = make_corpus("sprsound", root.resolve(), recordings, events, notes, labels=SPRSOUND_LABELS)
    return within_audio(replace(corpus, faults=tuple(faults)))


def _folders(root: Path) -> Iterator[tuple[str, Path, Path]]:
    """Yield the split and the folders of annotations and audio that are there."""
    for place in (root / name for name in FOLDERS):
        for year in YEARS:
            test = place / f"test{year}_json"
            parts = {"train": place / f"train{year}_json", "intra": test / "intra_test_json"}
            parts["inter"] = test / "inter_test_json"
            for split, annotations in parts.items():
                if annotations.is_dir():
                    yield split, annotations, place / f"{'train' if split == 'train' else 'test'}{year}_wav"


def _recording(path: Path, audio: Path | None, split: str, record_type: str) -> dict[str, object]:
    fields = NAME.fullmatch(path.stem)
    if fields is None:
        raise InputError(f"{path}: not named PATIENT_AGE_SEX_SITE_NUMBER.json; restore the published name")
    file, seconds, sample_rate = measure(audio)
    return {
        "recording": path.stem,
        "path": file,
        "seconds": seconds,
        "sample_rate": sample_rate,
        "patient": fields["patient"],
        "site": fields["site"],
        "device": DEVICE,
        "split": split,
        "record_type": record_type,
        "continuous": record_type != POOR,
    }


def _annotation(path: Path, faults: list[str]) -> tuple[str, list[dict[str, object]]]:
    """Return the record label and the events of one file; an event that is damaged is a fault."""
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except (RecursionError, ValueError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise InputError(f"{path}: not readable as JSON ({error}); restore it from the published corpus") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: not an annotation but a JSON {type(values).__name__}; restore the published file")
    # The files say record_annotation, the description of the corpus recording_annotation.
    record = _spelt(values.get("record_annotation", values.get("recording_annotation")), " & ")
    if record not in SPRSOUND_RECORDS:
        raise InputError(f"{path}: the record label {record!r} is none of {', '.join(SPRSOUND_RECORDS)}; mend it")
    listed_events = values.get("event_annotation")
    if not isinstance(listed_events, list):
        raise InputError(f"{path}: no list event_annotation; restore it from the published corpus")
    events: list[dict[str, object]] = []
    for number, event in enumerate(listed_events, 1):
        with gathered(faults):
            events.append(_event(f"{path}, event {number}", event))
    return record, events


def _event(where: str, values: Any) -> dict[str, object]:
    if not isinstance(values, dict) or not {"start", "end", "type"} <= values.keys():
        raise InputError(f"{where}: start, end and type are not all there; restore the published file")
    start, end = checked_times(where, values["start"], values["end"])
    kind = _spelt(values["type"], "+")
    if kind not in SPRSOUND_EVENTS:
        raise InputError(f"{where}: the type {kind!r} is none of {', '.join(SPRSOUND_EVENTS)}; mend the annotation")
    labels = {label: int(label in SPRSOUND_EVENTS[kind]) for label in SPRSOUND_LABELS}
    return {"start": start / 1000, "end": end / 1000, "event_type": kind, **labels}


def _spelt(label: object, joint: str) -> str:
    """Return a label with single spaces, and `joint` between two sounds: releases differ in both."""
    return re.sub(r" ?[&+] ?", joint, " ".join(str(label).split()))
