"""The tasks T5 to T11 of the OPERA benchmark (Zhang et al. 2024): which recordings, which classes, which split."""

from dataclasses import dataclass

import pandas as pd

from lungsound.corpora.splits import Split
from lungsound.corpus import Corpus
from lungsound.errors import InputError

CLASS = "class"
"""Column of a recording's class, counted from 0."""


@dataclass(frozen=True)
class Draw:
    """How a part is drawn where the corpus names none: a share of patients or recordings, of every class alike."""

    share: float
    seed: int
    by_patient: bool = False


@dataclass(frozen=True)
class Task:
    """A question to whole recordings.

    Attributes
    ----------
    what : str
        In words.
    corpus : str
        Under which its reader is registered.
    classes : tuple of str
        Labels of the corpus, of which a recording that takes part has exactly one.
    test, validation : Draw
        Taken where the corpus does not name that part; validation is drawn from what is left for training.
    site, beside : str
        Recordings of this site alone, of patients who have one that can be used at the other site, too.
    epochs, batch_size, every : int
        Where they differ from :class:`teachers.probing.linear.LinearSettings`.
    """

    what: str
    corpus: str
    classes: tuple[str, ...]
    test: Draw = Draw(0.2, 1337)
    validation: Draw = Draw(0.2, 1337)
    site: str = ""
    beside: str = ""
    epochs: int = 64
    batch_size: int = 32
    every: int = 1


_COUGHS = {"site": "cough-shallow", "beside": "cough-heavy"}

TASKS = {
    "T5": Task("CoughVID, COVID-19", "coughvid", ("healthy", "COVID-19"), batch_size=64),
    "T6": Task("CoughVID, sex", "coughvid", ("female", "male"), batch_size=64),
    "T7": Task("ICBHI 2017, COPD", "icbhi2017_disease", ("Healthy", "COPD")),
    "T8": Task("Coswara, smoker", "coswara", ("nonsmoker", "smoker"), **_COUGHS),  # type: ignore[arg-type]
    "T9": Task("Coswara, sex", "coswara", ("female", "male"), **_COUGHS),  # type: ignore[arg-type]
    # OPERA draws 10 % of the patients for validation and 20 % for the test, but labels both as test.
    "T10": Task(
        "KAUH, obstructive",
        "kauh",
        ("healthy", "obstructive"),
        Draw(0.3, 42, True),
        Draw(0.1, 1337),
        epochs=50,
        every=5,
    ),
    "T11": Task(
        "RespiratoryDatabase@TR, severity of COPD",
        "respiratory_tr",
        ("COPD0", "COPD1", "COPD2", "COPD3", "COPD4"),
        Draw(0.2, 1337, True),
        Draw(0.2, 1337, True),
    ),
}
"""Each task by OPERA's number.

Its code draws from the order of a directory listing or of a table, which nobody else has; here recordings are drawn
in the order of their names, with its shares and seeds.
"""


def find_task(name: str) -> Task:
    """Return a task.

    Raises
    ------
    InputError
        If there is none of this name; the sentence lists them.
    """
    if name not in TASKS:
        raise InputError(f"no task called {name[:40]!r}; choose from {', '.join(TASKS)}")
    return TASKS[name]


def units(task: Task, corpus: Corpus) -> pd.DataFrame:
    """Return the recordings that take part: the corpus' columns and `CLASS`, sorted by recording.

    Raises
    ------
    InputError
        If a class has no recording.
    """
    corpus.refuse_unless_annotated(task.classes)
    has = corpus.events.groupby("recording")[list(task.classes)].max()
    usable = corpus.recordings[corpus.recordings["recording"].isin(has.index)]
    if task.beside:
        usable = usable[usable["patient"].isin(usable.loc[usable["site"] == task.beside, "patient"])]
    if task.site:
        usable = usable[usable["site"] == task.site]
    rows = has.loc[usable["recording"]].to_numpy()
    table: pd.DataFrame = usable.assign(**{CLASS: rows.argmax(axis=1)})[rows.sum(axis=1) == 1].reset_index(drop=True)
    absent = [name for number, name in enumerate(task.classes) if not (table[CLASS] == number).any()]
    if absent:
        raise InputError(f"{corpus.root}: no recording with {' and with '.join(absent)}; name the whole corpus")
    return table


def split(task: Task, table: pd.DataFrame) -> Split:
    """Return the part of every recording that takes part.

    Parts that the corpus names are taken; the others are drawn.

    Parameters
    ----------
    task : Task
        Whose draws.
    table : DataFrame
        From :func:`units`.

    Raises
    ------
    InputError
        If there are too few of a class to be shared out.
    """
    named = table["split"]
    parts = named if named.ne("").any() else _drawn(task.test, table, named.mask(named == "", "train"), "test")
    if not parts.eq("validation").any():
        parts = _drawn(task.validation, table, parts, "validation")
    known = zip(table["recording"], parts, strict=True)
    name = "official" if named.ne("").any() else "drawn as OPERA"
    return Split(name, {recording: part for recording, part in known if part})


def _drawn(draw: Draw, table: pd.DataFrame, parts: pd.Series, part: str) -> pd.Series:
    """Give `part` to a share of what is in training."""
    from sklearn.model_selection import train_test_split

    key = "patient" if draw.by_patient else "recording"
    training = table[parts == "train"]
    kinds = training.groupby(key, sort=True)[CLASS].max()
    try:
        names, classes = kinds.index.tolist(), kinds.tolist()
        _, chosen = train_test_split(names, test_size=draw.share, random_state=draw.seed, stratify=classes)
    except ValueError as error:
        raise InputError(
            f"{len(kinds)} {key}s are too few for {draw.share:.0%} of each class in {part}; name the whole corpus"
        ) from error
    return parts.mask(parts.eq("train") & table[key].isin(chosen), part)
