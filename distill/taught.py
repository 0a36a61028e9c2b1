"""The teacher's side of a distillation: whose outputs a student learns from, and who is to be credited."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from distill.settings import DistillSettings
from distill.store import TeacherOutputs, teacher_outputs
from lungsound.errors import InputError
from lungsound.scores.metrics import choose_thresholds
from lungsound.terminal import err
from lungsound.training.data import Part, TrainingData
from lungsound.training.runs import Run
from students.student import Student, StudentConfig
from teachers.teacher import Teacher, TeacherOutput

LABELS_ALONE = {
    "name": "none",
    "licence": "Apache-2.0",
    "paper": "labels alone",
    "note": "no teacher",
    "weights": "trained from scratch",
}
"""What the run of a student stores that had no teacher."""


class StudentAsTeacher(nn.Module):
    """A trained student that teaches another one: logits, and its pooled feature map as the embedding.

    Parameters
    ----------
    student : Student
        In evaluation mode.
    """

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student
        self.config = student.config

    def forward(self, x: Tensor) -> TeacherOutput:
        """Classify what the student hears."""
        feature_map = self.student.features(x)
        return TeacherOutput(self.student.head(feature_map), self.student.pool(feature_map))


def teacher_runs_of(settings: DistillSettings) -> tuple[Run, ...]:
    """Return the runs that a student learns from; none where it learns from labels alone.

    Raises
    ------
    InputError
        If a teacher counts and there is none, one is named twice, decides nothing or listens to another window, their
        labels differ, or logits count and lack a label.
    """
    if not settings.losses.teacher:
        return ()
    if not settings.teacher_runs:
        raise InputError("the losses of logits and embedding need a teacher's run; give one, or both the weight 0")
    folders = [Path(folder).resolve() for folder in settings.teacher_runs]
    if twice := next((folder for folder in folders if folders.count(folder) > 1), None):
        raise InputError(f"{twice}: named twice among the teachers, of which each counts once; name it once")
    first, *others = runs = [_teacher_run(Path(folder), settings) for folder in settings.teacher_runs]
    for run in others:
        if set(run.listening.labels) != set(first.listening.labels):
            raise InputError(
                f"{run.path}: tells {', '.join(run.listening.labels)}, and {first.path} tells "
                f"{', '.join(first.listening.labels)}; teachers that teach together tell the same labels"
            )
    return tuple(runs)


def _teacher_run(folder: Path, settings: DistillSettings) -> Run:
    run = Run.load(folder)
    if run.kind == "encoder":
        raise InputError(f"{run.path}: the run of an encoder alone; fine-tune it first (auscult finetune --from-run)")
    if run.listening.seconds != settings.data.seconds:
        raise InputError(
            f"{run.path}: the teacher listens to {run.listening.seconds} s, the student to "
            f"{settings.data.seconds} s; give --seconds {run.listening.seconds} or another teacher"
        )
    missing = [label for label in settings.data.labels if label not in run.listening.labels]
    if missing and settings.losses.logits:
        raise InputError(
            f"{run.path}: the teacher tells {', '.join(run.listening.labels)}, not {', '.join(missing)}; give labels "
            "among its own, or --logit-weight 0"
        )
    return run


def warn_of_another_split(teacher_run: Run, data: TrainingData) -> None:
    """Say on stderr that the teacher was trained on another split."""
    if teacher_run.split["hash"] != data.selection.hash:
        err.print(
            f"note: the teacher {teacher_run.path} was trained on another split; it may have heard recordings "
            "that this student is validated or tested on",
            style="yellow",
        )


def outputs_of(teacher_run: Run, part: Part, labels: Sequence[str], cache: Path) -> TeacherOutputs:
    """Return what the teacher of a run says of every window, from the store if it is there.

    Its logits are those of `labels`, in this order; of labels that it does not tell there are none.
    """
    teacher: Teacher | StudentAsTeacher
    sound = False
    if teacher_run.kind == "student":
        student = Student.load(teacher_run.model, teacher_run.weights)
        teacher, sound = StudentAsTeacher(student), student.hears_sound
    else:
        teacher = Teacher.load(teacher_run.model, teacher_run.weights)
    outputs = teacher_outputs(teacher, teacher_run.listening, part, cache, sound=sound)
    told = teacher_run.listening.labels
    if tuple(labels) == told:
        return outputs
    return replace(outputs, logits=outputs.logits[:, [told.index(label) for label in labels if label in told]])


def mean_logits(outputs: Sequence[TeacherOutputs]) -> NDArray[np.float32]:
    """Return what teachers say together: the mean of their logits [N, C], in float64; of one alone its own.

    For each label its sigmoid is the normalised geometric mean of their probabilities (Hinton et al. 2015, section 1).
    """
    if len(outputs) == 1:
        return outputs[0].logits
    return np.asarray(np.mean([said.logits for said in outputs], axis=0, dtype=np.float64), np.float32)


@dataclass(frozen=True)
class Taught:
    """What teachers say together of validation windows.

    Attributes
    ----------
    logits : ndarray of float32, shape [N, C]
        Of the student's labels.
    thresholds : tuple of float, length C
        The teacher's own; of several, those with the best Score of the mean of their logits.
    """

    logits: NDArray[np.float32]
    thresholds: tuple[float, ...]

    @property
    def given(self) -> NDArray[np.bool_]:
        """Which labels they give, shape [N, C]."""
        return np.asarray(self.logits >= np.asarray(self.thresholds))


def taught_on(teachers: Sequence[Run], part: Part, labels: Sequence[str], cache: Path) -> Taught | None:
    """Return what teachers say of validation windows; None where there is none, or one lacks a label."""
    if not teachers or any(not set(labels) <= set(run.listening.labels) for run in teachers):
        return None
    logits = mean_logits([outputs_of(run, part, labels, cache) for run in teachers])
    if len(teachers) > 1:
        return Taught(logits, choose_thresholds(part.labels, logits, labels))
    own = dict(zip(teachers[0].listening.labels, teachers[0].decisive(), strict=True))
    return Taught(logits, tuple(own[label] for label in labels))


def student_name(student: StudentConfig, teacher: dict[str, Any]) -> str:
    """Return what a student is called: its trunk, its front end where it is learnt, and what it learnt from."""
    trunk = f"{student.trunk}-{student.front_end.name}" if student.front_end else student.trunk
    if teacher["name"] == LABELS_ALONE["name"]:
        return f"{trunk}-labels-alone"
    return f"{trunk}-from-{teacher['name']}"


def credits_of(teacher_runs: Sequence[Run]) -> tuple[dict[str, Any], ...]:
    """Return what a student's run stores of each of its teachers."""
    return tuple(map(_credit, teacher_runs))


