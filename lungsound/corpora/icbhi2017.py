"""ICBHI 2017: 920 annotated recordings of 126 patients, as published on disk.

Rocha et al., "An open access database for the evaluation of respiratory sound classification algorithms",
Physiological Measurement 40(3):035001, 2019.
"""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd

from lungsound.corpora.formats.annotations import checked_times, known_age, within_audio
from lungsound.corpora.formats.audio_files import audio_files, measure
from lungsound.corpora.formats.text import listed, read_lines, shown
from lungsound.corpora.icbhi2017_layout import (
    DEMOGRAPHICS,
    DIAGNOSES,
    RENAMED_LIST,
    SPLIT_LISTS,
    SUBSET_MANIFEST,
    SYNTHETIC_MARK,
    annotation_folder,
    annotations_in,
    listed_file,
    match_names,
)
from lungsound.corpora.registry import register
from lungsound.corpus import Corpus, make_corpus
from lungsound.errors import InputError, gathered

RENAMED_TO = "Meditron"
PATIENT_COLUMNS = ("patient", "diagnosis", "age", "sex", "adult_bmi", "child_weight_kg", "child_height_cm")


@register(
    "icbhi2017",
    what="ICBHI 2017: 920 annotated recordings of 126 patients, four devices",
    layout="ICBHI_final_database, audio_and_txt_files or audio_test_data with WAV and TXT side by side, the split list "
    "(ICBHI_challenge_train_test.txt or official_split.txt) beside or above.",
    terms="free for research (bhichallenge.med.auth.gr); cite the paper",
    paper="Rocha et al., An open access database for the evaluation of respiratory sound classification algorithms, "
    "Physiological Measurement 40(3):035001, 2019",
)
def load(root: Path) -> Corpus:
    """Read the corpus.

    The annotations are looked for in ``ICBHI_final_database``, ``audio_and_txt_files``, ``audio_test_data``, the folder
    itself or, if need be, up to three folders below; the lists beside them or above. A recording is an annotation file;
    its audio has the same stem.

    The events of a recording whose audio was pieced together from cut cycles (``subset_manifest.csv``, origin
    ``cycles``) may be listened to, what lies between them not: its ``continuous`` is False. A cycle that the manifest
    calls missing keeps its row, with ``path`` "".

    Parameters
    ----------
    root : Path
        Folder of the corpus.

    Returns
    -------
    Corpus
        ``split`` is "" for recordings that the split list does not name.

    Raises
    ------
    InputError
        If there are no annotations. A damaged file is a fault of the corpus.
    """
    notes, faults = list[str](), list[str]()
    folder = annotation_folder(root, notes)
    annotations = annotations_in(folder)
    audio, splits, renamed = dict[str, Path](), dict[str, str](), set[str]()
    pieced, missing = set[str](), dict[str, list[int]]()
    with gathered(faults):
        audio = _audio(folder, annotations, notes, faults)
    with gathered(faults):
        splits = _splits(listed_file(root, folder, *SPLIT_LISTS), annotations, notes, faults)
    with gathered(faults):
        renamed = _renamed(listed_file(root, folder, RENAMED_LIST), annotations, notes)
    manifest = listed_file(root, folder, SUBSET_MANIFEST)
    with gathered(faults):
        pieced, missing = _pieced_together(manifest)

    people: dict[str, dict[str, str]] = {}
    with gathered(faults):
        people = {row[0]: dict(zip(PATIENT_COLUMNS, row, strict=True)) for row in _patients(root, folder, faults)}

    recordings, events, silent = [], [], set[tuple[str, float]]()
    for name, path in annotations.items():
        (file, seconds, sample_rate), cycles = measure(None), list[dict[str, float]]()
        with gathered(faults):
            cycles = _cycles(path, faults)
            numbers = _within(missing.get(name, []), cycles, f"{manifest}: {name}")
            silent |= {(name, cycles[number - 1]["start"]) for number in numbers}
        events += [{"recording": name, **cycle} for cycle in cycles]
        with gathered(faults):
            file, seconds, sample_rate = measure(audio.get(name))
        patient, _, site, _, device = name.split("_", 4)
        known = people.get(patient, {})
        recordings.append(
            {
                "recording": name,
                "path": file,
                "seconds": seconds,
                "sample_rate": sample_rate,
                "patient": patient,
                "site": site,
                "device": RENAMED_TO if name in renamed else device,
                "split": splits.get(name, ""),
                "record_type": "",
                "continuous": name not in pieced,
                "age": known_age(known.get("age", "")),
                "sex": known["sex"] if known.get("sex") in ("F", "M") else "",
            }
        )
    synthetic = listed_file(root, folder, SYNTHETIC_MARK) is not None
    diagnoses = {patient: known["diagnosis"] for patient, known in people.items()}
    corpus = make_corpus("icbhi2017", root.resolve(), recordings, events, notes, synthetic=synthetic)
    corpus = replace(corpus, faults=tuple(faults), diagnoses=diagnoses)
    return within_audio(_without_sound(corpus, silent))


