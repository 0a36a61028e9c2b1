"""Windows that one model has right and the next one loses, by class and by recording."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

NORMAL = "normal"

MOST_NAMED = 100
"""Recordings of a class; those that lose most come first."""


def flips(
    truth: NDArray[np.int64],
    before: NDArray[np.bool_],
    after: NDArray[np.bool_],
    recordings: "pd.Series[str]",
    labels: Sequence[str],
) -> list[dict[str, Any]]:
    """Count by class what the model before has right and the one after does not.

    Parameters
    ----------
    truth : ndarray of int64, shape [N, C]
        0 or 1.
    before, after : ndarray of bool, shape [N, C]
        Labels that either model gives: teacher and student, float and int8.
    recordings : Series of str, length N
        Whose windows they are.
    labels : sequence of str, length C
        Their names.

    Returns
    -------
    list of dict
        For each label, and for the windows without any (`NORMAL`), ``class``; ``windows`` that have it; ``had``, how
        many of them the model before has right: it gives the label, or none at all; ``lost``, of these those that the
        one after has not; ``won``, those that only the one after has; ``recordings`` with what was lost, each
        ``recording`` and ``windows``, at most `MOST_NAMED`.
    """
    had, one, other = truth == 1, before.astype(bool), after.astype(bool)
    by_label = [(had[:, i], one[:, i], other[:, i]) for i in range(len(labels))]
    normal = tuple(np.asarray(~given.any(axis=1)) for given in (had, one, other))
    return [
        {"class": name} | _counted(side, recordings)
        for name, side in zip((*labels, NORMAL), (*by_label, normal), strict=True)
    ]


def _counted(side: tuple[NDArray[np.bool_], ...], recordings: "pd.Series[str]") -> dict[str, Any]:
    there, one, other = side
    lost = there & one & ~other
    counts = recordings[lost].value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")
    return {
        "windows": int(there.sum()),
        "had": int((there & one).sum()),
        "lost": int(lost.sum()),
        "won": int((there & ~one & other).sum()),
        "recordings": [{"recording": name, "windows": int(count)} for name, count in counts.head(MOST_NAMED).items()],
    }


def in_words(found: Sequence[dict[str, Any]]) -> str:
    """Return in a line what was lost of each class."""
    return ", ".join(f"{of['class']} {of['lost']} of {of['had']}" for of in found if of["had"]) or "nothing was there"
