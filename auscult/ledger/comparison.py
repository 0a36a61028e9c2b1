"""Two models on the same windows: paired differences by patient, and the recordings on which they part."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from auscult.ledger.evaluation import Evaluation
from lungsound.errors import InputError
from lungsound.scores.evaluation import Predicted, recordings_table
from lungsound.scores.flips import flips
from lungsound.scores.paired import intervals
from lungsound.scores.spread import flat

KEY = ["corpus", "recording", "start", "end", "event"]
"""Columns by which a window is the same one."""


@dataclass(frozen=True)
class Pair:
    """Two evaluations of the same corpus, part and protocol."""

    one: Evaluation
    other: Evaluation

    def compared(self) -> dict[str, Any]:
        """Return how they differ.

        Returns
        -------
        dict
            ``models``, ``corpus``, ``part``, ``protocol``, ``synthetic``; ``paired`` (windows, recordings and patients
            of both); ``windows`` and for streams ``recordings``: by dotted name of
            a figure ``one``, ``other``, ``difference`` (other less one) and its ``interval``, whole patients drawn with
            replacement, both on the same ones; ``classes`` (:func:`lungsound.scores.flips.flips`, from one to other);
            ``parting``: the recordings on which they decide otherwise, those with most such windows first:
            ``recording``, ``patient``, ``windows``, ``differing``, ``one_right``, ``other_right``.

        Raises
        ------
        InputError
            If the labels or the truth are not the same, or no window is.
        """
        one, other = self._paired()
        labels = self.one.labels
        found: dict[str, Any] = {
            "models": [self.one.model, self.other.model],
            **{name: getattr(self.one, name) for name in ("corpus", "part", "protocol", "synthetic")},
            "paired": {
                "windows": len(one),
                "recordings": len(one[KEY[:2]].drop_duplicates()),
                "patients": int(one["patient"].nunique()),
            },
            "windows": _differences(one, other, labels),
        }
        if self.one.protocol == "stream":
            gathered = recordings_table(one, labels), recordings_table(other, labels)
            found["recordings"] = _differences(gathered[0], gathered[1], labels)
        before, after = Predicted.of(one, labels), Predicted.of(other, labels)
        found["classes"] = flips(before.truth, before.decisions == 1, after.decisions == 1, one["recording"], labels)
        return found | {"parting": _parting(one, before.truth, before.decisions, after.decisions)}

    def _paired(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the rows that both have, in the same order."""
        if set(self.one.labels) != set(self.other.labels):
            told = (", ".join(evaluation.labels) for evaluation in (self.one, self.other))
            raise InputError("{} and {}: not the same labels; compare models that tell the same".format(*told))
        tables = []
        for evaluation in (self.one, self.other):
            keys = evaluation.predictions[KEY].copy()
            keys[["start", "end"]] = keys[["start", "end"]].round(6)
            tables.append(evaluation.predictions.set_index(pd.MultiIndex.from_frame(keys)))
        shared = tables[0].index.intersection(tables[1].index, sort=False)
        if not len(shared):
            raise InputError(
                f"{self.one.model} and {self.other.model} hear no window of {self.one.corpus} {self.one.part} alike; "
                "compare models of the same window and hop"
            )
        one, other = (table.loc[shared].reset_index(drop=True) for table in tables)
        names = list(self.one.labels)
        if not np.array_equal(one[names].to_numpy(), other[names].to_numpy()):
            raise InputError(
                f"{self.one.corpus} {self.one.part}: the truth is not the same in both; evaluate both again"
            )
        return one, other


def _differences(one: pd.DataFrame, other: pd.DataFrame, labels: tuple[str, ...]) -> dict[str, Any]:
    before, after = Predicted.of(one, labels), Predicted.of(other, labels)
    point = flat(before.scores()), flat(after.scores())
    wide = intervals(partial(_drawn_differences, before, after), one["patient"].astype(str).to_numpy())
    return {
        name: {
            "one": point[0][name],
            "other": point[1][name],
            "difference": point[1][name] - point[0][name],
            "interval": wide[name],
        }
        for name in wide
    }


def _drawn_differences(one: Predicted, other: Predicted, weights: NDArray[np.float64]) -> dict[str, Any]:
    drawn = [flat(side.weighted_scores(weights)) for side in (one, other)]
    return {name: drawn[1][name] - drawn[0][name] for name in drawn[0]}


def _parting(
    table: pd.DataFrame, truth: NDArray[np.int64], one: NDArray[np.int64], other: NDArray[np.int64]
) -> list[dict[str, Any]]:
    differing = (one != other).any(axis=1)
    counts = pd.DataFrame(
        {
            "corpus": table["corpus"],
            "recording": table["recording"],
            "patient": table["patient"],
            "windows": 1,
            "differing": differing.astype(int),
            "one_right": (differing & (one == truth).all(axis=1)).astype(int),
            "other_right": (differing & (other == truth).all(axis=1)).astype(int),
        }
    )
    summed = counts.groupby(["corpus", "recording", "patient"], sort=True).sum().reset_index()
    parted = summed[summed["differing"] > 0].sort_values("differing", ascending=False, kind="stable")
    return [{str(name): value for name, value in row.items()} for row in parted.to_dict("records")]
