"""KAUH: lung sounds of 112 people at King Abdullah University Hospital, each through three filters of a stethoscope.

Fraiwan et al., "A dataset of lung sounds recorded from the chest wall using an electronic stethoscope", Data in Brief
35:106913, 2021.
"""

import re
from pathlib import Path

from lungsound.corpora.formats.annotations import known_age
from lungsound.corpora.formats.audio_files import audio_files
from lungsound.corpora.formats.text import listed
from lungsound.corpora.formats.whole_recordings import WholeRecordings
from lungsound.corpora.registry import register
from lungsound.corpus import Corpus
from lungsound.errors import InputError, gathered

FOLDERS = ("AudioFiles", "Audio Files", "KAUH/AudioFiles", ".")
NAME = re.compile(
    r"(?P<filter>[BDE])P(?P<patient>\d+)_(?P<diagnosis>[^,]+),(?P<sound>[^,]*),(?P<site>[^,]*),"
    r"(?:\s*(?P<age>\d+)\s*,\s*(?P<sex>[FM]))?.*"
)
"""Filter (bell, diaphragm, extended), patient, diagnosis, sound, place, age and sex."""

FILTERS = {"B": "bell", "D": "diaphragm", "E": "extended"}
WORDS = {
    "asthma": "asthma",
    "copd": "COPD",
    "bron": "bronchitis",
    "heart failure": "heart failure",
    "lung fibrosis": "lung fibrosis",
    "plueral effusion": "pleural effusion",
    "pleural effusion": "pleural effusion",
    "pneumonia": "pneumonia",
}
"""What the names of files say of a disease, in small letters, and its label; several may be joined."""

HEALTHY = ("n", "normal")
OBSTRUCTIVE = ("asthma", "COPD")
LABELS = ("healthy", "obstructive", *dict.fromkeys(WORDS.values()))


@register(
    "kauh",
    what="KAUH: lung sounds of 112 people through three filters, with diagnoses",
    layout="AudioFiles or 'Audio Files' with BP1_Asthma,I E W,P L L R,70,M.wav and so on, or its recordings in ROOT.",
    terms="CC BY 4.0; cite the paper",
    paper="Fraiwan et al., A dataset of lung sounds recorded from the chest wall using an electronic stethoscope, "
    "Data in Brief 35:106913, 2021",
)
def load(root: Path) -> Corpus:
    """Read the corpus; the name of a file says everything.

    ``device`` is the filter, of which each person has three; ``obstructive`` is asthma or COPD, alone or with
    something else. The corpus gives no split.

    Parameters
    ----------
    root : Path
        Folder of the recordings, or the one above it.

    Raises
    ------
    InputError
        If there is no recording. A name that says nothing is a fault of the corpus.
    """
    faults, notes, unknown = list[str](), list[str](), list[str]()
    audio = next((found for name in FOLDERS if (found := audio_files(root / name, faults))), {})
    made = WholeRecordings(LABELS)
    for name, file in audio.items():
        with gathered(faults):
            fields = NAME.fullmatch(name)
            if fields is None:
                raise InputError(f"{file}: not named BP1_DIAGNOSIS,SOUND,PLACE,AGE,SEX.wav; restore the published name")
            diagnosis, patient = fields["diagnosis"].strip(), f"P{fields['patient']}"
            present = _labels(diagnosis)
            unknown += [] if present else [diagnosis]
            site, device = fields["site"].strip(), FILTERS[fields["filter"]]
            age, sex = known_age(fields["age"] or ""), fields["sex"] or ""
            made.add(name, file, present, patient=patient, site=site, device=device, age=age, sex=sex)
            made.diagnoses[patient] = diagnosis
    if not (audio or faults):
        raise InputError(f"{root}: no recordings of KAUH here or in {FOLDERS[0]}; name the folder of the corpus")
    if unknown:
        notes.append(f"recordings whose diagnosis names no disease that is known here: {listed(sorted(unknown))}")
    return made.corpus("kauh", root, notes, faults)


def _labels(diagnosis: str) -> set[str]:
    small = diagnosis.lower()
    present = {label for word, label in WORDS.items() if word in small}
    if small in HEALTHY:
        present.add("healthy")
    return present | ({"obstructive"} if present & set(OBSTRUCTIVE) else set())
