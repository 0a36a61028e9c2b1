"""The same scores by device, site, age group, sex, and by whether training has the patient, too.

Pooled figures over devices are confounded: devices differ in their share of abnormal sound, so that knowing the device
is enough to score. Within each of them it is not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungsound.scores.evaluation import TRAINED, Predicted
from lungsound.scores.weighted import defined_mean

AGE_GROUPS = {
    "infant (under 2)": 2.0,
    "preschool child (2 to 5)": 6.0,
    "child (6 to 12)": 13.0,
    "adolescent (13 to 18)": 19.0,
    "adult (19 to 44)": 45.0,
    "middle aged (45 to 64)": 65.0,
    "aged (65 and over)": np.inf,
}
"""Groups of the Medical Subject Headings (MeSH) and the age in years at which each ends."""

UNKNOWN = "unknown"
OTHERS = "others"
MOST = 30
"""Groups of a kind that are told apart, the largest; what is left is one group, `OTHERS`."""

Members = Mapping[str, Mapping[str, NDArray[np.bool_]]]
"""By kind and name of a group, which of N rows belong to it."""


def age_groups(ages: pd.Series) -> pd.Series:
    """Return the name of the group of each age in years; `UNKNOWN` where it is not a number."""
    years = pd.to_numeric(ages, errors="coerce").to_numpy(np.float64)
    names = np.array([*AGE_GROUPS, UNKNOWN], dtype=object)
    place = np.searchsorted(list(AGE_GROUPS.values()), years, side="right")
    return pd.Series(names[np.where(np.isnan(years), len(AGE_GROUPS), place)], index=ages.index, dtype=object)


def memberships(table: pd.DataFrame) -> Members:
    """Return which rows belong to which group, by kind: ``device``, ``site``, ``age``, ``sex``, ``patients``.

    A kind of which the corpus tells nothing is left out.

    Parameters
    ----------
    table : DataFrame
        N windows or recordings with their predictions.
    """
    named = {kind: table[kind].astype(str).replace("", UNKNOWN) for kind in ("device", "site", "sex") if kind in table}
    if "age" in table:
        named["age"] = age_groups(table["age"])
    if TRAINED in table:
        named["patients"] = table[TRAINED].map({0: "of the test alone", 1: "of training, too"})
    found: dict[str, dict[str, NDArray[np.bool_]]] = {}
    for kind in ("device", "site", "age", "sex", "patients"):
        if kind in named and (named[kind] != UNKNOWN).any():
            counts = named[kind].value_counts()
            names = named[kind].where(named[kind].isin(counts.index[:MOST]), OTHERS)
            found[kind] = {name: (names == name).to_numpy(bool) for name in _ordered(kind, set(names))}
    return found


def group_scores(table: pd.DataFrame, labels: Sequence[str], members: Members) -> dict[str, dict[str, Any]]:
    """Return counts and :func:`lungsound.scores.metrics.label_scores` of each group, by kind and name."""
    predicted = Predicted.of(table, labels)
    return {
        kind: {
            name: {
                "recordings": len(table.loc[rows, ["corpus", "recording"]].drop_duplicates()),
                "patients": int(table.loc[rows, "patient"].nunique()),
                "abnormal": int(predicted.truth[rows].any(axis=1).sum()),
                "scores": predicted.where(rows).scores(),
            }
            for name, rows in groups.items()
        }
        for kind, groups in members.items()
    }


def weighted_group_scores(predicted: Predicted, members: Members, weights: NDArray[np.float64]) -> dict[str, Any]:
    """Return the figures of each group for each row of weights [draws, N], by kind and name, each [draws]."""
    return {
        kind: {name: predicted.where(rows).weighted_scores(weights[:, rows]) for name, rows in groups.items()}
        for kind, groups in members.items()
    }


def mean_within(groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean over groups of each figure, of those groups in which it is defined.

    Parameters
    ----------
    groups : sequence of mapping
        Scores of each group, numbers or arrays of shape [draws], in dicts as deep as one likes; ``n`` is left out.

    Returns
    -------
    dict
        As each of the groups; arrays of shape [draws] or [1].
    """
    return {
        name: mean_within([group[name] for group in groups])
        if isinstance(value, Mapping)
        else defined_mean([np.atleast_1d(group[name]) for group in groups])
        for name, value in groups[0].items()
        if name != "n"
    }


def _ordered(kind: str, names: set[str]) -> list[str]:
    """Return names in their order: of age, else of the alphabet; what is unknown and others last."""
    last = (OTHERS, UNKNOWN)
    order = list(AGE_GROUPS) if kind == "age" else sorted(names - set(last))
    return [name for name in (*order, *last) if name in names]
