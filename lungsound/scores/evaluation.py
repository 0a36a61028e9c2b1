"""Scores of stored predictions, by window and by recording."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungsound.labels import SPRSOUND_EVENTS, SPRSOUND_RECORDS, classes_from_labels, four_classes
from lungsound.scores.metrics import label_scores
from lungsound.scores.sprsound import event_scores, missing_labels, record_scores


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
    return gathered.join(kept[["patient", "record_type"]].first()).reset_index()


def scores(table: pd.DataFrame, protocol: str, labels: Sequence[str]) -> dict[str, Any]:
    """Score the predictions of one protocol.

    Parameters
    ----------
    table : DataFrame
        As :func:`predictions_table` returns it.
    protocol : str
        ``cycles`` or ``stream``.
    labels : sequence of str
        Names of the labels.

    Returns
    -------
    dict
        ``windows`` (see :func:`lungsound.scores.metrics.label_scores`), ``by_patient`` (see :func:`patient_interval`),
        for streams ``recordings``, and for SPRSound the tasks that the labels can name: of cycles ``task_1-1`` and
        ``task_1-2``, of streams ``task_2-1`` and ``task_2-2``; ``left_out`` tells by task why the others are not there.
    """
    found: dict[str, Any] = {
        "windows": _label_scores(table, labels),
        "by_patient": patient_interval(table, labels),
    }
    tasks: dict[str, dict[str, float]] = {}
    missing: dict[str, str] = {}
    if protocol == "cycles" and table["event_type"].isin(list(SPRSOUND_EVENTS)).all():
        logits, decisions = (table[columns(labels)].to_numpy() for columns in (logit_columns, decision_columns))
        tasks, missing = event_scores(table["event_type"].tolist(), logits, decisions, labels), missing_labels(labels)
    if protocol == "stream":
        recordings = recordings_table(table, labels)
        found["recordings"] = _label_scores(recordings, labels)
        if recordings["record_type"].isin(SPRSOUND_RECORDS).all():
            decisions = recordings[decision_columns(labels)].to_numpy()
            tasks, missing = (
                record_scores(recordings["record_type"].tolist(), decisions, labels),
                missing_labels(labels),
            )
    found |= {f"task_{name}": values for name, values in tasks.items()}
    level = "1" if protocol == "cycles" else "2"
    if why := {name: reason for name, reason in missing.items() if name.startswith(level)}:
        found["left_out"] = why
    return found


def patient_interval(
    table: pd.DataFrame, labels: Sequence[str], draws: int = 500, seed: int = 0
) -> tuple[float, float]:
    """Return a 95 % interval when whole patients are drawn with replacement.

    Of the four-class Score where the labels are crackle and wheeze, elsewhere of the balanced accuracy, the mean over
    the labels.
    """
    truth, said = (table[columns].to_numpy() for columns in (list(labels), decision_columns(labels)))
    if four_classes(labels):
        truth, said = (classes_from_labels(values)[:, None] for values in (truth, said))
    patients, index = np.unique(table["patient"].astype(str), return_inverse=True)
    # Sums a patient are enough: normals, normals found, abnormals, abnormals found (with the exact class).
    counts = np.stack([truth == 0, (truth == 0) & (said == 0), truth != 0, (truth != 0) & (said == truth)], axis=-1)
    sums = np.zeros((len(patients), *counts.shape[1:]))
    np.add.at(sums, index, counts)
    drawn = np.random.default_rng(seed).integers(0, len(patients), (draws, len(patients)))
    normals, specific, abnormals, sensitive = np.moveaxis(sums[drawn].sum(axis=1), -1, 0)
    with np.errstate(invalid="ignore"):
        values = np.ma.masked_invalid((specific / normals + sensitive / abnormals) / 2).mean(axis=1)
    usable = np.ma.compressed(values)
    if not usable.size:
        return float("nan"), float("nan")
    low, high = np.quantile(usable, [0.025, 0.975])
    return float(low), float(high)


def _label_scores(table: pd.DataFrame, labels: Sequence[str]) -> dict[str, Any]:
    columns = list(labels), logit_columns(labels), decision_columns(labels)
    truth, logits, decisions = (table[names].to_numpy() for names in columns)
    return label_scores(truth, logits, decisions, labels)
