"""CoughVID: coughs that people recorded with their own telephones and browsers.

Orlandic, Teijeiro and Atienza, "The COUGHVID crowdsourcing dataset", Scientific Data 8:156, 2021.
"""

import os
from pathlib import Path

import numpy as np

from lungsound.corpora.formats.audio_files import audio_files
from lungsound.corpora.formats.table_file import read_table
from lungsound.corpora.formats.text import listed, named, read_lines
from lungsound.corpora.formats.whole_recordings import WholeRecordings
from lungsound.corpora.registry import register
from lungsound.corpus import Corpus
from lungsound.errors import InputError, first_line, gathered
from lungsound.files.untrusted import open_regular

TABLE = "metadata_compiled.csv"
FOLDERS = ("wav", "public_dataset", "coughvid_20211012", ".")
STATUS = ("COVID-19", "healthy", "symptomatic")
SEX = ("female", "male")
LABELS = (*STATUS, *SEX)
_MOST_NAMES = 2**26  # bytes of a list


@register(
    "coughvid",
    what="CoughVID: coughs from telephones, with status (COVID-19, healthy, symptomatic) and sex",
    layout="metadata_compiled.csv and the folder wav beside it with UUID.wav (the published WebM and Ogg files "
    "converted); lists of uuids in files such as train_uuids.npy, val_..., test_... give the split.",
    terms="CC BY 4.0; cite the paper",
    paper="Orlandic, Teijeiro and Atienza, The COUGHVID crowdsourcing dataset, Scientific Data 8:156, 2021",
)
def load(root: Path) -> Corpus:
    """Read the corpus.

    Nobody knows who coughed twice, so each recording is a patient. The split is that of the lists of uuids (``.npy``
    or ``.txt``) whose names hold train, val and test; of two lists of the test the one that names gender or sex counts,
    as OPERA's own code tests with. Where there are none, ``split`` is empty.

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
        raise InputError(f"{root}: no {TABLE} of CoughVID here; name the folder of the unpacked corpus")
    faults, notes = list[str](), list[str]()
    table = read_table(file, faults, numbered=True)
    if missing := {"uuid", "status", "gender"} - set(table.columns):
        raise InputError(f"{file}: no column {named(sorted(missing))}; restore the published table")
    audio = next((found for name in FOLDERS if (found := audio_files(root / name, faults))), {})
    splits: dict[str, str] = {}
    with gathered(faults):
        splits = _splits(root)
    made, without, seen = WholeRecordings(LABELS), 0, set[str]()
    for number, row in table.rows:
        name = row["uuid"]
        with gathered(faults):
            if not name or name in seen:
                raise InputError(f"{file}, row {number}: names no uuid, or one of above; restore the published table")
            seen.add(name)
            if name not in audio:
                without += 1
                continue
            present = {row["status"], row["gender"]} & set(LABELS)
            made.add(name, audio[name], present, split=splits.get(name, ""))
            if row["status"] in STATUS:
                made.diagnoses[name] = row["status"]
    if without:
        notes.append(f"rows of {TABLE} without a file that is read here (convert WebM and Ogg to wav/): {without}")
    if left := sorted(audio.keys() - seen):
        notes.append(f"audio that {TABLE} does not name, left out: {listed(left)}")
    if not splits:
        notes.append("no lists of uuids (.npy or .txt with train, val and test in their names), so no split")
    return made.corpus("coughvid", root, notes, faults)


def _splits(root: Path) -> dict[str, str]:
    lists = sorted(path for path in root.iterdir() if path.suffix in (".npy", ".txt") and not path.name.startswith("."))
    splits: dict[str, str] = {}
    for split, word in (("train", "train"), ("validation", "val"), ("test", "test")):
        found = [path for path in lists if word in path.stem.lower()]
        of_sex = [path for path in found if "gender" in path.stem.lower() or "sex" in path.stem.lower()]
        for path in (of_sex or found)[:1]:
            for name in _names(path):
                if splits.setdefault(name, split) != split:
                    raise InputError(f"{path}: {name:.80} is in the list of {splits[name]}, too; restore the lists")
    return splits


def _names(path: Path) -> list[str]:
    if path.suffix == ".txt":
        return [line.strip() for _, line in read_lines(path)]
    try:
        with open_regular(path) as file:
            if path.stat().st_size > _MOST_NAMES:
                raise ValueError("too large")
            names = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        reason = first_line(error)
        raise InputError(f"{path}: no list of names ({reason}); save it as text, a uuid a line, named .txt") from error
    if names.ndim != 1 or names.dtype.kind != "U":
        raise InputError(f"{path}: not a list of names but {names.dtype} {names.shape}; save it as text, named .txt")
    return [str(name) for name in names]
