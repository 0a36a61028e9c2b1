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

PARTS = ("train", "validation", "test", "intra", "inter")
"""What an official split may call its parts."""

CHOICE = ("train", "validation")
"""Parts on which choices are made; every other one is a test."""

ALL = "all"
"""Every recording that takes part, whatever its part: for a model that was trained on none of them."""

TEST_SHARE = 0.2
"""Of the patients of a corpus that gives no split."""

DRAWS = 200
"""Draws of patients from which the most even one is taken."""

LEAK = "each counts as a patient of its own, so one person's sound may lie on both sides of a split"


@dataclass(frozen=True)
class Split:
    """A part for every recording that takes part.

    Attributes
    ----------
    name : str
        How it was made: ``official``, ``official without shared patients``, or ``drawn`` where a corpus gives none.
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
        """Return the recordings of one part or of `ALL`, none if it is empty."""
        parts = corpus.recordings["recording"].map(self.parts)
        return corpus.where(parts.notna() if part == ALL else parts.eq(part))

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

    Validation is drawn, unless the split names it: whole patients, so that of the events of every class about the
    same share is held out. A patient on both sides of the official split stays on both, in training or validation
    with some recordings and in the test with others, unless `drop_shared`. SPRSound's ``intra`` test shares its
    patients with training by design and is left as it is. Recordings that the split does not name take no part.
    Where a corpus gives no split at all, :func:`drawn_test` draws the patients of the test.

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
    recordings, parts, name = corpus.recordings, corpus.recordings["split"], "official"
    if not gives_split(corpus):
        parts, name = parts.mask(recordings["patient"].isin(drawn_test(corpus)), "test").replace("", "train"), "drawn"
    elif drop_shared:
        parts = parts.mask(parts.isin(APART) & recordings["patient"].isin(shared_patients(corpus)), "")
        name = "official without shared patients"
    if parts.eq("train").any() and not parts.eq("validation").any():
        held_out = _held_out(corpus.where(parts == "train"), validation, seed)
        parts = parts.mask(parts.eq("train") & recordings["patient"].isin(held_out), "validation")
    return Split(name, {key: part for key, part in zip(recordings["recording"], parts, strict=True) if part})


def gives_split(corpus: Corpus) -> bool:
    """Whether the corpus says of any recording to which part it belongs."""
    return bool(corpus.recordings["split"].ne("").any())


def drawn_test(corpus: Corpus) -> set[str]:
    """Draw the patients who test where a corpus gives no split.

    Whoever draws gets the same ones, whatever the seed of the validation, so that nobody tests a model on patients
    that it was trained on. All patients test where there are fewer than three.
    """
    patients = set(corpus.recordings["patient"])
    return _held_out(corpus, TEST_SHARE, seed=0) if len(patients) > 2 else patients


def unknown_patients(recordings: pd.DataFrame) -> pd.Series:
    """Return which recordings belong to nobody known."""
    return recordings["patient"] == recordings["recording"]


def warnings(corpus: Corpus) -> list[str]:
    """Say, a sentence each, why figures on parts of this corpus may mean less than they seem to."""
    recordings, found = corpus.recordings, []
    if unknown := int(unknown_patients(recordings).sum()):
        found.append(f"no patient for {unknown} of {len(recordings)} recordings: {LEAK}")
    if not gives_split(corpus):
        patients, test = recordings["patient"].nunique(), len(drawn_test(corpus))
        found.append(
            f"no split, so {test} of {patients} patients are drawn for the test, always the same; a column split of a "
            f"table says otherwise, and --split {ALL} tests on every recording"
        )
    return found


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