def patients(root: Path) -> pd.DataFrame:
    """Read diagnoses and demographics, in the published text form or as CSV.

    Parameters
    ----------
    root : Path
        Folder of the corpus.

    Returns
    -------
    DataFrame
        Columns `PATIENT_COLUMNS`, all text, "" where nothing is known; no row where there are no such files.

    Raises
    ------
    InputError
        If a line has another number of columns than the published one.
    """
    faults = list[str]()
    rows = _patients(root, annotation_folder(root, []), faults)
    if faults:
        raise InputError(faults[0])
    return pd.DataFrame(rows, columns=list(PATIENT_COLUMNS), dtype=str)


def _patients(root: Path, folder: Path, faults: list[str]) -> list[list[str]]:
    diagnoses = _patient_lines(listed_file(root, folder, *DIAGNOSES), 2, faults)
    demographics = _patient_lines(listed_file(root, folder, *DEMOGRAPHICS), 6, faults)
    rows = []
    for patient in sorted(diagnoses.keys() | demographics.keys()):
        known = ["" if value == "NA" else value for value in demographics.get(patient, [""] * 5)]
        rows.append([patient, *diagnoses.get(patient, [""]), *known])
    return rows


def _audio(folder: Path, annotations: dict[str, Path], notes: list[str], faults: list[str]) -> dict[str, Path]:
    files = audio_files(folder, faults)
    pairs = match_names(annotations, files, folder)
    if left := sorted(files.keys() - pairs.values()):
        notes.append(f"audio without annotation, left out: {listed(left)}")
    if without := len(annotations) - len(pairs):
        notes.append(f"recordings with annotations alone, without audio: {without} of {len(annotations)}")
    return {name: files[file] for name, file in pairs.items()}


def _splits(path: Path | None, annotations: dict[str, Path], notes: list[str], faults: list[str]) -> dict[str, str]:
    if path is None:
        notes.append(f"no {' or '.join(SPLIT_LISTS)} here, so no recording belongs to the official split")
        return {}
    given: dict[str, str] = {}
    for where, line in _lines(path):
        with gathered(faults):
            name, split = _columns(where, line, 2)
            if split not in ("train", "test"):
                sentence = f"{where}: the split {shown(split)} is neither train nor test"
                raise InputError(f"{sentence}; restore the published list")
            if given.setdefault(name, split) != split:
                raise InputError(f"{where}: {name:.80} is in both parts; restore the published list")
    pairs = match_names(annotations, given, path)
    if other := sorted(f"{name} as {entry}" for name, entry in pairs.items() if name != entry):
        notes.append(f"recordings named with another device in the split list: {listed(other)}")
    if left := sorted(given.keys() - pairs.values()):
        notes.append(f"names in the split list without a recording: {listed(left)}")
    if unnamed := sorted(annotations.keys() - pairs.keys()):
        notes.append(f"recordings that the split list does not name: {listed(unnamed)}")
    return {name: given[entry] for name, entry in pairs.items()}


