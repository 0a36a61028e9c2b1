"""Which recordings train, validate and test."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from lungsound.corpus import Corpus
from lungsound.errors import InputError
from lungsound.labels import LABELS, class_names

APART = ("test", "inter")
"""Tests whose patients training should not have; SPRSound's ``intra`` has them by design."""

DRAWS = 200
"""Draws of validation patients from which the most even one is taken."""


@dataclass(frozen=True)
class Split:
    """A part for every recording that takes part.

    Attributes
    ----------
    name : str
        How it was made: ``official`` or ``official without shared patients``.
    parts : mapping of str to str
        ``train``, ``validation``, ``test`` (SPRSound: ``intra``, ``inter``) by recording.
    """

    name: str
    parts: Mapping[str, str]

    @property
    def hash(self) -> str:
        """Sha256 of the lines "recording part", sorted."""
        lines = "\n".join(f"{recording} {part}" for recording, part in sorted(self.parts.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    def part(self, corpus: Corpus, part: str) -> Corpus:
        """Return the recordings of one part, none if it is empty."""
        return corpus.where(corpus.recordings["recording"].map(self.parts).eq(part))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"name": self.name, "hash": self.hash, "parts": dict(self.parts)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make it from :meth:`to_dict`'s values.

        Raises
        ------
        InputError
            If something is missing or the hash is not that of the parts.
        """
        try:
            split = cls(str(values["name"]), {str(name): str(part) for name, part in values["parts"].items()})
            stored = values["hash"]
        except (AttributeError, KeyError, TypeError) as error:
            raise InputError(f"not a split ({error!r}); make it again") from error
        if split.hash != stored:
            raise InputError(f"the split's hash {stored} is not that of its parts ({split.hash}); make it again")
        return split


def assign(corpus: Corpus, *, drop_shared: bool, validation: float, seed: int) -> Split:
    """Take the official split and carve validation out of its training patients.

    Validation is the only part that is drawn: whole patients, so that of the events of every class about the same
    share is held out. A patient on both sides of the official split stays on both, in training or validation
    with some recordings and in the test with others, unless `drop_shared`. SPRSound's ``intra`` test shares its
    patients with training by design and is left as it is. A corpus without any official split is all test; where
    there is one, recordings that it does not name take no part.

    Parameters
    ----------
    corpus : Corpus
        Read from disk.
    drop_shared : bool
        Leave test recordings of patients that training has, too, out (ICBHI 2017: 12 recordings of 156 and 218).
    validation : float
        Share of the training patients, 0.05 to 0.5.
    seed : int
        Of the draw, 0 to 2**32 - 1.

    Raises
    ------
    InputError
        If `validation` or `seed` is out of range, or there is only one training patient.
    """
    if not 0.05 <= validation <= 0.5:
        raise InputError(f"a validation share of {validation} is impossible; give 0.05 to 0.5 of the training patients")
    if not 0 <= seed < 2**32:
        raise InputError(f"a seed of {seed} is impossible; give 0 to {2**32 - 1}")
    recordings = corpus.recordings
    parts = recordings["split"] if recordings["split"].ne("").any() else recordings["split"].replace("", "test")
    if drop_shared:
        parts = parts.mask(parts.isin(APART) & recordings["patient"].isin(shared_patients(corpus)), "")
    training = corpus.where(recordings["split"] == "train")
    if len(training.recordings):
        held_out = _held_out(training, validation, seed)
        parts = parts.mask(parts.eq("train") & recordings["patient"].isin(held_out), "validation")
    name = "official without shared patients" if drop_shared else "official"
    return Split(name, {key: part for key, part in zip(recordings["recording"], parts, strict=True) if part})


def shared_patients(corpus: Corpus) -> tuple[str, ...]:
    """Return the patients of whom both training and a test that should have others hold recordings."""
    recordings = corpus.recordings
    trained = set(recordings.loc[recordings["split"] == "train", "patient"])
    tested = set(recordings.loc[recordings["split"].isin(APART), "patient"])
    return tuple(sorted(trained & tested))


def _held_out(training: Corpus, share: float, seed: int) -> set[str]:
    """Draw `share` of the patients many times; return the draw that holds this share of every kind of event best."""
    from sklearn.model_selection import GroupShuffleSplit

    recordings = training.recordings[["recording", "patient"]]
    rows = recordings.merge(training.events[["recording"]].reset_index(names="event"), on="recording", how="left")
    patients, event = rows["patient"].to_numpy(str), rows["event"].fillna(-1)
    # A recording without events (SPRSound's poor quality) counts as a kind of its own.
    member = np.column_stack([_kinds(training).reindex(event, fill_value=False), event < 0])
    member = member[:, member.any(axis=0)]
    if len(set(patients)) < 2:
        raise InputError(f"{training.root}: one training patient cannot give training and validation; add another")
    best: tuple[float, set[str]] = (np.inf, set())
    for _, chosen in GroupShuffleSplit(DRAWS, test_size=share, random_state=seed).split(member, groups=patients):
        distance = float(np.abs(member[chosen].sum(axis=0) / member.sum(axis=0) - share).max())
        if distance < best[0]:
            best = distance, set(patients[chosen].tolist())
    return best[1]


def _kinds(corpus: Corpus) -> pd.DataFrame:
    """Return which kinds every event is of: one of the four classes, or normal and each label for itself.

    Of labels in any number most combinations are too rare to be shared out.
    """
    if set(LABELS) <= set(corpus.labels):
        return pd.get_dummies(class_names(corpus.events, corpus.labels))
    labels = corpus.events[list(corpus.labels)] == 1
    return labels.assign(normal=~labels.any(axis=1))
