"""HLS-CMDS: lung sounds of a clinical manikin, as published on disk; enough for a smoke test, not for a figure.

Torabi et al., "Manikin-recorded cardiopulmonary sounds dataset using digital stethoscope", 2024.
"""

import os
from dataclasses import replace
from pathlib import Path

from lungsound.corpora.formats.audio_files import audio_files, measure
from lungsound.corpora.formats.text import listed, read_lines, shown
from lungsound.corpora.registry import register
from lungsound.corpus import Corpus, make_corpus
from lungsound.errors import InputError, gathered

TABLE = "LS.csv"
FOLDER = "LS"
COLUMNS = ("Gender", "Lung Sound Type", "Location", "Lung Sound ID")
LABELS = ("crackle", "wheeze", "fine crackle", "coarse crackle", "rhonchi")
LABELS_OF: dict[str, tuple[str, ...] | None] = {
    "Normal": (),
    "Fine Crackles": ("crackle", "fine crackle"),
    "Coarse Crackles": ("crackle", "coarse crackle"),
    "Wheezing": ("wheeze",),
    "Rhonchi": ("wheeze", "rhonchi"),
    "Pleural Rub": None,
}
"""Labels of each sound, crackle and wheeze as in SPRSound; a pleural rub is neither and not normal either."""


@register(
    "hls_cmds",
    what="HLS-CMDS: lung sounds of a clinical manikin; for smoke tests",
    layout="LS.csv and the folder LS beside it, or its recordings beside the table.",
    terms="see the published corpus; cite the paper",
    paper="Torabi et al., Manikin-recorded cardiopulmonary sounds dataset using digital stethoscope, 2024",
)
def load(root: Path) -> Corpus:
    """Read the lung sounds of the corpus.

    A recording holds one sound from end to end, so it has one event. A recording of a pleural rub has none, and its
    ``continuous`` is False: no window of it may count as normal.

    Parameters
    ----------
    root : Path
        Folder with ``LS.csv`` and ``LS``.

    Returns
    -------
    Corpus
        One patient, ``manikin``; all in the split ``test``.

    Raises
    ------
    InputError
        If the table is missing or damaged.
    """
    faults = list[str]()
    audio = audio_files(root / FOLDER, faults) or audio_files(root, faults)
    recordings: list[dict[str, object]] = []
    events: list[dict[str, object]] = []
    rubs, renamed, without = [], [], []
    rows: dict[str, tuple[str, dict[str, str]]] = {}
    for where, row in _rows(root / TABLE, faults):
        if rows.setdefault(name := _name(row, audio), (where, row))[0] != where:
            faults.append(f"{where}: {name:.80} stands in the table twice; restore the published table")
    for name, (where, row) in rows.items():
        labels, (file, seconds, sample_rate) = None, measure(None)
        with gathered(faults):
            labels = _labels(where, row)
            file, seconds, sample_rate = measure(audio.get(name))
        recordings.append(
            {
                "recording": name,
                "path": file,
                "seconds": seconds,
                "sample_rate": sample_rate,
                "patient": "manikin",
                "site": row["Location"],
                "device": "digital stethoscope",
                "split": "test",
                "record_type": "",
                "continuous": labels is not None,
            }
        )
        if labels is not None and file:
            events.append(
                {"recording": name, "start": 0.0, "end": seconds} | {label: int(label in labels) for label in LABELS}
            )
        rubs += [name] if labels is None else []
        renamed += [f"{name} as {row['Lung Sound ID']}"] if name != row["Lung Sound ID"] else []
        without += [] if file else [name]
    left = sorted(audio.keys() - {str(row["recording"]) for row in recordings})
    found = {
        "pleural rubs, neither normal nor crackle nor wheeze, not listened to": rubs,
        f"recordings that {TABLE} names otherwise": renamed,
        f"recordings of {TABLE} without audio": without,
        f"audio that {TABLE} does not name, left out": left,
    }
    notes = [f"{note}: {listed(names)}" for note, names in found.items() if names]
    corpus = make_corpus("hls_cmds", root.resolve(), recordings, events, notes, labels=LABELS)
    return replace(corpus, faults=tuple(faults))


def _labels(where: str, row: dict[str, str]) -> tuple[str, ...] | None:
    sound = row["Lung Sound Type"]
    if sound not in LABELS_OF:
        raise InputError(
            f"{where}: the sound {shown(sound)} is none of {', '.join(LABELS_OF)}; restore the published table"
        )
    return LABELS_OF[sound]


def _name(row: dict[str, str], audio: dict[str, Path]) -> str:
    """Return the stem of a row's file.

    The table calls fine crackles C and coarse ones G, the files FC and CC: the initials of the sound.
    """
    initials = "".join(word[0] for word in row["Lung Sound Type"].split())
    spelt_out = f"{row['Gender']}_{initials}_{row['Location']}"
    return spelt_out if row["Lung Sound ID"] not in audio and spelt_out in audio else row["Lung Sound ID"]


def _rows(path: Path, faults: list[str]) -> list[tuple[str, dict[str, str]]]:
    """Return the rows of the table, each with where it stands; one that is damaged is a fault."""
    if not os.path.lexists(path):
        raise InputError(f"{path.parent}: no {TABLE} of HLS-CMDS here; name the folder of the unpacked corpus")
    (_, heading), *lines = read_lines(path) or [("", "")]
    columns = _values(heading)
    if not set(COLUMNS) <= set(columns) or not lines:
        raise InputError(f"{path}: no table with the columns {', '.join(COLUMNS)}; restore the published table")
    rows = []
    for where, line in lines:
        values = _values(line)
        if len(values) == len(columns):
            rows.append((where, dict(zip(columns, values, strict=True))))
        else:
            faults.append(f"{where}: {len(values)} columns instead of {len(columns)}; restore the published table")
    return rows


def _values(line: str) -> list[str]:
    return [value.strip() for value in line.split(",")]
