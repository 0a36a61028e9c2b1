"""What is asked of frozen features: a task of OPERA, or labels of any corpus; windows, answers and parts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lungsound.corpora.registry import open_corpus, parse_data
from lungsound.corpora.selection import Selection, usual_labels
from lungsound.corpora.splits import Split, assign
from lungsound.corpus import Corpus
from lungsound.errors import InputError
from lungsound.windows import cycles, recordings, stream
from teachers.probing.evaluation import Question
from teachers.probing.tasks import CLASS, find_task, split, units

ANY = "any"
"""The label of whatever has at least one of the corpus' own."""

PROTOCOLS = ("recordings", "cycles", "stream")


@dataclass(frozen=True)
class Asked:
    """Windows and what is asked of them, row for row.

    Attributes
    ----------
    windows : DataFrame
        Columns `lungsound.windows.WINDOW_COLUMNS`.
    question : Question
        Their answers, parts and patients.
    split : str
        How the parts were made.
    split_hash : str
        Of who is in which.
    part : str
        Which of them is the test.
    synthetic : bool
        Whether figures must be called synthetic.
    notes : tuple of str
        Why figures may mean less than they seem to, a sentence each.
    """

    windows: pd.DataFrame
    question: Question
    split: str
    split_hash: str
    part: str
    synthetic: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cut:
    """How sound is cut: the protocol, a window's length and a stream's hop in seconds, the seed of random clips."""

    protocol: str
    seconds: float
    hop_seconds: float
    seed: int

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise InputError(f"protocol {self.protocol[:40]!r}: choose from {', '.join(PROTOCOLS)}")

    def windows(self, corpus: Corpus, labels: Sequence[str]) -> pd.DataFrame:
        """Return the windows of a corpus with these labels."""
        if self.protocol == "cycles":
            return cycles(corpus, self.seconds, labels)
        if self.protocol == "stream":
            return stream(corpus, self.seconds, self.hop_seconds, labels)
        return recordings(corpus, self.seconds, labels, self.seed)


def ask_task(name: str, data: Sequence[str], cut: Cut) -> Asked:
    """Return the recordings of a task of OPERA.

    Raises
    ------
    InputError
        If there is no such task, `data` is another corpus than the task's, or a part lacks a class.
    """
    task = find_task(name)
    if len(data) != 1 or parse_data(data[0])[0] != task.corpus:
        raise InputError(f"{name} ({task.what}) is asked of {task.corpus}; give --data {task.corpus}:ROOT alone")
    corpus = open_corpus(*parse_data(data[0])).with_audio()
    table = units(task, corpus)
    parts = split(task, table)
    windows = cut.windows(corpus.where(corpus.recordings["recording"].isin(table["recording"])), task.classes)
    answers = table.set_index("recording")[CLASS].loc[windows["recording"]].to_numpy(np.int64)
    found = windows["recording"].map(parts.parts).fillna("")
    question = _question((name,), task.classes, answers[:, None], found, windows)
    question.refuse_unless_answerable("name the whole corpus")
    return Asked(windows, question, parts.name, parts.hash, "test", corpus.synthetic, _shared(question))


def ask_labels(
    data: Sequence[str], labels: Sequence[str], cut: Cut, part: str, validation: float, split_seed: int
) -> Asked:
    """Return windows of corpora, and for each label whether they have it.

    Parameters
    ----------
    data : sequence of str
        Corpora as ``name:root``.
    labels : sequence of str
        Of theirs, or `ANY`; none for the usual ones.
    cut : Cut
        How sound is cut.
    part : str
        What stands for the test. If it is ``validation``, another one is carved out of the training part, by whole
        patients, to choose epoch and layer on.
    validation : float
        Share of the training patients that chooses.
    split_seed : int
        Of that draw.

    Raises
    ------
    InputError
        If the part is empty, or one lacks a class.
    """
    labels = tuple(dict.fromkeys(labels)) or usual_labels(data)
    selection = Selection.open(data, drop_shared=False, validation=validation, seed=split_seed)
    tables = []
    for corpus, given in zip(selection.corpora, selection.splits, strict=True):
        parts = _parts(corpus, given, part, validation, split_seed)
        own = [label for label in labels if label != ANY]
        windows = cut.windows(corpus, tuple(dict.fromkeys([*own, *(corpus.labels if ANY in labels else ())])))
        if ANY in labels:
            windows[ANY] = windows[list(corpus.labels)].max(axis=1)
        tables.append(windows.assign(part=windows["recording"].map(parts).fillna("")))
    table: pd.DataFrame = pd.concat(tables, ignore_index=True)
    if not table["part"].eq("test").any():
        names = ", ".join(corpus.name for corpus in selection.corpora)
        there = sorted({found for given in selection.splits for found in given.parts.values()} - {"train"})
        raise InputError(f"{names}: nothing in part {part!r}; choose --split from {', '.join(there)}")
    table = table[table["part"] != ""].reset_index(drop=True)
    truth = table[list(labels)].to_numpy(np.int64)
    question = _question(labels, ("absent", "present"), truth, table["part"], table)
    question.refuse_unless_answerable("choose another --label, --split or --split-seed")
    name = "+".join(given.name for given in selection.splits)
    notes = (*selection.warnings, *_shared(question))
    return Asked(table, question, name, selection.hash, part, selection.synthetic, notes)


def _parts(corpus: Corpus, given: Split, part: str, validation: float, seed: int) -> dict[str, str]:
    """Return train, validation or test by recording."""
    if part == "train":
        raise InputError("--split train: probes are trained there; name validation or a test part")
    if part != "validation":
        names = {"train": "train", "validation": "validation", part: "test"}
        return {name: names[found] for name, found in given.parts.items() if found in names}
    training = given.part(corpus, "train")
    same = replace(training, recordings=training.recordings.assign(split="train"))
    inner = assign(same, drop_shared=False, validation=validation, seed=seed)
    test = {name: "test" for name, found in given.parts.items() if found == "validation"}
    return dict(inner.parts) | test


def _shared(question: Question) -> tuple[str, ...]:
    """Return a note where patients of the test are in training, too."""
    train, tested = (set(question.patients[question.rows(part)]) for part in ("train", "test"))
    if not (both := train & tested):
        return ()
    return (f"{len(both)} of the {len(tested)} patients of the test are in training, too, which flatters",)


def _question(
    names: Sequence[str], classes: tuple[str, ...], truth: np.ndarray, parts: pd.Series, windows: pd.DataFrame
) -> Question:
    patients = (windows["corpus"] + "/" + windows["patient"]).to_numpy(str)
    return Question(tuple(names), classes, truth, parts.to_numpy(str), patients)
