"""What is probed: published encoders, those of runs, and what they must beat."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before anything that imports torchvision

import numpy as np
import torch

from lungsound.corpora.registry import open_corpus, parse_data
from lungsound.corpora.splits import assign
from lungsound.errors import InputError
from lungsound.logmel import LogMelSpec
from lungsound.training.runs import Run
from lungsound.training.weights import load_weights
from students.student import Student, StudentConfig
from teachers.encoder import Encoder, build, card_of, config_from, find
from teachers.probing.features import Probed
from teachers.probing.questions import Asked
from teachers.teacher import Teacher


@dataclass(frozen=True)
class Source:
    """Something trained, and how to make it with weights that nobody trained."""

    probed: Probed
    untrained: Callable[[], Probed]


def open_encoders(
    teachers: Sequence[str], weights: Sequence[Path], runs: Sequence[Run], seed: int, *, baselines: bool
) -> list[Probed]:
    """Return what is probed, in the order given, then the baselines.

    Parameters
    ----------
    teachers : sequence of str
        Encoders or cards of the registry.
    weights : sequence of Path
        Their published files, or none: they are downloaded.
    runs : sequence of Run
        Of teachers, students and pre-trainings.
    seed : int
        Of the weights of untrained encoders.
    baselines : bool
        Add an untrained encoder for every shape, and mean and deviation of every log-mel.

    Raises
    ------
    InputError
        If nothing is named, the numbers of names and files differ, or weights cannot be read.
    """
    if weights and len(weights) != len(teachers):
        raise InputError(f"{len(weights)} --weights for {len(teachers)} --teacher; give one for each, or none")
    files: Sequence[Path | None] = weights or [None] * len(teachers)
    sources = [_published(name, file, seed) for name, file in zip(teachers, files, strict=True)]
    sources += [_of_run(run, seed) for run in runs]
    if not sources:
        raise InputError("nothing to probe; give --teacher NAME, with --weights FILE or without, or --from-run RUN")
    found = [source.probed for source in sources]
    if baselines:
        found += _different([source.untrained() for source in sources])
        found += _different([Probed.of_logmel("log-mel", source.probed.logmel) for source in sources])
    return _named_apart(found)


def notes_on(runs: Sequence[Run], data: Sequence[str], asked: Asked) -> list[str]:
    """Return a note for every run whose training heard some of what judges."""
    judged = asked.windows.iloc[asked.question.rows("test")]
    notes = []
    for run in runs:
        heard = 0
        for name, root in map(parse_data, data):
            if name in [parse_data(text)[0] for text in run.data]:
                corpus = open_corpus(name, root).with_audio()
                told = {key: run.split[key] for key in ("drop_shared", "validation", "seed")}
                trained = [recording for recording, part in assign(corpus, **told).parts.items() if part == "train"]
                heard += int((judged["corpus"].eq(corpus.name) & judged["recording"].isin(trained)).sum())
        if heard:
            notes.append(
                f"{run.path.name} was trained on {heard} of the {len(judged)} clips that judge, which flatters; its "
                f"training had --validation {run.split['validation']} and --split-seed {run.split['seed']}"
            )
    return notes


def _published(teacher: str, file: Path | None, seed: int) -> Source:
    encoder_class, _ = find(teacher)
    path = card_of(teacher).fetch() if file is None else file
    name = card_of(teacher).name if file is None else encoder_class.name_of(path)
    encoder = encoder_class.read(path)
    return _of_encoder(name, encoder, encoder.logmel, seed)


def _of_run(run: Run, seed: int) -> Source:
    name, logmel = run.path.resolve().name, run.listening.logmel
    if run.kind == "student":
        student = Student.load(run.model, run.weights)
        return Source(
            _student(name, student, logmel),
            lambda: _untrained_student(student.config, logmel, seed),
        )
    if run.kind == "teacher":
        encoder = Teacher.load(run.model, run.weights).encoder
    else:
        encoder = build(config_from(run.model["encoder"]))
        load_weights(encoder, run.weights)
    return _of_encoder(name, encoder, logmel, seed)


def _of_encoder(name: str, encoder: Encoder, logmel: LogMelSpec, seed: int) -> Source:
    untrained = f"untrained {encoder.name}"
    return Source(
        Probed.of_encoder(name, encoder, logmel),
        lambda: Probed.random(untrained, encoder.config, logmel, seed),
    )


def _student(name: str, student: Student, logmel: LogMelSpec) -> Probed:
    """Return a student: its one layer is the feature map that its head takes."""
    frozen = student.eval()
    return Probed(
        name,
        logmel,
        frozen,
        lambda x: [frozen.features(x).permute(0, 3, 2, 1)],
        {"name": "student"} | frozen.config.to_dict(),
        frozen.hears_sound,
    )


def _untrained_student(config: StudentConfig, logmel: LogMelSpec, seed: int) -> Probed:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _student(f"untrained {config.trunk}", Student(config), logmel)


def _different(found: Sequence[Probed]) -> list[Probed]:
    """Return one of those that are the same: in shape and in what they hear, as far as weights on disk tell it."""
    kept: dict[Any, Probed] = {}
    for probed in found:
        spec = probed.logmel
        heard = spec.with_statistics(float(np.float32(spec.mean)), float(np.float32(spec.std))).to_dict()
        kept.setdefault(json.dumps([probed.shape, heard], sort_keys=True), probed)
    return list(kept.values())


def _named_apart(found: Sequence[Probed]) -> list[Probed]:
    """Give those a number that would have the same name."""
    names = [probed.name for probed in found]
    return [
        probed
        if names.count(probed.name) == 1
        else replace(probed, name=f"{probed.name} {names[: n + 1].count(probed.name)}")
        for n, probed in enumerate(found)
    ]