def _credit(run: Run) -> dict[str, Any]:
    taught = run.teacher | {"run": str(run.path), "split_hash": run.split["hash"]}
    if run.kind == "student":
        taught["name"] = student_name(StudentConfig.from_dict(run.model), run.teacher)
    return taught


def _together(cards: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one credit of several teachers: their names, and each licence, paper and origin once."""
    names = Counter(card["name"] for card in cards)
    told = {
        key: "; ".join(dict.fromkeys(part for card in cards for part in card.get(key, "").split("; ") if part))
        for key in ("licence", "paper", "weights", "run")
    }
    name = "+".join(name if count == 1 else f"{count}x-{name}" for name, count in names.items())
    return {"name": name, "note": f"{len(cards)} teachers, the mean of their logits"} | told


def credit(teacher_runs: Sequence[Run], start: dict[str, Any] | None) -> dict[str, Any]:
    """Return what a student's run stores of what taught it, and of the weights that it started from.

    Parameters
    ----------
    teacher_runs : sequence of Run
        What it learnt from beside the labels; several are credited together.
    start : dict or None
        Name, licence, paper and origin of its first weights, where they were not drawn. Its licence goes with the
        student, too.
    """
    taught: dict[str, Any] = LABELS_ALONE
    if teacher_runs:
        first, *others = credits_of(teacher_runs)
        taught = _together([first, *others]) if others else first
    if start is None:
        return dict(taught)
    licences = dict.fromkeys([*taught["licence"].split("; "), *start["licence"].split("; ")])
    origin = {key: start[key] for key in ("weights", "weights_sha256") if key in start}
    paper = f"{taught['paper']}; started from {start['name']} ({start['paper']})"
    return taught | {"licence": "; ".join(licences), "paper": paper} | origin