def _renamed(path: Path | None, annotations: dict[str, Path], notes: list[str]) -> set[str]:
    """Return the recordings that still carry the device of the first release."""
    if path is None:
        return set()
    found = {line.strip(" \t'\",") for _, line in _lines(path)} & annotations.keys()
    if found:
        notes.append(f"recordings named as in the first release, whose device is {RENAMED_TO}: {listed(sorted(found))}")
    return found


def _pieced_together(path: Path | None) -> tuple[set[str], dict[str, list[int]]]:
    """Return recordings whose audio was rebuilt from cycles, and the numbers (from 1) of cycles it lacks."""
    if path is None:
        return set(), {}
    try:
        rows = list(csv.DictReader(line for _, line in read_lines(path)))
    except csv.Error as error:
        raise InputError(f"{path}: not readable as CSV ({error}); restore the file") from error
    if not rows or not {"recording", "origin", "missing"} <= rows[0].keys():
        raise InputError(f"{path}: the columns recording, origin and missing are not all there; restore the file")
    pieced, missing = set(), {}
    for row in rows:
        if (row["origin"] or "").startswith("cycles"):
            pieced.add(row["recording"])
        if numbers := re.findall(r"\d+", row["missing"] or ""):
            missing[row["recording"]] = [int(number[:9]) for number in numbers]
    return pieced, missing


def _cycles(path: Path, faults: list[str]) -> list[dict[str, float]]:
    lines = read_lines(path)
    if not lines:
        raise InputError(f"{path}: holds no cycle; restore it from the published corpus")
    cycles, seen = [], dict[tuple[float, float], str]()
    for where, line in lines:
        with gathered(faults):
            start, end, *labels = _columns(where, line, 4)
            if not set(labels) <= {"0", "1"}:
                raise InputError(f"{where}: the labels {' and '.join(labels):.80} must be 0 or 1; mend the annotation")
            times = checked_times(where, start, end)
            if seen.setdefault(times, where) != where:
                raise InputError(f"{where}: at the times of a cycle above; keep one of the two")
            cycles.append(dict(zip(("start", "end", "crackle", "wheeze"), (*times, *map(int, labels)), strict=True)))
    return cycles


def _lines(path: Path) -> list[tuple[str, str]]:
    """Return the lines of a list, each of which has some as published."""
    lines = read_lines(path)
    if not lines:
        raise InputError(f"{path}: holds no line; restore it from the published corpus")
    return lines


def _columns(where: str, line: str, count: int) -> list[str]:
    columns = line.replace(",", " ").split()
    if len(columns) != count:
        raise InputError(f"{where}: {len(columns)} columns instead of {count} ({shown(line.strip())}); mend the line")
    return columns


def _within(numbers: list[int], cycles: list[dict[str, float]], whose: str) -> list[int]:
    for number in numbers:
        if not 1 <= number <= len(cycles):
            raise InputError(f"{whose} has no cycle {number} of {len(cycles)}; restore the file")
    return numbers


def _without_sound(corpus: Corpus, silent: set[tuple[str, float]]) -> Corpus:
    """Take the path from annotated cycles that the pieced-together audio lacks."""
    marked = [pair in silent for pair in zip(corpus.events["recording"], corpus.events["start"], strict=True)]
    lacking = pd.Series(marked, index=corpus.events.index, dtype=bool) & (corpus.events["path"] != "")
    if not lacking.any():
        return corpus
    events = corpus.events.copy()
    events.loc[lacking, "path"] = ""
    note = f"annotated cycles that the audio lacks, not listened to: {listed(events.loc[lacking, 'recording'])}"
    return replace(corpus, events=events, notes=(*corpus.notes, note))


def _patient_lines(path: Path | None, count: int, faults: list[str]) -> dict[str, list[str]]:
    known: dict[str, list[str]] = {}
    for where, line in _lines(path) if path else ():
        if not line.strip()[0].isdigit():  # the heading of a CSV
            continue
        with gathered(faults):
            patient, *values = _columns(where, line, count)
            if known.setdefault(patient, values) != values:
                raise InputError(
                    f"{where}: says otherwise of patient {patient:.80} than a line above; keep one of the two"
                )
    return known
