"""ICBHI 2017: 920 annotated recordings of 126 patients, as published on disk.

Rocha et al., "An open access database for the evaluation of respiratory sound classification algorithms",
Physiological Measurement 40(3):035001, 2019.
"""

import csv
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from lungsound.corpora.formats.annotations import checked_times, listed, read_lines, within_audio
from lungsound.corpora.formats.audio_files import audio_files, measure
from lungsound.corpora.registry import register
from lungsound.corpus import Corpus, make_corpus
from lungsound.errors import InputError, gathered

FOLDERS = ("ICBHI_final_database", "audio_and_txt_files", ".")
SPLIT_LIST = "ICBHI_challenge_train_test.txt"
RENAMED_LIST = "filename_differences.txt"
SUBSET_MANIFEST = "subset_manifest.csv"
DIAGNOSES = ("ICBHI_Challenge_diagnosis.txt", "patient_diagnosis.csv")
DEMOGRAPHICS = ("ICBHI_Challenge_demographic_information.txt", "demographic_info.txt")
SYNTHETIC_MARK = "synthetic.json"
"""Stands beside a corpus in this layout that was generated, so that no figure from it passes for a real one."""

RENAMED_TO = "Meditron"
NAME = re.compile(r"\d+_\d+[a-z]\d+_[A-Z][a-z]_(sc|mc)_\w+")
"""Patient, index of the recording, site, mode and device."""

PATIENT_COLUMNS = ("patient", "diagnosis", "age", "sex", "adult_bmi", "child_weight_kg", "child_height_cm")


@register(
    "icbhi2017",
    what="ICBHI 2017: 920 annotated recordings of 126 patients, four devices",
    layout="ICBHI_final_database or audio_and_txt_files with WAV and TXT side by side, the split list beside or above.",
    terms="free for research (bhichallenge.med.auth.gr); cite the paper",
    paper="Rocha et al., An open access database for the evaluation of respiratory sound classification algorithms, "
    "Physiological Measurement 40(3):035001, 2019",
)
def load(root: Path) -> Corpus:
    """Read the corpus.

    The annotations are looked for in ``ICBHI_final_database``, ``audio_and_txt_files`` or the folder itself, the
    lists beside them or above. A recording is an annotation file; its audio has the same stem.

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
        If there are no annotations, or a list beside them is damaged.
    """
    folder = _annotation_folder(root)
    annotations = {path.stem: path for path in sorted(folder.glob("*.txt")) if NAME.fullmatch(path.stem)}
    notes: list[str] = []
    audio = _audio(folder, annotations, notes)
    splits = _splits(_listed_file(root, folder, SPLIT_LIST), annotations, notes)
    renamed = _renamed(_listed_file(root, folder, RENAMED_LIST), annotations, notes)
    pieced, missing = _pieced_together(_listed_file(root, folder, SUBSET_MANIFEST))

    recordings, events, silent, faults = [], [], set(), list[str]()
    for name, path in annotations.items():
        (file, seconds, sample_rate), cycles = measure(None), list[dict[str, float]]()
        with gathered(faults):
            cycles = _cycles(path, faults)
        events += [{"recording": name, **cycle} for cycle in cycles]
        with gathered(faults):
            silent |= {(name, cycles[number - 1]["start"]) for number in _within(missing.get(name, []), cycles, name)}
        with gathered(faults):
            file, seconds, sample_rate = measure(audio.get(name))
        patient, _, site, _, device = name.split("_", 4)
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
            }
        )
    synthetic = _listed_file(root, folder, SYNTHETIC_MARK) is not None
    diagnoses: dict[str, str] = {}
    with gathered(faults):
        known = patients(root)
        diagnoses = dict(zip(known["patient"], known["diagnosis"], strict=True))
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
    folder = _annotation_folder(root)
    diagnoses = _patient_lines(root, folder, DIAGNOSES, 2)
    demographics = _patient_lines(root, folder, DEMOGRAPHICS, 6)
    rows = []
    for patient in sorted(diagnoses.keys() | demographics.keys()):
        known = ["" if value == "NA" else value for value in demographics.get(patient, [""] * 5)]
        rows.append([patient, *diagnoses.get(patient, [""]), *known])
    return pd.DataFrame(rows, columns=list(PATIENT_COLUMNS), dtype=str)


