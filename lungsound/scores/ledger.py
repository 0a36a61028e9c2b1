"""Everything that the predictions of one protocol on one part of a corpus allow to say."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lungsound.labels import four_classes
from lungsound.scores.calibration import calibration, weighted_calibration
from lungsound.scores.evaluation import Predicted, recordings_table, tasks_of
from lungsound.scores.events import event_scores
from lungsound.scores.groups import group_scores, mean_within, memberships, weighted_group_scores
from lungsound.scores.paired import DRAWS, intervals
from lungsound.scores.weighted import weighted_sprsound_scores


def scores(
    table: pd.DataFrame,
    protocol: str,
    labels: Sequence[str],
    *,
    thresholds: Sequence[float] | None = None,
    temperature: float | None = None,
    events: pd.DataFrame | None = None,
    draws: int = DRAWS,
) -> dict[str, Any]:
    """Score the predictions of one protocol.

    Parameters
    ----------
    table : DataFrame
        As :func:`lungsound.scores.evaluation.predictions_table` returns it.
    protocol : str
        ``cycles`` or ``stream``.
    labels : sequence of str
        Names of the labels.
    thresholds : sequence of float, optional
        Logits in force, from which curves of alarms are swept; else 0.
    temperature : float, optional
        Fitted on validation.
    events : DataFrame, optional
        Annotated events of a stream's recordings.
    draws : int
        Of patients, for the intervals.

    Returns
    -------
    dict
        ``windows`` (see :func:`lungsound.scores.metrics.label_scores`); for streams ``recordings``; for SPRSound the
        tasks that the labels can name: of cycles ``task_1-1`` and ``task_1-2``, of streams ``task_2-1`` and
        ``task_2-2``; ``left_out`` tells by task why the others are not there. ``by_patient``: 95 % interval of the
        Score where the labels are crackle and wheeze, elsewhere of the balanced accuracy. ``intervals``: those of all
        figures above. ``counts``. ``calibration``: ``temperature``, ``by_label``, and ``with_temperature`` where one
        is given. ``groups`` by kind and name, ``within_devices`` and for streams ``events`` and ``normal_breathing``
        (:mod:`lungsound.scores.events`).
    """
    predicted, patients = Predicted.of(table, labels), table["patient"].astype(str).to_numpy()
    found: dict[str, Any] = {"windows": predicted.scores()}
    wide: dict[str, Any] = {"windows": intervals(predicted.weighted_scores, patients, draws)}
    scored = table
    if protocol == "stream":
        scored = recordings_table(table, labels)
        of_recordings = Predicted.of(scored, labels)
        found["recordings"] = of_recordings.scores()
        wide["recordings"] = intervals(of_recordings.weighted_scores, scored["patient"].to_numpy(), draws)
    tasks, left_out = tasks_of(scored, protocol, labels)
    for name, task in tasks.items():
        found[f"task_{name}"] = task.scores()
        compared = partial(weighted_sprsound_scores, task.truth, task.prediction, task.neutral)
        wide[f"task_{name}"] = intervals(compared, scored["patient"].to_numpy(), draws)
    if left_out:
        found["left_out"] = left_out
    found["by_patient"] = wide["windows"]["score" if four_classes(labels) else "balanced_accuracy"]
    found |= {"intervals": wide, "counts": _counts(table)}
    found["calibration"] = _calibration(predicted, patients, temperature, draws)
    found |= _groups(table, predicted, patients, draws)
    if protocol == "stream" and events is not None:
        in_force = np.zeros(len(labels)) if thresholds is None else thresholds
        heard = event_scores(table, events, predicted, in_force, draws)
        found |= {"events": heard["by_label"], "normal_breathing": heard["normal"]}
    return found


def _counts(table: pd.DataFrame) -> dict[str, int]:
    recordings = table[["corpus", "recording"]].drop_duplicates()
    return {"windows": len(table), "recordings": len(recordings), "patients": int(table["patient"].nunique())}


def _calibration(predicted: Predicted, patients: ArrayLike, temperature: float | None, draws: int) -> dict[str, Any]:
    found: dict[str, Any] = {"temperature": temperature}
    for name, divisor in (("by_label", 1.0), ("with_temperature", temperature)):
        if divisor is not None:
            given = predicted.truth, predicted.logits / divisor, predicted.labels
            found[name] = calibration(*given)
            for label, errors in intervals(partial(weighted_calibration, *given), patients, draws).items():
                found[name][label]["intervals"] = errors
    return found


def _groups(table: pd.DataFrame, predicted: Predicted, patients: ArrayLike, draws: int) -> dict[str, Any]:
    """Return ``groups`` and ``within_devices``, each figure with its interval."""
    members = memberships(table)
    groups = group_scores(table, predicted.labels, members)
    several = len(members.get("device", {})) > 1

    def score(weights: NDArray[np.float64]) -> dict[str, Any]:
        drawn = weighted_group_scores(predicted, members, weights)
        return drawn | ({"within": mean_within(list(drawn["device"].values()))} if several else {})

    wide = intervals(score, patients, draws)
    for kind, named in groups.items():
        for name, group in named.items():
            group["intervals"] = wide[kind][name]
    if not several:
        return {"groups": groups, "within_devices": None}
    mean = mean_within([group["scores"] for group in groups["device"].values()])
    return {
        "groups": groups,
        "within_devices": {"devices": len(groups["device"]), "scores": _numbers(mean), "intervals": wide["within"]},
    }


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return numbers in the place of arrays of one value."""
    return {name: _numbers(one) if isinstance(one, Mapping) else float(one[0]) for name, one in values.items()}
