"""The teacher's side of a distillation: whose outputs a student learns from, and who is to be credited."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from distill.settings import DistillSettings
from distill.store import TeacherOutputs, teacher_outputs
from lungsound.errors import InputError
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


def teacher_run_of(settings: DistillSettings) -> Run | None:
    """Return the run that a student learns from; None where it learns from labels alone.

    Raises
    ------
    InputError
        If the teacher counts and there is none, it decides nothing, it listens to another window, or its logits count
        and lack a label.
    """
    if not settings.losses.teacher:
        return None
    if settings.teacher_run is None:
        raise InputError("the losses of logits and embedding need a teacher's run; give one, or both the weight 0")
    run = Run.load(Path(settings.teacher_run))
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


def student_name(student: StudentConfig, teacher: dict[str, Any]) -> str:
    """Return what a student is called: its trunk, its front end where it is learnt, and what it learnt from."""
    trunk = f"{student.trunk}-{student.front_end.name}" if student.front_end else student.trunk
    if teacher["name"] == LABELS_ALONE["name"]:
        return f"{trunk}-labels-alone"
    return f"{trunk}-from-{teacher['name']}"


def credit(teacher_run: Run | None, start: dict[str, Any] | None) -> dict[str, Any]:
    """Return what a student's run stores of its teacher, and of the weights that it started from.

    Parameters
    ----------
    teacher_run : Run or None
        What it learnt from beside the labels.
    start : dict or None
        Name, licence, paper and origin of its first weights, where they were not drawn. Its licence goes with the
        student, too.
    """
    taught: dict[str, Any] = LABELS_ALONE
    if teacher_run is not None:
        taught = teacher_run.teacher | {"run": str(teacher_run.path), "split_hash": teacher_run.split["hash"]}
        if teacher_run.kind == "student":
            taught["name"] = student_name(StudentConfig.from_dict(teacher_run.model), teacher_run.teacher)
    if start is None:
        return dict(taught)
    licences = dict.fromkeys([*taught["licence"].split("; "), *start["licence"].split("; ")])
    origin = {key: start[key] for key in ("weights", "weights_sha256") if key in start}
    paper = f"{taught['paper']}; started from {start['name']} ({start['paper']})"
    return taught | {"licence": "; ".join(licences), "paper": paper} | origin
