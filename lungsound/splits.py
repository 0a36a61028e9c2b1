"""Which recordings train, validate and test."""

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from lungsound.corpus import Corpus
from lungsound.errors import InputError


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

    Validation is the only part that is drawn: whole patients, so that the classes of events have about the same
    shares as in training. Recordings without an official split are for testing. A patient on both sides of the
    official split stays on both, in training or validation with some recordings and in the test with others, unless
    `drop_shared`. SPRSound's ``intra`` test shares its patients with training by design and is left as it is.

    Parameters
    ----------
    corpus : Corpus
        Read from disk.
    drop_shared : bool
        Leave test recordings of patients that training has, too, out (ICBHI 2017: 12 recordings of 156 and 218).
    validation : float
        Share of the training data, 0.05 to 0.5, rounded to 1/2, 1/3, 1/4 and so on.
    seed : int
        Of the draw.

    Raises
    ------
    InputError
        If `validation` is out of range, or there is only one training patient.
    """
    if not 0.05 <= validation <= 0.5:
        raise InputError(f"a validation share of {validation} is impossible; give 0.05 to 0.5 of the training patients")
    recordings = corpus.recordings
    parts = recordings["split"].mask(recordings["split"] == "", "test")
    if drop_shared:
        parts = parts.mask(parts.eq("test") & recordings["patient"].isin(shared_patients(corpus)))
    training = corpus.where(recordings["split"] == "train")
    if len(training.recordings):
        held_out = _held_out(training, round(1 / validation), seed)
        parts = parts.mask(parts.eq("train") & recordings["patient"].isin(held_out), "validation")
    assigned = dict(zip(recordings["recording"], parts, strict=True))
    name = "official without shared patients" if drop_shared else "official"
    return Split(name, {recording: part for recording, part in assigned.items() if isinstance(part, str)})


def shared_patients(corpus: Corpus) -> tuple[str, ...]:
    """Return the patients of whom both training and the tests that should have others have recordings.

    Those are ``test`` and ``inter``; ``intra`` shares patients by design.
    """
    recordings = corpus.recordings
    trained = set(recordings.loc[recordings["split"] == "train", "patient"])
    tested = set(recordings.loc[recordings["split"].isin(["test", "inter"]), "patient"])
    return tuple(sorted(trained & tested))


def _held_out(training: Corpus, folds: int, seed: int) -> set[str]:
    """Return one fold of the training patients."""
    from sklearn.model_selection import StratifiedGroupKFold

    recordings = training.recordings[["recording", "patient"]]
    # A recording without events (SPRSound's poor quality) counts as a class of its own.
    rows = recordings.merge(training.events[["recording", "class"]], on="recording", how="left").fillna("none")
    folds = min(folds, rows["patient"].nunique())
    if folds < 2:
        raise InputError(f"{training.root}: one training patient cannot give training and validation; add another")
    kinds, patients = rows["class"].to_numpy(str), rows["patient"].to_numpy(str)
    rng = np.random.default_rng(seed)
    folded = StratifiedGroupKFold(folds, shuffle=True, random_state=int(rng.integers(2**31)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class with fewer members than folds is no reason to worry
        drawn = list(folded.split(kinds, kinds, patients))
    _, chosen = drawn[int(rng.integers(folds))]
    return set(pd.unique(patients[chosen]))
