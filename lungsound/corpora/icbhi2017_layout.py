"""Where the files of ICBHI 2017 lie, and under which names: as published, as Kaggle has them, as others moved them."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from lungsound.corpora.formats.audio_files import files_in, visible
from lungsound.corpora.formats.text import named
from lungsound.errors import InputError, gathered

FOLDERS = ("ICBHI_final_database", "audio_and_txt_files", "audio_test_data")
"""Of the annotations: as published, at Kaggle, and in the code of RespireNet and those that follow it."""

SPLIT_LISTS = ("ICBHI_challenge_train_test.txt", "official_split.txt")
RENAMED_LIST = "filename_differences.txt"
SUBSET_MANIFEST = "subset_manifest.csv"
DIAGNOSES = ("ICBHI_Challenge_diagnosis.txt", "patient_diagnosis.csv")
DEMOGRAPHICS = ("ICBHI_Challenge_demographic_information.txt", "demographic_info.txt")
SYNTHETIC_MARK = "synthetic.json"
"""Stands beside a corpus in this layout that was generated, so that no figure from it passes for a real one."""

NAME = re.compile(r"\d+_\d+[a-z]\d+_[A-Z][a-z]_(sc|mc)_\w+")
"""Patient, index of the recording, site, mode and device."""

_DEEPEST = 3  # folders between the root and the annotations: Kaggle's archive has two of one name above them


def annotation_folder(root: Path, notes: list[str]) -> Path:
    """Find the folder of the annotations: a known one in `root`, `root` itself, or the nearest one below.

    Parameters
    ----------
    root : Path
        Folder of the corpus.
    notes : list of str
        Gets a sentence about copies that are left out.

    Raises
    ------
    InputError
        If there is none, it cannot be listed, or there are two that differ, none of them in a place of its own.
    """
    for folder in (*(root / name for name in FOLDERS), root):
        if annotations_in(folder):
            return folder
    found, denied = list[tuple[Path, set[str]]](), list[str]()
    for folder in _below(root):
        with gathered(denied):
            if stems := set(annotations_in(folder)):
                found.append((folder, stems))
    if not found and denied:
        raise InputError(denied[0])
    if not found:
        raise InputError(
            f"{root}: no annotations of ICBHI 2017 here or in {FOLDERS[0]} (101_1b1_Al_sc_Meditron.txt and so on); "
            "name the folder of the unpacked corpus"
        )
    (folder, names), *others = found
    if differing := [str(other) for other, other_names in others if other_names != names]:
        raise InputError(
            f"{root}: annotations in both {folder} and {named(differing, 1)}, which differ; name one of them"
        )
    if others:
        notes.append(f"copies of the annotations, left out: {named(str(other) for other, _ in others)}")
    return folder


def annotations_in(folder: Path) -> dict[str, Path]:
    """Return the annotations in a folder by stem; none where there is no such folder.

    Raises
    ------
    InputError
        If the folder cannot be listed.
    """
    faults = list[str]()
    paths = files_in(folder, {".txt"}, faults)
    if faults:
        raise InputError(faults[0])
    return {path.stem: path for path in paths if NAME.fullmatch(path.stem)}


def listed_file(root: Path, folder: Path, *names: str) -> Path | None:
    """Return the first of the files that is there: in `root`, between it and the annotations, or beside them.

    A link to nothing is there, too, for whoever reads it to say so. Where `root` is a known folder of annotations
    itself, the lists may lie above it.
    """
    between = [place for place in folder.parents if place.is_relative_to(root) and place != root]
    above = [root.absolute().parent] if folder == root and root.absolute().name in FOLDERS else []
    places = (root, *reversed(between), folder, *above)
    return next((place / name for place in places for name in names if os.path.lexists(place / name)), None)


def match_names(names: Iterable[str], offered: Iterable[str], place: Path) -> dict[str, str]:
    """Pair names of recordings with those that another list uses.

    91 recordings changed the device in their name between releases. So the whole name is compared first, and only
    names that are then left on both sides are compared by patient, index, site and mode. That order matters: the
    published split list can name ``226_1b1_Pl_sc`` twice, with two devices, of which one recording exists.

    Parameters
    ----------
    names, offered : iterable of str
        Names of recordings, and of what belongs to them.
    place : Path
        Where the offered ones stand, for the error.

    Returns
    -------
    dict
        Of the names that have a partner: its name.

    Raises
    ------
    InputError
        If two of the names left differ in the device alone.
    """
    names, offered = set(names), set(offered)
    pairs = {name: name for name in names & offered}
    left = _by_key(offered - names, place)
    for key, name in _by_key(names - offered, place).items():
        if key in left:
            pairs[name] = left[key]
    return pairs


def _by_key(names: set[str], place: Path) -> dict[str, str]:
    keyed: dict[str, str] = {}
    for name in sorted(names):
        key = name.rpartition("_")[0]
        if key in keyed:
            both = named((keyed[key], name)).replace(", ", " and ")
            raise InputError(f"{place}: {both} differ in the device alone and match no other name; rename one")
        keyed[key] = name
    return keyed


def _below(root: Path) -> Iterator[Path]:
    """Yield the folders below, the nearest first; hidden and linked ones are left out."""
    level = [root]
    for _ in range(_DEEPEST):
        inside = (path for folder in level for path in sorted(folder.glob("*/")))
        level = [path for path in inside if visible(path.name) and not path.is_symlink()]
        yield from level
