"""RespiratoryDatabase@TR: lung sounds of 42 people with COPD of five severities, twelve channels each.

Altan et al., "Multimedia respiratory database (RespiratoryDatabase@TR): auscultation sounds and chest X-rays", Natural
and Engineering Sciences 2(3):59-72, 2017.
"""

import os
import re
from pathlib import Path

from lungsound.corpora.formats.audio_files import audio_files
from lungsound.corpora.formats.table_file import read_table
from lungsound.corpora.formats.text import listed, named, shown
from lungsound.corpora.formats.whole_recordings import WholeRecordings
from lungsound.corpora.registry import register
from lungsound.corpus import Corpus
from lungsound.errors import InputError, gathered

FOLDERS = ("RespiratoryDatabase@TR", ".")
TABLE = "Labels.csv"
COLUMNS = ("Patient ID", "Diagnosis")
LABELS = ("COPD0", "COPD1", "COPD2", "COPD3", "COPD4")
NAME = re.compile(r"(?P<patient>\w+)_(?P<site>[LR]\d)")
"""Patient and channel: H002_L1.wav."""


@register(
    "respiratory_tr",
    what="RespiratoryDatabase@TR: lung sounds of 42 people with COPD of severity 0 to 4",
    layout="Labels.csv (Patient ID, Diagnosis; Labels.xlsx saved as CSV) and the folder RespiratoryDatabase@TR with "
    "H002_L1.wav to H002_R6.wav and so on beside it, or its recordings beside the table.",
    terms="CC BY 4.0; cite the paper",
    paper="Altan et al., Multimedia respiratory database (RespiratoryDatabase@TR): auscultation sounds and chest "
    "X-rays, Natural and Engineering Sciences 2(3):59-72, 2017",
)
def load(root: Path) -> Corpus:
    """Read the corpus, which gives no split.

    Parameters
    ----------
    root : Path
        Folder of the table.

    Raises
    ------
    InputError
        If there is no table. A damaged file is a fault of the corpus.
    """
    file = root / TABLE
    if not os.path.lexists(file):
        raise InputError(f"{root}: no {TABLE} of RespiratoryDatabase@TR here; save Labels.xlsx as CSV in this folder")
    faults, notes = list[str](), list[str]()
    severities = _severities(file, faults)
    audio = next((found for name in FOLDERS if (found := audio_files(root / name, faults))), {})
    made, unknown, heard = WholeRecordings(LABELS), list[str](), set[str]()
    for name, path in audio.items():
        with gathered(faults):
            fields = NAME.fullmatch(name)
            if fields is None:
                raise InputError(f"{path}: not named PATIENT_CHANNEL.wav as H002_L1.wav; restore the published name")
            patient = fields["patient"]
            heard.add(patient)
            if patient not in severities:
                unknown.append(name)
                continue
            made.add(name, path, {severities[patient]}, patient=patient, site=fields["site"])
            made.diagnoses[patient] = severities[patient]
    if unknown:
        notes.append(f"audio of people whom {TABLE} does not name, left out: {listed(unknown)}")
    if without := sorted(severities.keys() - heard):
        notes.append(f"people of {TABLE} without audio: {listed(without)}")
    return made.corpus("respiratory_tr", root, notes, faults)


def _severities(file: Path, faults: list[str]) -> dict[str, str]:
    table = read_table(file, faults)
    if missing := set(COLUMNS) - set(table.columns):
        raise InputError(f"{file}: no column {named(sorted(missing))}; restore the published table")
    found: dict[str, str] = {}
    for number, row in table.rows:
        with gathered(faults):
            patient, severity = (row[column] for column in COLUMNS)
            severity = severity.replace(" ", "").upper()
            if severity not in LABELS:
                wrong = f"the diagnosis {shown(row[COLUMNS[1]])} is none of {', '.join(LABELS)}"
                raise InputError(f"{file}, row {number}: {wrong}; mend it")
            if not patient or found.setdefault(patient, severity) != severity:
                raise InputError(f"{file}, row {number}: names no patient, or one of above otherwise; mend the row")
    return found
