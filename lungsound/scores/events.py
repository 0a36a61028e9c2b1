"""What whoever listens to alarms lives with: events that are heard, and false alarms an hour.

An alarm is a run of windows of a recording, one after the other, that are given a label. An event is heard if a window
that carries it (:func:`lungsound.windows.heard_events`) is given its label; an alarm none of whose windows carries the
label is false.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lungsound.scores.evaluation import Predicted
from lungsound.scores.paired import DRAWS, intervals
from lungsound.windows import heard_events

STEPS = 20
"""Points of a curve of sensitivity against false alarms."""

_HOUR = 3600.0


class Heard:
    """The windows of a stream and the annotated events of their recordings.

    Parameters
    ----------
    table : DataFrame
        Windows: ``corpus``, ``recording``, ``patient``, ``start``, ``end`` and a column of 0 and 1 for each label.
    events : DataFrame
        ``corpus``, ``recording``, ``start``, ``end`` and the labels.
    labels : sequence of str
        Names of the labels.
    """

    def __init__(self, table: pd.DataFrame, events: pd.DataFrame, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        keyed = [one.assign(recording=one["corpus"] + "/" + one["recording"]) for one in (table, events)]
        self._order = np.lexsort((keyed[0]["start"].to_numpy(), keyed[0]["recording"].to_numpy(str)))
        windows = keyed[0].iloc[self._order]
        names, self._place = np.unique(windows["recording"].to_numpy(str), return_inverse=True)
        first = np.r_[True, np.diff(self._place) > 0]
        self.patients = windows["patient"].astype(str).to_numpy()[first]
        self._first, self._count = first, len(names)
        self._start, self._end = (windows[column].to_numpy(np.float64) for column in ("start", "end"))
        self._truth = _with_any(windows[list(labels)].to_numpy(np.int64)) == 1
        known = keyed[1][keyed[1]["recording"].isin(names)]
        self._kinds = _with_any(known[list(labels)].to_numpy(np.int64).reshape(-1, len(labels))) == 1
        self._event_place = np.searchsorted(names, known["recording"].to_numpy(str))
        self._pairs = heard_events(windows, known)

    def ordered(self, values: ArrayLike) -> NDArray[Any]:
        """Return values of the table's rows in the order of the windows here: by recording, then by start."""
        return np.asarray(values)[self._order]

    def counts(self, decided: NDArray[np.bool_], column: int) -> NDArray[np.float64]:
        """Return events, events heard, alarms and false alarms of a label, and seconds, by recording: [5, recordings].

        Parameters
        ----------
        decided : ndarray of bool, shape [N]
            Whether each window, in the order of :meth:`ordered`, is given the label.
        column : int
            Of the label; behind the last one any.
        """
        truth, has = self._truth[:, column], self._kinds[:, column]
        windows, events = self._pairs
        heard = np.zeros(len(has), dtype=bool)
        heard[events[decided[windows]]] = True
        begins, run = _runs(decided, self._first)
        true_alarm = np.zeros(int(begins.sum()), dtype=bool)
        true_alarm[run[decided & truth]] = True
        of_alarm = self._place[begins]
        alarms, false = (np.bincount(of_alarm[kept], minlength=self._count) for kept in (slice(None), ~true_alarm))
        of_event, of_heard = (
            np.bincount(self._event_place[kept], minlength=self._count) for kept in (has, has & heard)
        )
        return np.stack([of_event, of_heard, alarms, false, self.seconds(np.full(len(decided), True))]).astype(float)

    def normal(self) -> NDArray[np.bool_]:
        """Return which windows carry no label, shape [N]."""
        return np.asarray(~self._truth[:, -1])

    def seconds(self, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return how much of each recording some windows cover, what overlaps counted once: [recordings]."""
        place, start, end = self._place[kept], self._start[kept], self._end[kept]
        # Windows of a recording are as long as each other, so that the one before ends last.
        before = np.r_[0.0, end[:-1]]
        new = np.r_[True, np.diff(place) > 0][: len(place)]
        covered = end - np.where(new, start, np.maximum(start, before[: len(place)]))
        return np.bincount(place, weights=covered, minlength=self._count).astype(np.float64)


def event_scores(
    table: pd.DataFrame,
    events: pd.DataFrame,
    predicted: Predicted,
    thresholds: ArrayLike,
    draws: int = DRAWS,
) -> dict[str, Any]:
    """Score a stream by its events, by label and for ``any`` of them, and count alarms of normal breathing.

    Parameters
    ----------
    table : DataFrame
        N windows.
    events : DataFrame
        See :class:`Heard`.
    predicted : Predicted
        Of the windows.
    thresholds : array_like of float, shape [C]
        In force.
    draws : int
        Of patients.

    Returns
    -------
    dict
        By label: ``events``, ``alarms``, ``false_alarms``; ``sensitivity`` (share of the events that are heard) and
        ``false_alarms_an_hour`` of all that is listened to, with their ``intervals``; ``curve``, a list of ``offset``
        (added to the thresholds), ``sensitivity``, ``false_alarms_an_hour``. ``normal``: ``hours`` of sound without
        any label, ``alarms`` that hear nothing else, ``alarms_an_hour`` and its ``intervals``.
    """
    labels, found = predicted.labels, dict[str, Any]()
    heard = Heard(table, events, labels)
    given = heard.ordered(_with_any(predicted.decisions) == 1)
    above = heard.ordered(_with_any(predicted.logits - np.asarray(thresholds)))
    for column, label in enumerate((*labels, "any")):
        counts = heard.counts(given[:, column], column)
        totals = counts.sum(axis=1)
        offsets = np.unique(np.quantile(above[:, column], np.linspace(0, 1, STEPS)))
        swept = [(float(o), _rates(heard.counts(above[:, column] >= o, column).sum(axis=1))) for o in offsets]
        figures = intervals(partial(_weighted_rates, counts), heard.patients, draws)
        rates = {name: float(value) for name, value in _rates(totals).items()}
        found[label] = {
            **dict(zip(("events", "alarms", "false_alarms"), totals[[0, 2, 3]].astype(int).tolist(), strict=True)),
            **rates,
            "intervals": figures,
            "curve": [{"offset": offset, **{name: float(v) for name, v in rate.items()}} for offset, rate in swept],
        }
    hours = heard.seconds(heard.normal()) / _HOUR
    false = heard.counts(given[:, -1], len(labels))[3]

    def an_hour(weights: NDArray[np.float64]) -> dict[str, Any]:
        with np.errstate(invalid="ignore", divide="ignore"):
            return {"alarms_an_hour": (weights @ false) / (weights @ hours)}

    whole = an_hour(np.ones((1, len(hours))))
    return {
        "by_label": found,
        "normal": {
            "hours": float(hours.sum()),
            "alarms": int(false.sum()),
            "alarms_an_hour": float(whole["alarms_an_hour"][0]),
            "intervals": intervals(an_hour, heard.patients, draws),
        },
    }


def _rates(counts: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the figures that counts [5] or [5, draws] give."""
    events, hits, _, false, seconds = counts
    with np.errstate(invalid="ignore", divide="ignore"):
        return {"sensitivity": hits / events, "false_alarms_an_hour": false / (seconds / _HOUR)}


def _weighted_rates(counts: NDArray[np.float64], weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    return _rates(counts @ weights.T)


def _runs(decided: NDArray[np.bool_], first: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return where runs of decided windows begin, and the number of the run that began last for each window."""
    before = np.r_[False, decided[:-1]] & ~first
    begins = decided & ~before
    return begins, np.cumsum(begins) - 1


def _with_any(values: NDArray[Any]) -> NDArray[Any]:
    return np.column_stack([values, values.max(axis=1)]) if len(values) else np.zeros((0, values.shape[1] + 1))
