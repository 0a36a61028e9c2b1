"""Coswara: breathing, coughs and speech from telephones.

Bhattacharya et al., "Coswara: a respiratory sounds and symptoms dataset for remote screening of SARS-CoV-2 infection",
Scientific Data 10:397, 2023.
"""

import os
from pathlib import Path

from lungsound.corpora.formats.annotations import checked_number
from lungsound.corpora.formats.audio_files import audio_files
from lungsound.corpora.formats.table_file import read_table
from lungsound.corpora.formats.text import listed, named
from lungsound.corpora.formats.whole_recordings import WholeRecordings
from lungsound.corpora.registry import register
from lungsound.corpus import Corpus
from lungsound.errors import InputError, gathered

TABLE = "combined_data.csv"
SOUNDS = "Extracted_data"
ANNOTATIONS = "annotations"
LABELS = ("female", "male", "smoker", "nonsmoker")
BREATH_AND_COUGH = ("breathing-deep", "breathing-shallow", "cough-heavy", "cough-shallow")
"""What is read of a participant's nine recordings; ``site`` tells which one it is."""

_YES, _NO = ("y", "yes", "true", "1"), ("n", "no", "false", "0")
_BAD = 0  # of the qualities 0, 1 and 2


@register(
    "coswara",
    what="Coswara: breath and coughs from telephones, with sex and smoking",
    layout="combined_data.csv, Extracted_data/DATE/ID/cough-shallow.wav and so on, annotations/*.csv with the quality "
    "of each recording; or Coswara-Data above them.",
    terms="CC BY 4.0; cite the paper",
    paper="Bhattacharya et al., Coswara: a respiratory sounds and symptoms dataset for remote screening of SARS-CoV-2 "
    "infection, Scientific Data 10:397, 2023",
)
def load(root: Path) -> Corpus:
    """Read breath and coughs of the corpus; speech is left out.

    A recording of quality 0 (``annotations``) is not listened to. The corpus gives no split.

    Parameters
    ----------
    root : Path
        Folder of the table, or the one above it.

    Raises
    ------
    InputError
        If there is no table. A damaged file is a fault of the corpus.
    """
    place = next((place for place in (root, root / "Coswara-Data") if os.path.lexists(place / TABLE)), None)
    if place is None:
        raise InputError(f"{root}: no {TABLE} of Coswara here; name the folder of the unpacked corpus")
    faults, notes = list[str](), list[str]()
    table = read_table(place / TABLE, faults, numbered=True)
    if missing := {"id", "g", "smoker"} - set(table.columns):
        raise InputError(f"{place / TABLE}: no column {named(sorted(missing))}; restore the published table")
    bad = _of_bad_quality(place / ANNOTATIONS, faults)
    folders = {path.name: path for path in sorted((place / SOUNDS).glob("*/*/"))}
    made, without, seen = WholeRecordings(LABELS), list[str](), set[str]()
    for number, row in table.rows:
        person = row["id"]
        if not person or person in seen:
            faults.append(f"{place / TABLE}, row {number}: names no id, or one of above; restore the published table")
            continue
        seen.add(person)
        if person not in folders:
            without.append(person)
            continue
        for site, file in audio_files(folders[person], faults).items():
            if site in BREATH_AND_COUGH:
                with gathered(faults):
                    name = f"{person}_{site}"
                    made.add(name, file, _present(row), patient=person, site=site, usable=name not in bad)
        if row.get("covid_status"):
            made.diagnoses[person] = row["covid_status"]
    if without:
        notes.append(f"people of {TABLE} without a folder in {SOUNDS}: {listed(without)}")
    if left := sorted(folders.keys() - seen):
        notes.append(f"folders that {TABLE} does not name, left out: {listed(left)}")
    return made.corpus("coswara", root, notes, faults)


def _present(row: dict[str, str]) -> set[str]:
    """Return the labels that a person has; of what nobody told neither the one nor the other."""
    smokes = row["smoker"].lower()
    smoking = {"smoker"} if smokes in _YES else {"nonsmoker"} if smokes in _NO else set()
    return smoking | ({row["g"].lower()} & {"female", "male"})


def _of_bad_quality(folder: Path, faults: list[str]) -> set[str]:
    bad = set[str]()
    for path in sorted(folder.glob("[!.]*.csv")):
        with gathered(faults):
            table = read_table(path, faults, numbered=True)
            columns = {name.upper(): name for name in table.columns}
            if not {"FILENAME", "QUALITY"} <= columns.keys():
                raise InputError(f"{path}: no columns FILENAME and QUALITY; restore the published table")
            for number, row in table.rows:
                quality = checked_number(f"{path}, row {number}", "quality", row[columns["QUALITY"]])
                if quality <= _BAD:
                    bad.add(row[columns["FILENAME"]].removesuffix(".wav"))
    return bad
