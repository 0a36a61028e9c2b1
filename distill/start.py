"""The student before its training: drawn weights, those of a run of one's own, or published ones."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from distill.settings import DistillSettings
from distill.taught import credit, student_name, teacher_runs_of
from lungsound.errors import InputError
from lungsound.logmel import SPECS, LogMelSpec
from lungsound.networks.cards import WeightsCard
from lungsound.terminal import err
from lungsound.training.runs import Run
from lungsound.training.weights import load_weights, sha256_of
from students.student import Student, StudentConfig


@dataclass(frozen=True)
class Start:
    """A student before its training.

    Attributes
    ----------
    student : Student
        With its first weights.
    credit : dict or None
        Name, licence, paper and origin of these, where they were not drawn.
    logmel : LogMelSpec or None
        What the weights of a run expect, statistics included.
    published : WeightsCard or None
        Of published weights.
    """

    student: Student
    credit: dict[str, Any] | None = None
    logmel: LogMelSpec | None = None
    published: WeightsCard | None = None


def run_name(settings: DistillSettings) -> str:
    """Return what the run folder of a training is called: the student, and what it learns from."""
    teachers = teacher_runs_of(settings)
    taught = credit(teachers, None) if len(teachers) < 2 else {"name": f"{len(teachers)}-teachers"}
    return student_name(settings.student, taught)


def describe(settings: DistillSettings) -> str:
    """Say in words what is trained, and from what."""
    student = settings.student
    said = f"{student.trunk} of width {student.width:g}, "
    said += f"depth {student.depth}, " if student.depth else ""
    said += f"{_head(student)}, "
    said += f"behind {student.front_end.name}, from " if student.front_end else "from "
    teachers = "teachers" if len(settings.teacher_runs) > 1 else "teacher"
    said += f"the {teachers} {', '.join(settings.teacher_runs)}" if settings.losses.teacher else "labels alone"
    started = settings.from_run or settings.student_weights
    return f"{said}, started from {started}" if started else said


def _head(student: StudentConfig) -> str:
    return f"{student.heads} heads" if student.head == "csra" else f"{student.head} head"


def start_of(settings: DistillSettings) -> Start:
    """Make the student that a training starts from; torch is seeded first.

    Raises
    ------
    InputError
        If the weights or the run do not exist or do not fit, or the weights are not those that the training began with.
    """
    torch.manual_seed(settings.seed)
    student = Student(replace(settings.student, classes=len(settings.data.labels)))
    student.check_window(settings.data.listening())
    if settings.from_run is not None:
        return _from_run(settings, Run.load(Path(settings.from_run)), student)
    if settings.student_weights is None:
        return Start(student)
    path = Path(settings.student_weights)
    card = student.start_from(path)
    digest = sha256_of(path)
    if settings.student_weights_sha256 not in (None, digest):
        raise InputError(f"{path}: not the file that this training began with, its sha256 is another; restore it")
    named = {"name": card.name, "licence": card.licence, "paper": card.paper}
    return Start(student, named | {"weights": path.name, "weights_sha256": digest}, published=card)


def note_another_logmel(start: Start, settings: DistillSettings) -> None:
    """Say on stderr that published weights were trained on another log-mel than the student's."""
    listening = settings.data.listening()
    if start.published is None or SPECS[start.published.logmel] == listening.logmel.played():
        return
    heard = start.published.logmel
    err.print(
        f"note: the weights of {start.published.name} were trained on the log-mel {heard} ({_words(SPECS[heard])}), "
        f"this student hears {settings.data.logmel} ({_words(listening.logmel)}) and has to learn more anew; "
        f"--logmel {heard} is theirs",
        style="yellow",
    )


def _words(spec: LogMelSpec) -> str:
    every = 1000 * spec.hop / spec.sample_rate
    return f"{spec.sample_rate} Hz, {spec.n_mels} mels from {spec.f_min:g} to {spec.f_max:g} Hz every {every:g} ms"


def _from_run(settings: DistillSettings, run: Run, student: Student) -> Start:
    """Take the weights of a run; the head's, too, where the labels are the same."""
    if run.kind != "student":
        raise InputError(f"{run.path}: the run of a teacher or an encoder; name a student's")
    before = StudentConfig.from_dict(run.model)
    if replace(settings.student, classes=before.classes, dropout=before.dropout) != before:
        raise InputError(f"{run.path}: its student is {before}, not {settings.student}; train the same on")
    listening = settings.data.listening()
    if run.listening.logmel.with_statistics(0, 1) != listening.logmel:
        asked = f"--logmel {run.options['logmel']} --normalisation {run.listening.logmel.normalisation}"
        raise InputError(f"{run.path}: hears another log-mel; give {asked}")
    load_weights(student, run.weights, but=() if run.listening.labels == listening.labels else ("head.",))
    named = {"name": student_name(before, run.teacher), "weights": str(run.path)}
    return Start(student, named | {key: run.teacher[key] for key in ("licence", "paper")}, run.listening.logmel)
