"""Scores of windows: those of each label, and ICBHI 2017's of the four classes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungsound.labels import classes_from_labels, four_classes


def share(hits: NDArray[np.bool_]) -> float:
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
    sp = share(prediction[~abnormal] == 0)
    se = share(prediction[abnormal] == truth[abnormal])
    se_any = share(prediction[abnormal] != 0)
    return {"sp": sp, "se": se, "score": (se + sp) / 2, "se_any": se_any, "score_any": (se_any + sp) / 2}


def auroc(truth: ArrayLike, score: ArrayLike) -> float:
    """Return the area under the ROC curve of one binary label; NaN where only one value occurs."""
    from sklearn.metrics import roc_auc_score

    truth = np.asarray(truth)
    if truth.min(initial=1) == truth.max(initial=0):
        return float("nan")
    return float(roc_auc_score(truth, score))


def label_scores(truth: ArrayLike, logits: ArrayLike, decisions: ArrayLike, labels: Sequence[str]) -> dict[str, Any]:
    """Return everything that binary labels allow to say.

    Parameters
    ----------
    truth : array_like of int, shape [N, C]
        0 or 1.
    logits : array_like of float, shape [N, C]
        Model outputs.
    decisions : array_like of bool or int, shape [N, C]
        Which labels are given.
    labels : sequence of str, length C
        Their names.

    Returns
    -------
    dict
        ``n``; ``auroc``, ``sensitivity``, ``specificity`` and ``f1``, each by label and for ``any`` of them (its logit
        is the largest); ``balanced_accuracy``, the mean over the labels of (sensitivity + specificity) / 2; where the
        labels are crackle and wheeze also the keys of :func:`icbhi_scores`. NaN where a value does not occur.
    """
    truth, decisions = (np.asarray(values).astype(np.int64) for values in (truth, decisions))
    logits = np.asarray(logits, dtype=np.float64)
    scores: dict[str, Any] = {}
    if four_classes(labels):
        scores |= icbhi_scores(classes_from_labels(truth), classes_from_labels(decisions))
    sides = [np.column_stack([values, values.max(axis=1)]) for values in (truth, decisions, logits)]
    by_label = [_binary_scores(*columns) for columns in zip(*(side.T for side in sides), strict=True)]
    for figure in ("auroc", "sensitivity", "specificity", "f1"):
        scores[figure] = {name: found[figure] for name, found in zip((*labels, "any"), by_label, strict=True)}
    balanced = [(found["sensitivity"] + found["specificity"]) / 2 for found in by_label[:-1]]
    defined = [value for value in balanced if not math.isnan(value)]
    scores["balanced_accuracy"] = float(np.mean(defined)) if defined else math.nan
    scores["n"] = len(truth)
    return scores


def _binary_scores(truth: NDArray[Any], decisions: NDArray[Any], logits: NDArray[Any]) -> dict[str, float]:
    """Score one label, from arrays of shape [N]."""
    hits, given = int((truth & decisions).sum()), int(truth.sum() + decisions.sum())
    return {
        "auroc": auroc(truth, logits),
        "sensitivity": share(decisions[truth == 1] == 1),
        "specificity": share(decisions[truth == 0] == 0),
        "f1": 2 * hits / given if given else math.nan,
    }


def choose_threshold(truth: ArrayLike, logits: ArrayLike) -> float:
    """Return the threshold with the best balanced accuracy (Youden's index) for one binary label, shape [N].

    It lies midway between two logits, so that no window's decision hangs on the last bit of its own.
    """
    from sklearn.metrics import roc_curve

    truth = np.asarray(truth)
    if truth.min(initial=1) == truth.max(initial=0):
        return 0.0
    false_alarms, hits, thresholds = roc_curve(truth, logits)
    # The first threshold is infinite: never.
    return _midway(logits, float(thresholds[1:][np.argmax((hits - false_alarms)[1:])]))


def _midway(logits: ArrayLike, threshold: float) -> float:
    """Return what lies midway between the logits below a threshold and those that reach it; itself at either end."""
    values = np.asarray(logits, dtype=np.float64)
    below, above = values[values < threshold], values[values >= threshold]
    if not below.size or not above.size:
        return threshold
    midway = (below.max() + above.min()) / 2
    return float(midway if midway > below.max() else above.min())


def choose_thresholds(truth: ArrayLike, logits: ArrayLike, labels: Sequence[str]) -> tuple[float, ...]:
    """Choose a threshold per label: for the best four-class Score where they are crackle and wheeze.

    Elsewhere, and where normal windows are missing or those with or without a label, each label has the best balanced
    accuracy (:func:`choose_threshold`), or 0 where it has none. Meant for the validation split alone.

    Parameters
    ----------
    truth : array_like of int, shape [N, C]
        0 or 1.
    logits : array_like of float, shape [N, C]
        Model outputs.
    labels : sequence of str, length C
        Their names.
    """
    truth, logits = np.asarray(truth), np.asarray(logits, dtype=np.float64)
    normal = ~truth.any(axis=1)
    if four_classes(labels) and normal.any() and (truth.min(axis=0) < truth.max(axis=0)).all():
        return _best_score_thresholds(truth, logits)
    return tuple(choose_threshold(truth[:, column], logits[:, column]) for column in range(len(labels)))


def _best_score_thresholds(
    truth: NDArray[Any], logits: NDArray[np.float64], rounds: int = 4, steps: int = 101
) -> tuple[float, float]:
    """Maximise the four-class Score, one label at a time.

    Candidates are quantiles of the logits; among equals the one nearest to zero wins, so that ties do not depend on
    the order of the candidates.

    Parameters
    ----------
    truth, logits : ndarray, shape [N, 2]
        Of the two labels.
    rounds, steps : int
        Coordinate passes and candidates a pass.
    """
    classes = classes_from_labels(truth)
    chosen = np.zeros(2)
    candidates = [np.append(np.quantile(logits[:, i], np.linspace(0, 1, steps)), 0.0) for i in range(2)]
    for _ in range(rounds):
        before = chosen.copy()
        for label in range(2):
            trials = np.tile(chosen, (len(candidates[label]), 1))
            trials[:, label] = candidates[label]
            decided = [classes_from_labels(logits >= trial) for trial in trials]
            scores = np.nan_to_num([icbhi_scores(classes, said)["score"] for said in decided])
            best = np.flatnonzero(scores >= scores.max() - 1e-12)
            chosen[label] = candidates[label][best[np.argmin(np.abs(candidates[label][best]))]]
        if np.array_equal(before, chosen):
            break
    return float(chosen[0]), float(chosen[1])
