"""Names of binary labels, the classes they make, and what the corpora call them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungsound.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

NOTICE = "research use; not a diagnosis"
"""Stands in whatever says what a model makes of sound."""

LABELS = ("crackle", "wheeze")
"""The labels where nobody names others; a run, a bundle and a table of windows carry their own."""

CLASSES = ("normal", "crackle", "wheeze", "both")
"""Four classes that `LABELS` make; the index is ``crackle + 2 * wheeze``."""

SPRSOUND_EVENTS: Mapping[str, tuple[str, ...]] = {
    "Normal": (),
    "Fine Crackle": ("crackle", "fine crackle"),
    "Wheeze": ("wheeze",),
    "Coarse Crackle": ("crackle", "coarse crackle"),
    "Wheeze+Crackle": ("crackle", "wheeze"),
    "Rhonchi": ("wheeze", "rhonchi"),
    "Stridor": ("wheeze", "stridor"),
}
"""SPRSound's seven event types (task 1-2 order) and their labels; crackle is every discontinuous sound, wheeze every
continuous one."""

SPRSOUND_LABELS = (*LABELS, "fine crackle", "coarse crackle", "rhonchi", "stridor")
"""Labels of SPRSound's events."""

SPRSOUND_RECORDS = ("Normal", "Poor Quality", "CAS", "DAS", "CAS & DAS")
"""SPRSound's record labels in the order of task 2-2."""

_LONGEST_LABEL = 40
_MOST_LABELS = 256
_NO_LABELS = ("normal", "any")
_PREFIXES = ("logit_", "decided_")  # of columns that predictions have for every label


def checked_labels(labels: Sequence[str], where: object = "") -> tuple[str, ...]:
    """Return labels that are plain text in JSON, C and on a terminal alike, each once.

    Parameters
    ----------
    labels : sequence of str
        Names.
    where : object, optional
        The file or place that names them, for the error.

    Raises
    ------
    InputError
        If there is none or more than 256, one is no such text or comes twice, or one says what no label can:
        ``normal`` is the absence of all, ``any`` the presence of one.
    """
    place = f"{where}: " if where else ""
    if not labels:
        raise InputError(f"{place}no labels; name at least one")
    if len(labels) > _MOST_LABELS:
        first = ", ".join(label[:_LONGEST_LABEL] for label in labels[:5])
        sentence = f"{place}{len(labels)} labels ({first}, ...): {_MOST_LABELS} are the most"
        raise InputError(f"{sentence}; name sounds alike alike")
    for label in labels:
        # Two question marks may begin a trigraph, an asterisk end a comment.
        plain = label.isascii() and label.isprintable() and not set(label) & set("\"'\\?*") and label == label.strip()
        if not (plain and 0 < len(label) <= _LONGEST_LABEL):
            raise InputError(
                f"{place}label {label[:_LONGEST_LABEL]!r}: must be 1 to {_LONGEST_LABEL} printable ASCII characters "
                "without quotes, backslashes, question marks, asterisks and spaces at its ends; rename it"
            )
        if label.lower() in _NO_LABELS or label.startswith(_PREFIXES):
            raise InputError(
                f"{place}label {label!r}: says what no label can (normal, any, logit_..., decided_...); rename it"
            )
    if len(set(labels)) < len(labels):
        raise InputError(f"{place}labels {', '.join(labels)}: one of them comes twice; name each once")
    return tuple(labels)


def four_classes(labels: Sequence[str]) -> bool:
    """Whether labels are crackle and wheeze, in any order, so that they make the four classes of ICBHI 2017."""
    return len(labels) == len(LABELS) and set(labels) == set(LABELS)


def class_names(table: "pd.DataFrame", labels: Sequence[str]) -> "pd.Series[str]":
    """Return a name for the labels of every row.

    Parameters
    ----------
    table : DataFrame
        With a column of 0 and 1 for every label.
    labels : sequence of str
        Of a corpus.

    Returns
    -------
    Series of str
        One of `CLASSES` where the labels include crackle and wheeze; elsewhere the names of the labels that are there,
        joined by `` + ``, or ``normal``.
    """
    import pandas as pd

    if set(LABELS) <= set(labels):
        names = np.asarray(CLASSES, dtype=object)[classes_from_labels(table[list(LABELS)])]
    else:
        names = np.full(len(table), "", dtype=object)
        for label in labels:
            present = table[label].to_numpy() == 1
            names[present] += np.where(names[present] == "", "", " + ") + label
        names[names == ""] = "normal"
    return pd.Series(names, index=table.index, dtype=object)


def classes_from_labels(labels: ArrayLike) -> NDArray[np.int64]:
    """Turn ``[..., 2]`` binary labels (crackle, wheeze) into class indices ``[...]``."""
    binary = np.asarray(labels).astype(np.int64)
    return np.asarray(binary[..., 0] + 2 * binary[..., 1])
