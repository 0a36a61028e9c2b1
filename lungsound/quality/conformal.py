"""Split conformal prediction for each label: absent below a code, present from another on, uncertain between them.

Vovk, "Conditional validity of inductive conformal predictors", 2012: class by class (Mondrian), so that those who
have a crackle are promised what those without are. Windows of a patient are not exchangeable, patients are: each counts
as one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError
from lungsound.files.plain_json import take_list
from lungsound.quantization import HIGHEST, LOWEST

_BEYOND = HIGHEST + 1  # no code reaches it
_NEVER = -(2**15)
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Certainty:
    """Where a label's output code is an answer.

    Attributes
    ----------
    absent_below : tuple of int
        Codes below which a label is absent, one a label; -128 to 128.
    present_from : tuple of int
        Codes from which on it is present; none is smaller than its `absent_below`.
    """

    absent_below: tuple[int, ...]
    present_from: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.absent_below) != len(self.present_from):
            raise InputError("absent_below and present_from are of different labels")
        for low, high in zip(self.absent_below, self.present_from, strict=True):
            if not LOWEST <= low <= high <= _BEYOND:
                raise InputError(f"absent below {low} and present from {high} cannot be")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make it from plain values; raises InputError where one is missing or impossible."""
        return cls(tuple(take_list(values, "absent_below", int)), tuple(take_list(values, "present_from", int)))

    def uncertain(self, codes: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Return whether a window's codes [N, labels] leave any label open, shape [N]."""
        wide = codes.astype(np.int64)
        return np.asarray(((wide >= self.absent_below) & (wide < self.present_from)).any(axis=-1))


def certainty(
    codes: NDArray[np.int8],
    labels: NDArray[np.int64],
    patients: Sequence[str],
    threshold_codes: Sequence[int],
    share: float,
) -> tuple[Certainty, tuple[float, ...], tuple[float, ...]]:
    """Calibrate on windows whose truth is known.

    Thresholds alone miss a share of those who have a label, and give it to a share of those who lack it. Both are to
    fall to `share` of that: codes below the threshold stay open down to where no more than that many of those who
    have the label score lower, and codes above it up to where no more of those who lack it score higher. Shares count
    patients, of each the share of such windows, and one more patient, who is always among the wrong.

    Parameters
    ----------
    codes : ndarray of int8, shape [N, labels]
        Outputs.
    labels : ndarray of int, shape [N, labels]
        Truth.
    patients : sequence of str
        Whose window each is.
    threshold_codes : sequence of int
        Codes from which on labels are given; of answers that is what they still say.
    share : float
        Above 0, 1 at most.

    Returns
    -------
    certain : Certainty
        A label that too few patients have, or lack, is never without doubt.
    missed, false : tuple of float
        Shares that are promised of another patient's windows: of those who have a label, how many are told that they
        do not, and of those who lack it, that they do.

    Raises
    ------
    InputError
        If `share` is out of range.
    """
    if not 0 < share <= 1:
        raise InputError(f"a share of {share} of the errors is impossible; give one above 0, 1 at most")
    who = np.unique(np.asarray(patients, str), return_inverse=True)[1]
    low, high, missed, false = [], [], [], []
    for label, given in enumerate(threshold_codes):
        score, there = codes[:, label].astype(np.int64), labels[:, label] == 1
        missed.append(share * _beyond(score[there] < given, who[there]))
        false.append(share * _beyond(score[~there] >= given, who[~there]))
        possible = _quantile(score[there], who[there], missed[-1])  # present may be from here on
        ruled_out = 1 - _quantile(-score[~there], who[~there], false[-1])  # absent may be up to the code before
        low.append(int(np.clip(min(possible, given), LOWEST, _BEYOND)))
        high.append(int(np.clip(max(ruled_out, given), LOWEST, _BEYOND)))
    return Certainty(tuple(low), tuple(high)), tuple(missed), tuple(false)


def _beyond(wrong: NDArray[np.bool_], who: NDArray[np.int64]) -> float:
    """Return the share of the patients who are wrong, with one more who is."""
    counts = np.bincount(who)
    shares = np.bincount(who, wrong)[counts > 0] / counts[counts > 0]
    return float((shares.sum() + 1) / (len(shares) + 1))


def _quantile(scores: NDArray[np.int64], who: NDArray[np.int64], error: float) -> int:
    """Return the largest score below which no more than `error` of the patients lie, with one who lies below all."""
    people, counts = np.unique(who, return_counts=True)
    allowed = error * (len(people) + 1) - 1
    if len(people) == 0 or allowed < -_ROUNDING:
        return _NEVER
    order = np.argsort(scores, kind="stable")
    weight = (1 / counts)[np.searchsorted(people, who[order])]
    below = np.concatenate([[0.0], np.cumsum(weight)])[:-1]
    sorted_scores = scores[order]
    first = np.searchsorted(sorted_scores, sorted_scores)  # of equal scores the first has what lies below all of them
    fits = below[first] <= allowed + _ROUNDING
    return int(sorted_scores[fits].max())