def match_names(names: Iterable[str], offered: Iterable[str]) -> dict[str, str]:
    """Pair names of recordings with those that another list uses.

    91 recordings changed the device in their name between releases. So the whole name is compared first, and only
    names that are then left on both sides are compared by patient, index, site and mode. That order matters: the
    published split list can name ``226_1b1_Pl_sc`` twice, with two devices, of which one recording exists.

    Raises
    ------
    InputError
        If two of the names left differ in the device alone.
    """
    names, offered = set(names), set(offered)
    pairs = {name: name for name in names & offered}
    left = _by_key(offered - names)
    for key, name in _by_key(names - offered).items():
        if key in left:
            pairs[name] = left[key]
    return pairs


def _by_key(names: set[str]) -> dict[str, str]:
    keyed: dict[str, str] = {}
    for name in sorted(names):
        key = name.rpartition("_")[0]
        if key in keyed:
            raise InputError(f"{keyed[key]} and {name} differ in the device alone and match no other name; rename one")
        keyed[key] = name
    return keyed


def _annotation_folder(root: Path) -> Path:
    for folder in (root / name for name in FOLDERS):
        if folder.is_dir() and any(NAME.fullmatch(path.stem) for path in folder.glob("*.txt")):
            return folder
    raise InputError(
        f"{root}: no annotations of ICBHI 2017 here or in {FOLDERS[0]} (101_1b1_Al_sc_Meditron.txt and so on); "
        "name the folder of the unpacked corpus"
    )


def _listed_file(root: Path, folder: Path, *names: str) -> Path | None:
    places = (place / name for place in (root, folder) for name in names)
    return next((path for path in places if path.is_file()), None)


def _audio(folder: Path, annotations: dict[str, Path], notes: list[str]) -> dict[str, Path]:
    files = audio_files(folder)
    pairs = match_names(annotations, files)
    if left := sorted(files.keys() - pairs.values()):
        notes.append(f"audio without annotation, left out: {listed(left)}")
    if without := len(annotations) - len(pairs):
        notes.append(f"recordings with annotations alone, without audio: {without} of {len(annotations)}")
    return {name: files[file] for name, file in pairs.items()}


def _splits(path: Path | None, annotations: dict[str, Path], notes: list[str]) -> dict[str, str]:
    if path is None:
        notes.append(f"no {SPLIT_LIST} here, so no recording belongs to the official split")
        return {}
    given: dict[str, str] = {}
    for where, line in read_lines(path):
        name, split = _columns(where, line, 2)
        if split not in ("train", "test"):
            raise InputError(f"{where}: the split {split!r} is neither train nor test; restore the published list")
        if given.setdefault(name, split) != split:
            raise InputError(f"{where}: {name} is in both parts; restore the published list")
    pairs = match_names(annotations, given)
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
    found = {line.strip(" \t'\",") for _, line in read_lines(path)} & annotations.keys()
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
            missing[row["recording"]] = [int(number) for number in numbers]
    return pieced, missing


def _cycles(path: Path, faults: list[str]) -> list[dict[str, float]]:
    lines = read_lines(path)
    if not lines:
        raise InputError(f"{path}: holds no cycle; restore it from the published corpus")
    cycles = []
    for where, line in lines:
        with gathered(faults):
            start, end, *labels = _columns(where, line, 4)
            if not set(labels) <= {"0", "1"}:
                raise InputError(f"{where}: the labels {' and '.join(labels)} must be 0 or 1; mend the annotation")
            times = checked_times(where, start, end)
            cycles.append(dict(zip(("start", "end", "crackle", "wheeze"), (*times, *map(int, labels)), strict=True)))
    return cycles


def _columns(where: str, line: str, count: int) -> list[str]:
    columns = line.replace(",", " ").split()
    if len(columns) != count:
        raise InputError(f"{where}: {len(columns)} columns instead of {count} ({line.strip()!r}); mend the line")
    return columns


def _within(numbers: list[int], cycles: list[dict[str, float]], name: str) -> list[int]:
    for number in numbers:
        if not 1 <= number <= len(cycles):
            raise InputError(f"{SUBSET_MANIFEST}: {name} has no cycle {number} of {len(cycles)}; restore the file")
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


def _patient_lines(root: Path, folder: Path, names: tuple[str, ...], count: int) -> dict[str, list[str]]:
    path = _listed_file(root, folder, *names)
    if path is None:
        return {}
    lines = [(where, line) for where, line in read_lines(path) if line.strip()[0].isdigit()]  # a CSV has a heading
    return {columns[0]: columns[1:] for columns in (_columns(where, line, count) for where, line in lines)}
