"""The tasks of the SPRSound 2022 challenge, scored from the decisions for any labels that can name their classes.

Zhang et al., "SPRSound: open-source SJTU paediatric respiratory sound database", IEEE Transactions on Biomedical
Circuits and Systems 16(5):867-881, 2022, names the scores; the formulas are those of challenge entries that agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungsound.labels import SPRSOUND_EVENTS, SPRSOUND_RECORDS
from lungsound.scores.metrics import share

DISCONTINUOUS = ("crackle", "fine crackle", "coarse crackle")
CONTINUOUS = ("wheeze", "rhonchi", "stridor")
"""Labels of what SPRSound's records call DAS and CAS."""

KINDS = ("fine crackle", "coarse crackle", "wheeze", "rhonchi", "stridor")
"""Labels that tell the seven types of task 1-2 apart."""

_POOR = SPRSOUND_RECORDS.index("Poor Quality")


def sprsound_scores(truth: ArrayLike, prediction: ArrayLike, neutral: Sequence[int] = ()) -> dict[str, float]:
    """Return the SPRSound 2022 challenge scores.

    Parameters
    ----------
    truth, prediction : array_like of int, shape [N]
        Class indices of the task, 0 being normal.
    neutral : sequence of int
        True classes that count in neither SE nor SP (Poor Quality in tasks 2-1 and 2-2).

    Returns
    -------
    dict
        ``sp``, ``se`` (exact class), ``as`` = (se + sp) / 2, ``hs`` = 2 se sp / (se + sp) and
        ``score`` = (as + hs) / 2.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    abnormal = (truth != 0) & ~np.isin(truth, list(neutral))
    sp = share(prediction[truth == 0] == 0)
    se = share(prediction[abnormal] == truth[abnormal])
    average = (se + sp) / 2
    harmonic = 2 * se * sp / (se + sp) if se + sp != 0 else 0.0
    return {"sp": sp, "se": se, "as": average, "hs": harmonic, "score": (average + harmonic) / 2}


def missing_labels(labels: Sequence[str]) -> dict[str, str]:
    """Return the tasks that labels cannot name the classes of, and what they lack, in words.

    Parameters
    ----------
    labels : sequence of str
        Names of the decisions.
    """
    missing = {}
    abnormal = {kind: own for kind, own in SPRSOUND_EVENTS.items() if own}
    if unnamed := [kind for kind, own in abnormal.items() if not set(own) & set(labels)]:
        missing = dict.fromkeys(("1-1", "2-1", "2-2"), f"no label is given for {', '.join(unnamed)}")
    if lacking := [label for label in KINDS if label not in labels]:
        missing["1-2"] = f"no label {', '.join(lacking)}"
    return missing


@dataclass(frozen=True)
class Task:
    """What a task of the challenge compares.

    Attributes
    ----------
    truth, prediction : ndarray of int64, shape [N]
        Classes, 0 being normal.
    neutral : tuple of int
        See :func:`sprsound_scores`.
    """

    truth: NDArray[np.int64]
    prediction: NDArray[np.int64]
    neutral: tuple[int, ...] = ()

    def scores(self) -> dict[str, float]:
        """Return its scores, see :func:`sprsound_scores`."""
        return sprsound_scores(self.truth, self.prediction, self.neutral)


def event_tasks(
    truth: Sequence[str], logits: ArrayLike, decisions: ArrayLike, labels: Sequence[str]
) -> dict[str, Task]:
    """Return the tasks on events that the labels can name: 1-1 (Normal or Adventitious) and 1-2 (seven types).

    Parameters
    ----------
    truth : sequence of str, length N
        SPRSound's own event labels.
    logits : array_like of float, shape [N, C]
        Model outputs.
    decisions : array_like of int, shape [N, C]
        Which labels are given.
    labels : sequence of str, length C
        Their names.
    """
    types = list(SPRSOUND_EVENTS)
    seven = np.array([types.index(name) for name in truth], dtype=np.int64)
    missing, found = missing_labels(labels), {}
    if "1-1" not in missing:
        any_of_them = np.asarray(decisions).any(axis=1)
        found["1-1"] = Task(np.minimum(seven, 1), np.asarray(any_of_them, dtype=np.int64))
    if "1-2" not in missing:
        found["1-2"] = Task(seven, decided_types(logits, decisions, labels))
    return found


def record_tasks(truth: Sequence[str], decisions: ArrayLike, labels: Sequence[str]) -> dict[str, Task]:
    """Return the tasks on recordings that the labels can name: 2-1 (three classes) and 2-2 (five).

    Parameters
    ----------
    truth : sequence of str, length N
        SPRSound's own record labels.
    decisions : array_like of int, shape [N, C]
        Which labels are given. Poor Quality is never predicted and, as in the challenge entries that published their
        scoring, counts in neither SE nor SP.
    labels : sequence of str, length C
        Their names.
    """
    if "2-2" in missing_labels(labels):
        return {}
    five = np.array([SPRSOUND_RECORDS.index(name) for name in truth], dtype=np.int64)
    continuous, discontinuous = (_any(decisions, labels, kind) for kind in (CONTINUOUS, DISCONTINUOUS))
    decided = np.array([0, 3, 2, 4])[discontinuous + 2 * continuous]
    return {
        "2-1": Task(np.minimum(five, 2), np.minimum(decided, 2), (_POOR,)),
        "2-2": Task(five, decided, (_POOR,)),
    }


def decided_types(logits: ArrayLike, decisions: ArrayLike, labels: Sequence[str]) -> NDArray[np.int64]:
    """Return the type of every event, as an index into SPRSound's seven.

    An event with a discontinuous and a continuous label is Wheeze+Crackle. Of fine and coarse crackles the one that is
    given counts, of both, or of neither beside crackle, the one with the larger logit. Rhonchi or stridor count before
    wheeze, which they are, too; of both the one with the larger logit.

    Parameters
    ----------
    logits, decisions, labels
        See :func:`event_tasks`; the labels include `KINDS`.
    """
    logit = dict(zip(labels, np.asarray(logits).T, strict=True))
    given = dict(zip(labels, np.asarray(decisions).T == 1, strict=True))
    discontinuous, continuous = (_any(decisions, labels, kind).astype(bool) for kind in (DISCONTINUOUS, CONTINUOUS))

    def first(one: str, other: str) -> NDArray[np.bool_]:
        return np.asarray(np.where(given[one] == given[other], logit[one] >= logit[other], given[one]))

    types = {name: index for index, name in enumerate(SPRSOUND_EVENTS)}
    crackles = np.where(first("fine crackle", "coarse crackle"), types["Fine Crackle"], types["Coarse Crackle"])
    low = np.where(first("rhonchi", "stridor"), types["Rhonchi"], types["Stridor"])
    wheezes = np.where(given["rhonchi"] | given["stridor"], low, types["Wheeze"])
    alone = np.where(discontinuous, crackles, np.where(continuous, wheezes, types["Normal"]))
    return np.asarray(np.where(discontinuous & continuous, types["Wheeze+Crackle"], alone), dtype=np.int64)


def _any(decisions: ArrayLike, labels: Sequence[str], kind: Sequence[str]) -> NDArray[np.int64]:
    """Return 1 where any label of a kind is given, shape [N]."""
    columns = [column for column, label in enumerate(labels) if label in kind]
    return np.asarray(np.asarray(decisions)[:, columns].any(axis=1), dtype=np.int64)
