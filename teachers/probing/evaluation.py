"""A probe from features to figures: layers by validation, the chosen one once on the test, encoders in pairs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError
from lungsound.scores.paired import drawn_auroc, interval, patient_weights
from teachers.probing.features import Pool, Pooled
from teachers.probing.linear import LinearSettings, Probes, macro_auroc, train_probes

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Question:
    """What is asked of N windows.

    Attributes
    ----------
    names : tuple of str
        Of the Q questions: labels, or one task.
    classes : tuple of str
        C answers, the same for every question.
    truth : ndarray of int64, shape [N, Q]
        The right ones.
    parts : ndarray of str, shape [N]
        Of `PARTS`; other windows take no part.
    patients : ndarray of str, shape [N]
        Whole patients are drawn for intervals.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    truth: NDArray[np.int64]
    parts: NDArray[np.str_]
    patients: NDArray[np.str_]

    def rows(self, part: str) -> NDArray[np.intp]:
        """Return the windows of a part."""
        return np.flatnonzero(self.parts == part)

    def refuse_unless_answerable(self, remedy: str) -> None:
        """Refuse a part that lacks a class, and a test of one patient.

        Parameters
        ----------
        remedy : str
            What to do then, the end of the sentence.

        Raises
        ------
        InputError
            Naming question, class and part.
        """
        if len(tested := set(self.patients[self.rows("test")])) == 1:
            raise InputError(f"{tested.pop()} is the only patient of the test, and intervals need two; {remedy}")
        for part in PARTS:
            truth = self.truth[self.rows(part)]
            for number, name in enumerate(self.names):
                for index, answer in enumerate(self.classes):
                    if not (truth[:, number] == index).any():
                        raise InputError(f"{name}: nothing with class {answer} in {part}; {remedy}")


@dataclass(frozen=True)
class Answer:
    """What the probes of one encoder said.

    Attributes
    ----------
    name : str
        Encoder and pooling, for tables.
    pool : {"frames", "mean"}
        The pooling.
    layers : dict of int to float
        AUROC on validation of every layer that was tried, mean over seeds and questions.
    layer : int
        The best of them.
    probabilities : ndarray of float64, shape [S, N, Q, C]
        On the test, of the probes on that layer.
    auroc : ndarray of float64, shape [S, Q]
        On the test.
    draws : ndarray of float64, shape [draws]
        AUROC of each draw of patients, mean over seeds and questions.
    """

    name: str
    pool: Pool
    layers: dict[int, float]
    layer: int
    probabilities: NDArray[np.float64]
    auroc: NDArray[np.float64]
    draws: NDArray[np.float64]

    def to_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """Return the figures as plain values."""
        seeds = self.auroc.mean(axis=1)
        return {
            "name": self.name,
            "pool": self.pool,
            "layer": self.layer,
            "layers": [{"layer": number, "validation": value} for number, value in self.layers.items()],
            "auroc": float(seeds.mean()),
            "deviation": float(seeds.std()),
            "interval": list(interval(self.draws)),
            "seeds": seeds.tolist(),
            "by_label": dict(zip(names, self.auroc.mean(axis=0).tolist(), strict=True)),
        }


def answer(
    name: str, pooled: Pooled, pool: Pool, layers: Sequence[int], question: Question, settings: LinearSettings
) -> Answer:
    """Train probes on layers, choose one on validation and ask it the test.

    Parameters
    ----------
    name : str
        Of encoder and pooling.
    pooled : Pooled
        Features of all N windows.
    pool : {"frames", "mean"}
        How frequencies are pooled.
    layers : sequence of int
        Those that may be chosen, counted from 1.
    question : Question
        What is asked.
    settings : LinearSettings
        How probes are trained.
    """
    trained = {layer: _probes(pooled.layer(layer, pool), question, settings) for layer in layers}
    validation = {layer: float(np.mean(probes.validation)) for layer, probes in trained.items()}
    best = max(validation, key=lambda layer: validation[layer])
    rows = question.rows("test")
    said = trained[best].probabilities(pooled.layer(best, pool)[rows])
    truth = question.truth[rows]
    weights = patient_weights(question.patients[rows].tolist())
    asked = range(len(question.names))
    auroc = np.array([[macro_auroc(truth[:, q], seed[:, q]) for q in asked] for seed in said])
    draws = np.mean([drawn_auroc(truth[:, q], said[:, :, q], weights) for q in asked], axis=0)
    return Answer(name, pool, validation, best, said, auroc, draws)


def differences(answers: Sequence[Answer]) -> Iterator[dict[str, Any]]:
    """Yield the difference of every pair, the first less the second, with its interval on the same draws of patients.

    As every answer drew the same patients, draws are paired.
    """
    for first, second in combinations(answers, 2):
        yield {
            "first": first.name,
            "second": second.name,
            "difference": float(first.auroc.mean() - second.auroc.mean()),
            "interval": list(interval(first.draws - second.draws)),
        }


def _probes(features: NDArray[np.float32], question: Question, settings: LinearSettings) -> Probes:
    train, validation = (question.rows(part) for part in ("train", "validation"))
    return train_probes(
        (features[train], question.truth[train]),
        (features[validation], question.truth[validation]),
        len(question.classes),
        settings,
    )
