"""Scores of the field: ICBHI 2017, SPRSound 2022, and AUROC per label."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungsound.labels import LABELS, SPRSOUND_RECORDS, classes_from_labels


def _share(hits: NDArray[np.bool_]) -> float:
    """Mean of a boolean array; NaN where there is nothing to count."""
    return float(hits.mean()) if hits.size else float("nan")


def icbhi_scores(truth: ArrayLike, prediction: ArrayLike) -> dict[str, float]:
    """Return the ICBHI 2017 scores of four-class decisions.

    Parameters
    ----------
    truth, prediction : array_like of int, shape [N]
        Class indices in the order of `labels.CLASSES`, 0 being normal.

    Returns
    -------
    dict
        ``sp`` (correct normals / normals), ``se`` (exact class / abnormal), ``se_any`` (any abnormal
        prediction counts as a hit), ``score`` = (se + sp) / 2 and ``score_any``. NaN where a kind is absent.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    abnormal = truth != 0
    sp = _share(prediction[~abnormal] == 0)
    se = _share(prediction[abnormal] == truth[abnormal])
    se_any = _share(prediction[abnormal] != 0)
    return {"sp": sp, "se": se, "score": (se + sp) / 2, "se_any": se_any, "score_any": (se_any + sp) / 2}


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
    sp = _share(prediction[truth == 0] == 0)
    se = _share(prediction[abnormal] == truth[abnormal])
    average = (se + sp) / 2
    harmonic = 2 * se * sp / (se + sp) if se + sp != 0 else 0.0
    return {"sp": sp, "se": se, "as": average, "hs": harmonic, "score": (average + harmonic) / 2}


def sprsound_events(truth: Sequence[str], labels: ArrayLike) -> dict[str, float]:
    """Task 1-1: Normal against Adventitious events.

    Parameters
    ----------
    truth : sequence of str, length N
        SPRSound's own event labels.
    labels : array_like of int, shape [N, 2]
        Decisions for crackle and wheeze. Task 1-2 asks for seven types, which two labels cannot name.
    """
    adventitious = np.array([name != "Normal" for name in truth], dtype=np.int64)
    return sprsound_scores(adventitious, np.asarray(labels).any(axis=-1).astype(np.int64))


def sprsound_records(truth: Sequence[str], labels: ArrayLike) -> dict[str, dict[str, float]]:
    """Tasks 2-1 (Normal, Poor Quality, Adventitious) and 2-2 (five classes) from two labels a recording.

    Parameters
    ----------
    truth : sequence of str, length N
        SPRSound's own record labels.
    labels : array_like of int, shape [N, 2]
        Decisions for crackle (discontinuous: DAS) and wheeze (continuous: CAS). Poor Quality is never
        predicted and, as in the challenge entries that published their scoring, counts in neither SE nor SP.
    """
    five = np.array([SPRSOUND_RECORDS.index(name) for name in truth])
    decided = np.array([0, 3, 2, 4])[classes_from_labels(labels)]
    return {
        "2-1": sprsound_scores(np.minimum(five, 2), np.minimum(decided, 2), neutral=(1,)),
        "2-2": sprsound_scores(five, decided, neutral=(1,)),
    }


def auroc(truth: ArrayLike, score: ArrayLike) -> float:
    """Return the area under the ROC curve of one binary label; NaN where only one value occurs."""
    from sklearn.metrics import roc_auc_score

    truth = np.asarray(truth)
    if truth.min(initial=1) == truth.max(initial=0):
        return float("nan")
    return float(roc_auc_score(truth, score))


def label_scores(truth: ArrayLike, logits: ArrayLike, decisions: ArrayLike) -> dict[str, Any]:
    """Return everything that two binary labels allow to say.

    Parameters
    ----------
    truth : array_like of int, shape [N, 2]
        Crackle and wheeze.
    logits : array_like of float, shape [N, 2]
        Model outputs.
    decisions : array_like of bool or int, shape [N, 2]
        Which labels are given.

    Returns
    -------
    dict
        The keys of :func:`icbhi_scores`, ``auroc`` by label and of ``any`` (the larger logit), and ``n``.
    """
    truth, logits = np.asarray(truth), np.asarray(logits, dtype=np.float64)
    scores: dict[str, Any] = icbhi_scores(classes_from_labels(truth), classes_from_labels(decisions))
    scores["auroc"] = {label: auroc(truth[:, i], logits[:, i]) for i, label in enumerate(LABELS)}
    scores["auroc"]["any"] = auroc(truth.any(axis=1), logits.max(axis=1))
    scores["n"] = len(truth)
    return scores


def choose_threshold(truth: ArrayLike, logits: ArrayLike) -> float:
    """Return the threshold with the best balanced accuracy (Youden's index) for one binary label, shape [N]."""
    from sklearn.metrics import roc_curve

    truth = np.asarray(truth)
    if truth.min(initial=1) == truth.max(initial=0):
        return 0.0
    false_alarms, hits, thresholds = roc_curve(truth, logits)
    return float(thresholds[np.argmax(hits - false_alarms)])


def choose_thresholds(truth: ArrayLike, logits: ArrayLike, rounds: int = 4, steps: int = 101) -> tuple[float, float]:
    """Choose a threshold per label that maximises the four-class Score, one label at a time.

    Meant for the validation split alone. Candidates are quantiles of the logits; among equals the one
    nearest to zero wins, so that ties do not depend on the order of the candidates.

    Parameters
    ----------
    truth : array_like of int, shape [N, 2]
        Crackle and wheeze.
    logits : array_like of float, shape [N, 2]
        Model outputs.
    rounds, steps : int
        Coordinate passes and candidates a pass.
    """
    truth, logits = np.asarray(truth), np.asarray(logits, dtype=np.float64)
    classes = classes_from_labels(truth)
    chosen = np.zeros(2)
    candidates = [np.append(np.quantile(logits[:, i], np.linspace(0, 1, steps)), 0.0) for i in range(2)]
    for _ in range(rounds):
        before = chosen.copy()
        for label in range(2):
            trials = np.tile(chosen, (len(candidates[label]), 1))
            trials[:, label] = candidates[label]
            scores = [
                np.nan_to_num(icbhi_scores(classes, classes_from_labels(logits >= trial))["score"]) for trial in trials
            ]
            best = np.flatnonzero(np.asarray(scores) >= max(scores) - 1e-12)
            chosen[label] = candidates[label][best[np.argmin(np.abs(candidates[label][best]))]]
        if np.array_equal(before, chosen):
            break
    return float(chosen[0]), float(chosen[1])
