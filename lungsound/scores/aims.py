"""Thresholds for a stated aim: the best Score, a sensitivity, or the false alarms that a ward bears."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.scores.metrics import choose_thresholds

if TYPE_CHECKING:
    import pandas as pd

BEST_SCORE = "score"
"""The aim where nobody states one."""

_SECONDS_AN_HOUR = 3600.0


@dataclass(frozen=True)
class Aim:
    """What thresholds are chosen for.

    Attributes
    ----------
    kind : {"score", "sensitivity", "alarms"}
        The best Score (:func:`lungsound.scores.metrics.choose_thresholds`); the same as far as every label's
        sensitivity is not below `value`, or as far as the false alarms an hour are not above it.
    value : float
        Of `sensitivity` from 0 to 1, of `alarms` not negative; 0 of `score`.
    """

    kind: Literal["score", "sensitivity", "alarms"]
    value: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``score``, ``sensitivity=0.9`` or ``alarms=2``.

        Raises
        ------
        InputError
            If it is anything else.
        """
        kind, equals, number = text.partition("=")
        try:
            value = float(number) if equals else math.nan
        except ValueError:
            value = math.nan
        if text == BEST_SCORE:
            return cls("score")
        if kind == "sensitivity" and 0 <= value <= 1:
            return cls("sensitivity", value)
        if kind == "alarms" and 0 <= value < math.inf:
            return cls("alarms", value)
        raise InputError(
            f"--aim {text[:40]}: write {BEST_SCORE}, sensitivity=X with X from 0 to 1, or alarms=Y with Y false alarms "
            "an hour"
        )


def thresholds_for(
    aim: Aim, truth: NDArray[np.int64], logits: NDArray[np.float64], windows: "pd.DataFrame", listening: Listening
) -> tuple[float, ...]:
    """Choose a threshold per label for an aim. Meant for the validation split alone.

    Parameters
    ----------
    aim : Aim
        What for.
    truth : ndarray of int64, shape [N, C]
        0 or 1.
    logits : ndarray of float64, shape [N, C]
        Model outputs.
    windows : DataFrame
        The N windows, with ``protocol``.
    listening : Listening
        Names the labels, and tells how often a stream is decided.

    Returns
    -------
    tuple of float
        On these windows every label that occurs has at least the sensitivity, or :func:`alarms_an_hour` is at most the
        limit. A label that never occurs keeps the threshold of the best Score.

    Raises
    ------
    InputError
        If false alarms are to be limited, and no window of a stream is without labels.
    """
    best = np.asarray(choose_thresholds(truth, logits, listening.labels))
    if aim.kind == "sensitivity":
        return tuple(np.minimum(best, _sensitive(aim.value, truth, logits)).tolist())
    if aim.kind == "alarms":
        normal = normal_stream(truth, windows)
        if not normal.any():
            raise InputError("--aim alarms: validation has no window of a stream without labels; add --protocol stream")
        most = math.floor(aim.value * hours(normal, listening) + 1e-9)
        if (logits[normal] >= best).any(axis=1).sum() > most:
            best = np.maximum(best, _quiet(most, logits, normal))
    return tuple(best.tolist())


def alarms_an_hour(
    thresholds: Sequence[float],
    truth: NDArray[np.int64],
    logits: NDArray[np.float64],
    windows: "pd.DataFrame",
    listening: Listening,
) -> float:
    """Return how many windows of an hour's stream without any label are given one; NaN where there is no such window.

    A stream is decided once a hop, and every such decision counts: an alarm that lasts for three windows is three.
    """
    normal = normal_stream(truth, windows)
    given = (logits >= np.asarray(thresholds)).any(axis=1)
    return float((given & normal).sum() / hours(normal, listening)) if normal.any() else math.nan


def normal_stream(truth: NDArray[np.int64], windows: "pd.DataFrame") -> NDArray[np.bool_]:
    """Return which windows are of a stream, and without any label."""
    return np.asarray((windows["protocol"] == "stream").to_numpy() & ~truth.any(axis=1))


def hours(chosen: NDArray[np.bool_], listening: Listening) -> float:
    """Return for how long a stream is decided by so many windows."""
    return float(chosen.sum() * listening.hop_seconds / _SECONDS_AN_HOUR)


def _sensitive(least: float, truth: NDArray[np.int64], logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each label the highest threshold that leaves it the sensitivity; infinity where it never occurs."""
    found = []
    for had, said in zip((truth == 1).T, logits.T, strict=True):
        positives = np.sort(said[had])[::-1]
        due = math.ceil(least * len(positives) - 1e-9)
        found.append(np.inf if not due else _below(positives[due - 1], said))
    return np.asarray(found)


def _quiet(most: int, logits: NDArray[np.float64], normal: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the lowest thresholds at which each label has as many false alarms, and all together at most so many."""
    by_label = np.sort(logits[normal], axis=0)[::-1]

    def of(each: int) -> NDArray[np.float64]:
        if each >= len(by_label):
            return np.full(by_label.shape[1], -np.inf)
        return np.asarray([_above(by_label[each, i], logits[:, i]) for i in range(by_label.shape[1])])

    low, high = 0, len(by_label)  # with none each there are none in all
    while low < high:
        each = (low + high + 1) // 2
        if (logits[normal] >= of(each)).any(axis=1).sum() <= most:
            low = each
        else:
            high = each - 1
    return of(low)


def _below(logit: float, said: NDArray[np.float64]) -> float:
    """Return a threshold that this logit reaches and no lower one, midway to the next of these logits."""
    lower = said[said < logit]
    return _midway(lower.max(), logit) if lower.size else float(logit)


def _above(logit: float, said: NDArray[np.float64]) -> float:
    """Return a threshold that this logit does not reach and all higher ones do."""
    higher = said[said > logit]
    return _midway(logit, higher.min()) if higher.size else float(np.nextafter(logit, np.inf))


def _midway(low: Any, high: Any) -> float:
    middle = (low + high) / 2
    return float(middle if middle > low else high)
