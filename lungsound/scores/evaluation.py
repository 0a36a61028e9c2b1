"""Scores of stored predictions, by window and by recording."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungsound.labels import LABELS
from lungsound.scores.metrics import label_scores, sprsound_events, sprsound_records

LOGITS = tuple(f"logit_{label}" for label in LABELS)
DECISIONS = tuple(f"decided_{label}" for label in LABELS)


def predictions_table(windows: pd.DataFrame, logits: NDArray[np.float64], decisions: NDArray[np.int64]) -> pd.DataFrame:
    """Return the windows with the model's logits and decisions beside the truth, one row an event or window."""
    table = windows.copy()
    for column, (logit, decision) in enumerate(zip(LOGITS, DECISIONS, strict=True)):
        table[logit], table[decision] = logits[:, column], decisions[:, column]
    return table


def recordings_table(table: pd.DataFrame) -> pd.DataFrame:
    """Gather stream predictions by recording: a label is there if any window has it, the logit is the largest."""
    columns = [*LABELS, *LOGITS, *DECISIONS]
    kept = table.groupby(["corpus", "recording"], sort=False)
    gathered = kept[columns].max()
    return gathered.join(kept[["patient", "record_type"]].first()).reset_index()


def scores(table: pd.DataFrame, protocol: str) -> dict[str, Any]:
    """Score the predictions of one protocol.

    Parameters
    ----------
    table : DataFrame
        As :func:`predictions_table` returns it.
    protocol : str
        ``cycles`` or ``stream``.

    Returns
    -------
    dict
        ``windows`` (see :func:`lungsound.scores.metrics.label_scores`), ``by_patient`` (95 % interval of the Score over
        patients drawn with replacement), for SPRSound ``task_1-1``, and for streams ``recordings`` with
        SPRSound's ``task_2-1`` and ``task_2-2``.
    """
    found: dict[str, Any] = {
        "windows": _label_scores(table),
        "by_patient": score_interval(table),
    }
    if protocol == "cycles" and (table["event_type"] != "").all():
        found["task_1-1"] = sprsound_events(table["event_type"].tolist(), table[list(DECISIONS)].to_numpy())
    if protocol == "stream":
        recordings = recordings_table(table)
        found["recordings"] = _label_scores(recordings)
        if (recordings["record_type"] != "").all():
            tasks = sprsound_records(recordings["record_type"].tolist(), recordings[list(DECISIONS)].to_numpy())
            found |= {f"task_{name}": values for name, values in tasks.items()}
    return found


def score_interval(table: pd.DataFrame, draws: int = 500, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the Score when whole patients are drawn with replacement."""
    classes = {name: table[list(columns)].to_numpy() for name, columns in (("truth", LABELS), ("said", DECISIONS))}
    truth, said = (values[:, 0] + 2 * values[:, 1] for values in classes.values())
    patients, index = np.unique(table["patient"].astype(str), return_inverse=True)
    # Sums a patient are enough: normals, normals found, abnormals, abnormals found with the exact class.
    counts = np.stack([truth == 0, (truth == 0) & (said == 0), truth != 0, (truth != 0) & (said == truth)], axis=1)
    sums = np.zeros((len(patients), 4))
    np.add.at(sums, index, counts)
    drawn = np.random.default_rng(seed).integers(0, len(patients), (draws, len(patients)))
    normals, specific, abnormals, sensitive = np.moveaxis(sums[drawn].sum(axis=1), -1, 0)
    usable = (normals > 0) & (abnormals > 0)
    if not usable.any():
        return float("nan"), float("nan")
    values = (specific[usable] / normals[usable] + sensitive[usable] / abnormals[usable]) / 2
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _label_scores(table: pd.DataFrame) -> dict[str, Any]:
    truth, logits, decisions = (table[list(columns)].to_numpy() for columns in (LABELS, LOGITS, DECISIONS))
    return label_scores(truth, logits, decisions)
