"""Tables of predictions, by window and by recording, and what they are scored on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungsound.labels import SPRSOUND_EVENTS, SPRSOUND_RECORDS
from lungsound.scores.metrics import label_scores
from lungsound.scores.sprsound import Task, event_tasks, missing_labels, record_tasks
from lungsound.scores.weighted import weighted_label_scores

TRAINED = "in_training"
"""Column of 0 and 1: whether the corpus' own training part has the patient, too."""

_OF_RECORDING = ("site", "device", "age", "sex", TRAINED)


@dataclass(frozen=True)
class Predicted:
    """What is scored of windows or recordings.

    Attributes
    ----------
    truth, decisions : ndarray of int64, shape [N, C]
        0 or 1.
    logits : ndarray of float64, shape [N, C]
        Of the model.
    labels : tuple of str, length C
        Their names.
    """

    truth: NDArray[np.int64]
    logits: NDArray[np.float64]
    decisions: NDArray[np.int64]
    labels: tuple[str, ...]

    @classmethod
    def of(cls, table: pd.DataFrame, labels: Sequence[str]) -> Self:
        """Take it from a table of predictions."""
        truth, decisions = (table[names].to_numpy(np.int64) for names in (list(labels), decision_columns(labels)))
        return cls(truth, table[logit_columns(labels)].to_numpy(np.float64), decisions, tuple(labels))

    def where(self, rows: NDArray[np.bool_]) -> Self:
        """Return what is scored of some rows."""
        return replace(self, truth=self.truth[rows], logits=self.logits[rows], decisions=self.decisions[rows])

    def scores(self) -> dict[str, Any]:
        """See :func:`lungsound.scores.metrics.label_scores`."""
        return label_scores(self.truth, self.logits, self.decisions, self.labels)

    def weighted_scores(self, weights: NDArray[np.float64]) -> dict[str, Any]:
        """See :func:`lungsound.scores.weighted.weighted_label_scores`."""
        return weighted_label_scores(self.truth, self.logits, self.decisions, self.labels, weights)


def logit_columns(labels: Sequence[str]) -> list[str]:
    """Return the columns of the logits in a table of predictions."""
    return [f"logit_{label}" for label in labels]


def decision_columns(labels: Sequence[str]) -> list[str]:
    """Return the columns of the decisions in a table of predictions."""
    return [f"decided_{label}" for label in labels]


def predictions_table(
    windows: pd.DataFrame, logits: NDArray[np.float64], decisions: NDArray[np.int64], labels: Sequence[str]
) -> pd.DataFrame:
    """Return the windows with the model's logits and decisions beside the truth, one row an event or window.

    Parameters
    ----------
    windows : DataFrame
        N windows.
    logits, decisions : ndarray, shape [N, C]
        Of the model.
    labels : sequence of str, length C
        Their names.
    """
    said = pd.DataFrame(logits, columns=logit_columns(labels), index=windows.index)
    given = pd.DataFrame(decisions, columns=decision_columns(labels), index=windows.index)
    return pd.concat([windows, said, given], axis=1)


def recordings_table(table: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Gather stream predictions by recording: a label is there if any window has it, the logit is the largest."""
    columns = [*labels, *logit_columns(labels), *decision_columns(labels)]
    kept = table.groupby(["corpus", "recording"], sort=False)
    gathered = kept[columns].max()
    told = ["patient", "record_type", *(name for name in _OF_RECORDING if name in table)]
    return gathered.join(kept[told].first()).reset_index()


def tasks_of(table: pd.DataFrame, protocol: str, labels: Sequence[str]) -> tuple[dict[str, Task], dict[str, str]]:
    """Return SPRSound's tasks that predictions can be scored on, and by task why the others cannot.

    Parameters
    ----------
    table : DataFrame
        Predictions: of ``cycles`` by event, of ``stream`` by recording.
    protocol : str
        Which of the two.
    labels : sequence of str
        Names of the labels.

    Returns
    -------
    tuple of dict
        Both empty where the corpus is another.
    """
    decisions = table[decision_columns(labels)].to_numpy()
    if protocol == "cycles" and table["event_type"].isin(list(SPRSOUND_EVENTS)).all():
        found = event_tasks(table["event_type"].tolist(), table[logit_columns(labels)].to_numpy(), decisions, labels)
    elif protocol == "stream" and table["record_type"].isin(SPRSOUND_RECORDS).all():
        found = record_tasks(table["record_type"].tolist(), decisions, labels)
    else:
        return {}, {}
    level = "1" if protocol == "cycles" else "2"
    return found, {name: why for name, why in missing_labels(labels).items() if name.startswith(level)}
