"""Read every file of a corpus, count what is there and say what is missing."""

import hashlib
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
import soundfile

from lungsound.audio import read_pcm
from lungsound.corpora.formats.text import listed
from lungsound.corpora.splits import APART, gives_split, shared_patients, warnings
from lungsound.corpus import Corpus
from lungsound.errors import InputError
from lungsound.labels import CLASSES, LABELS, class_names
from lungsound.terminal import progress


def check(corpus: Corpus, *, read_audio: bool = True) -> dict[str, Any]:
    """Count a corpus and read all of its audio.

    Parameters
    ----------
    corpus : Corpus
        Read from disk.
    read_audio : bool
        Read every sample, too, and look for recordings that hold the same sound.

    Returns
    -------
    dict
        ``corpus``, ``root``, ``synthetic``; ``recordings`` (annotated ones), ``recordings_with_audio``, ``seconds``
        of audio; ``events`` (annotated cycles or events), ``events_with_audio``; by name and number ``labels`` (events
        that have it), ``classes`` (:func:`lungsound.labels.class_names`), ``classes_by_split``, ``event_types`` and
        ``record_types`` (SPRSound), ``splits``, ``splits_with_audio``, ``devices``, ``sample_rates`` (Hz),
        ``diagnoses`` (patients); ``patients``, ``shared_patients`` (in training and a test of others), and as lists of
        sentences ``missing`` (what nobody tells of the recordings), ``notes`` and ``problems``. A problem is a damaged
        file.
    """
    recordings, events = corpus.recordings, corpus.events
    heard = recordings[recordings["path"] != ""]
    notes, problems = [*corpus.notes, *_shared_by_design(recordings)], list(corpus.faults)
    if read_audio:
        found, same, mixed = _read(heard)
        problems += found
        notes += [f"the same sound in {' and '.join(names)}" for names in same]
        notes += [f"recordings of several channels, which are averaged: {listed(mixed)}"] if mixed else []
    classes = class_names(events, corpus.labels)
    named = dict.fromkeys(CLASSES, 0) if set(LABELS) <= set(corpus.labels) else {}
    known = [corpus.diagnoses[name] for name in recordings["patient"].unique() if name in corpus.diagnoses]
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
        "diagnoses": _counts(pd.Series(known, dtype=object)),
        "missing": _missing(corpus),
        "notes": notes,
        "problems": problems,
    }


def _counts(values: pd.Series) -> dict[str, int]:
    """Return how often each value occurs, the most frequent first; what has no name is left out."""
    return {str(name): int(count) for name, count in values[values.str.strip() != ""].value_counts().items()}


def _missing(corpus: Corpus) -> list[str]:
    """Say what nobody tells of the recordings, and what that leads to."""
    recordings, missing = corpus.recordings, warnings(corpus)
    for column in ("site", "device"):
        if unknown := int((recordings[column] == "").sum()):
            missing.append(f"no {column} for {unknown} of {len(recordings)} recordings")
    if gives_split(corpus) and (unnamed := int((recordings["split"] == "").sum())):
        missing.append(f"no split for {unnamed} of {len(recordings)} recordings, which take no part")
    return missing


def _shared_by_design(recordings: pd.DataFrame) -> list[str]:
    """Name the tests whose patients training has, too, and should have (SPRSound's intra)."""
    trained = set(recordings.loc[recordings["split"] == "train", "patient"])
    notes = []
    for part in sorted(set(recordings["split"]) - {"", "train", "validation", *APART}):
        if both := trained & set(recordings.loc[recordings["split"] == part, "patient"]):
            notes.append(f"patients in both train and {part}, as that test wants it: {len(both)}")
    return notes


def _read(heard: pd.DataFrame) -> tuple[list[str], list[list[str]], list[str]]:
    """Read every recording.

    Returns
    -------
    problems : list of str
        What is wrong with them.
    same : list of list of str
        Groups that hold the same samples.
    mixed : list of str
        Those with more than one channel.
    """
    problems, by_sound, mixed = list[str](), defaultdict[bytes, list[str]](list), list[str]()
    rows = list(zip(heard["recording"], heard["path"], heard["sample_rate"], heard["split"], strict=True))
    for name, path, sample_rate, split in progress(rows, "reading recordings"):
        try:
            pcm = read_pcm(Path(path), int(sample_rate))
        except InputError as error:
            problems.append(str(error))
            continue
        if not pcm.any():
            problems.append(f"{path}: silent from end to end; leave it out or copy it again")
            continue
        by_sound[hashlib.sha256(pcm.data).digest()].append(f"{name} ({split})" if split else name)
        mixed += [name] if soundfile.info(os.fsencode(path)).channels > 1 else []
    return problems, [names for names in by_sound.values() if len(names) > 1], mixed
