"""Read every file of a corpus and count what is there."""

import hashlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd

from lungsound.audio import read_pcm
from lungsound.corpora.icbhi2017 import patients
from lungsound.corpora.splits import shared_patients
from lungsound.corpus import Corpus
from lungsound.errors import InputError
from lungsound.labels import CLASSES, LABELS, class_names
from lungsound.terminal import progress


def check(corpus: Corpus, *, read_audio: bool = True) -> dict[str, Any]:
    """Count a corpus and read all of its audio.

    Parameters
    ----------
    corpus : Corpus
        Read from disk, so its annotations are sound.
    read_audio : bool
        Read every sample, too, and look for recordings that hold the same sound.

    Returns
    -------
    dict
        ``corpus``, ``root``, ``synthetic``; ``recordings`` (annotated ones), ``recordings_with_audio``, ``seconds``
        of audio; ``events`` (annotated cycles or events), ``events_with_audio``; by name and number ``labels`` (events
        that have it), ``classes`` (:func:`lungsound.labels.class_names`), ``classes_by_split``, ``event_types`` and
        ``record_types`` (SPRSound), ``splits``, ``splits_with_audio``, ``devices``, ``sample_rates`` (Hz),
        ``diagnoses`` (patients; ICBHI 2017); ``patients``, ``shared_patients`` (in training and test), ``notes`` and
        ``problems``, both lists of sentences. A problem is a damaged file.
    """
    recordings, events = corpus.recordings, corpus.events
    heard = recordings[recordings["path"] != ""]
    notes, problems = list(corpus.notes), list[str]()
    intra = set(recordings.loc[recordings["split"] == "intra", "patient"])
    if both := intra & set(recordings.loc[recordings["split"] == "train", "patient"]):
        notes.append(f"patients in both train and intra, as that test wants it: {len(both)}")
    if read_audio:
        problems, same = _read(heard)
        notes += [f"the same sound in {' and '.join(names)}" for names in same]
    classes = class_names(events, corpus.labels)
    named = dict.fromkeys(CLASSES, 0) if set(LABELS) <= set(corpus.labels) else {}
    return {
        "corpus": corpus.name,
        "root": str(corpus.root),
        "synthetic": corpus.synthetic,
        "recordings": len(recordings),
        "recordings_with_audio": len(heard),
        "seconds": round(float(heard["seconds"].sum()), 1),
        "events": len(events),
        "events_with_audio": int((events["path"] != "").sum()),
        "labels": {label: int(events[label].sum()) for label in corpus.labels},
        "classes": named | _counts(classes),
        "classes_by_split": _counts((events["split"] + " " + classes).str.strip()),
        "event_types": _counts(events["event_type"]),
        "record_types": _counts(recordings["record_type"]),
        "splits": _counts(recordings["split"]),
        "splits_with_audio": _counts(heard["split"]),
        "patients": recordings["patient"].nunique(),
        "shared_patients": list(shared_patients(corpus)),
        "devices": _counts(recordings["device"]),
        "sample_rates": _counts(heard["sample_rate"].astype(str)),
        "diagnoses": _diagnoses(corpus),
        "notes": notes,
        "problems": problems,
    }


def _counts(values: pd.Series) -> dict[str, int]:
    """Return how often each value occurs, the most frequent first; what has no name is left out."""
    return {str(name): int(count) for name, count in values[values.str.strip() != ""].value_counts().items()}


def _diagnoses(corpus: Corpus) -> dict[str, int]:
    if corpus.name not in ("icbhi2017", "synthetic"):
        return {}
    known = patients(corpus.root)
    return _counts(known.loc[known["patient"].isin(corpus.recordings["patient"]), "diagnosis"])


def _read(heard: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Read every recording; return what is wrong with them, and groups that hold the same samples."""
    problems, by_sound = [], defaultdict(list)
    rows = list(zip(heard["recording"], heard["path"], heard["sample_rate"], heard["split"], strict=True))
    for name, path, sample_rate, split in progress(rows, "reading recordings"):
        try:
            pcm = read_pcm(Path(path), int(sample_rate))
        except InputError as error:
            problems.append(str(error))
            continue
        if not pcm.any():
            problems.append(f"{path}: silent from end to end; leave it out or copy it again")
        else:
            by_sound[hashlib.sha256(pcm.tobytes()).digest()].append(f"{name} ({split})" if split else name)
    return problems, [names for names in by_sound.values() if len(names) > 1]
