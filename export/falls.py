"""How far sensitivity and Score fall from one model to the next, with intervals by patient, and what that means."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungsound.labels import classes_from_labels, four_classes
from lungsound.scores.paired import interval, patient_weights

SENSITIVITY_LIMIT = 0.010
SCORE_LIMIT = 0.005
"""How far a sensitivity, and the Score or what stands in its place, may fall below float."""

FEWEST_PATIENTS = 5
"""Who must have a class: of fewer, an interval says next to nothing."""

_Share = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""Windows found, and the windows among which they could be, both [N]."""


@dataclass(frozen=True)
class Fall:
    """By how much one figure of a model lies below float's.

    Attributes
    ----------
    model : str
        The runtime of the int8 model.
    figure : str
        ``sensitivity LABEL``, ``sensitivity any``, ``se`` (of the exact class), ``score`` or ``balanced_accuracy``.
    float_value, int8_value : float
        The figure of either.
    fall : float
        Their difference; negative where int8 is better.
    interval : tuple of float
        95 % interval of the fall when whole patients are drawn with replacement, both models on the same ones.
    patients : int
        Those who have what the figure counts: of the Score, who have abnormal windows.
    limit : float
        How far it may fall.
    """

    model: str
    figure: str
    float_value: float
    int8_value: float
    fall: float
    interval: tuple[float, float]
    patients: int
    limit: float

    @property
    def shown(self) -> bool:
        """Whether the upper end of the interval lies within the limit, and enough patients are behind it."""
        return self.patients >= FEWEST_PATIENTS and self.interval[1] <= self.limit

    @property
    def lost(self) -> bool:
        """Whether the figure fell beyond the limit, and not by chance: no fall at all lies outside the interval."""
        return self.patients >= FEWEST_PATIENTS and self.fall > self.limit and self.interval[0] > 0

    def __str__(self) -> str:
        """Say what fell, from where to where."""
        low, high = (100 * end for end in self.interval)
        return (
            f"{self.figure} {self.float_value:.3f} in float, {self.int8_value:.3f} in int8 (falls by "
            f"{100 * self.fall:.1f} points, 95 % interval over {self.patients} patients {low:.1f} to {high:.1f}, "
            f"{100 * self.limit:.1f} allowed)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        values = asdict(self)
        return {"float": values.pop("float_value"), "int8": values.pop("int8_value")} | values


def falls(
    truth: NDArray[np.int64],
    decisions: Mapping[str, NDArray[np.bool_]],
    patients: Sequence[str],
    labels: Sequence[str],
) -> list[Fall]:
    """Hold models' decisions against float's.

    Parameters
    ----------
    truth : ndarray of int64, shape [N, C]
        0 or 1.
    decisions : mapping of str to ndarray of bool, shape [N, C]
        By model; ``float`` is what the others are held against.
    patients : sequence of str, length N
        Whose window it is.
    labels : sequence of str, length C
        Their names.

    Returns
    -------
    list of Fall
        Of every other model, for every figure that the windows define.
    """
    names, owner = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    weights = patient_weights(names.tolist())
    exact = _shares(truth, decisions["float"], labels)
    found = []
    for model in decisions.keys() - {"float"}:
        rounded = _shares(truth, decisions[model], labels)
        for figure, before in exact.items():
            draws = _drawn(before, owner, weights) - _drawn(rounded[figure], owner, weights)
            was, is_now = (_measured(shares) for shares in (before, rounded[figure]))
            having = len(np.unique(owner[before[0][1]]))
            limit = SENSITIVITY_LIMIT if figure.startswith("se") else SCORE_LIMIT
            found.append(Fall(model, figure, was, is_now, was - is_now, interval(draws), having, limit))
    return sorted(found, key=lambda fall: (list(decisions).index(fall.model), list(exact).index(fall.figure)))


def _shares(truth: NDArray[np.int64], decided: NDArray[np.bool_], labels: Sequence[str]) -> dict[str, list[_Share]]:
    """Return every figure as the shares that it is the mean of; the first one is a sensitivity."""
    had, given = truth == 1, decided
    by_label = [(had[:, i] & given[:, i], had[:, i]) for i in range(len(labels))]
    free = [(~had[:, i] & ~given[:, i], ~had[:, i]) for i in range(len(labels))]
    abnormal = had.any(axis=1)
    figures = {f"sensitivity {label}": [share] for label, share in zip(labels, by_label, strict=True)}
    figures["sensitivity any"] = [(abnormal & given.any(axis=1), abnormal)]
    if four_classes(labels):
        right = classes_from_labels(truth) == classes_from_labels(given)
        se, sp = (right & abnormal, abnormal), (right & ~abnormal, ~abnormal)
        figures |= {"se": [se], "score": [se, sp]}
    else:
        told = [i for i in range(len(labels)) if by_label[i][1].any() and free[i][1].any()]
        figures["balanced_accuracy"] = [sides[i] for i in told for sides in (by_label, free)]
    return {name: shares for name, shares in figures.items() if shares and all(among.any() for _, among in shares)}


def _measured(shares: Sequence[_Share]) -> float:
    return float(np.mean([found.sum() / among.sum() for found, among in shares]))


def _drawn(shares: Sequence[_Share], owner: NDArray[np.intp], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a figure in each draw of patients, shape [draws]; NaN where one lacks what a share counts."""
    patients = weights.shape[1]
    values = []
    for found, among in shares:
        hits, all_of = (weights @ np.bincount(owner[windows], minlength=patients) for windows in (found, among))
        with np.errstate(invalid="ignore"):
            values.append(hits / all_of)
    return np.asarray(np.mean(values, axis=0))
