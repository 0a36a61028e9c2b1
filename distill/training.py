"""From settings to a finished student run."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import torch

from distill.augment import RandomGain
from distill.losses import LossWeights
from distill.module import DistillModule
from distill.store import TeacherOutputs, teacher_outputs
from lungsound.errors import InputError
from lungsound.files.versions import versions
from lungsound.scores.metrics import choose_thresholds, label_scores
from lungsound.scores.watch import AUROC, WatchAuroc
from lungsound.terminal import err
from lungsound.training.data import DataOptions, Part, TrainingData, prepare_training
from lungsound.training.runs import WEIGHTS_FILE, Run
from lungsound.training.settings import save_settings
from lungsound.training.trainer import fit, make_trainer
from lungsound.training.window_dataset import WindowDataset, batches, predict
from students.student import Student, StudentConfig
from teachers.finetune import SpecAugment
from teachers.teacher import Teacher


@dataclass(frozen=True)
class DistillSettings:
    """Everything a distillation is told.

    Attributes
    ----------
    teacher_run : str
        Folder of a finished teacher run; its training split should be the student's.
    data : DataOptions
        Which sound.
    student : StudentConfig
        Which student.
    losses : LossWeights
        What counts.
    epochs, batch_size : int
        Length of the training, windows a step.
    learning_rate, weight_decay : float
        AdamW's.
    gain : float
        Standard deviation in dB of the loudness that windows are played at.
    frequency_mask, time_mask : int
        Largest width of the two masks a window gets on each axis, in mels and frames; a crackle is as short as one
        frame, so wide masks hide what the label says.
    seed : int
        Of the student's first weights, the order of windows and the masks.
    """

    teacher_run: str
    data: DataOptions = field(default_factory=DataOptions)
    student: StudentConfig = field(default_factory=StudentConfig)
    losses: LossWeights = field(default_factory=LossWeights)
    epochs: int = 30
    batch_size: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    gain: float = 4.0
    frequency_mask: int = 4
    time_mask: int = 2
    seed: int = 0

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make them from the values of ``dataclasses.asdict`` after their way through JSON."""
        made = {
            "data": DataOptions.from_dict(values["data"]),
            "student": StudentConfig.from_dict(values["student"]),
            "losses": LossWeights(**values["losses"]),
        }
        return cls(**values | made)


def distill(settings: DistillSettings, folder: Path, cache: Path) -> Run:
    """Train a student, or go on where an interrupted training of the same folder stopped.

    Parameters
    ----------
    settings : DistillSettings
        What to do.
    folder : Path
        The run folder.
    cache : Path
        Where log-mels and teacher outputs are stored.

    Returns
    -------
    Run
        Finished: weights of the epoch with the best validation AUROC, thresholds chosen on validation.
    """
    teacher_run = Run.load(Path(settings.teacher_run))
    _check_same_window(settings, teacher_run)
    data = prepare_training(settings.data, cache)
    save_settings(settings, folder)
    _warn_of_another_split(teacher_run, data)
    outputs = _outputs(settings, teacher_run, data.train, cache)
    student = _train(settings, data, outputs, folder)
    validation = data.validation
    logits = predict(student.eval(), validation.windows, validation.features, data.listening.logmel)
    thresholds = choose_thresholds(validation.labels, logits)
    student.save_weights(folder / WEIGHTS_FILE)
    run = Run(
        path=folder,
        kind="student",
        listening=data.listening,
        model=settings.student.to_dict(),
        data=settings.data.data,
        synthetic=data.selection.synthetic,
        split=settings.data.split_record(data.selection),
        protocols=settings.data.protocols,
        seed=settings.seed,
        teacher=teacher_run.teacher | {"run": settings.teacher_run, "split_hash": teacher_run.split["hash"]},
        thresholds=thresholds,
        validation=label_scores(validation.labels, logits, logits >= thresholds),
        options={"logmel": settings.data.logmel} | _options(settings),
        versions=versions(),
    )
    run.save()
    return Run.load(folder)


def _options(settings: DistillSettings) -> dict[str, Any]:
    values = asdict(settings)
    return {name: values[name] for name in values if name not in ("data", "student", "teacher_run", "seed")}


def _warn_of_another_split(teacher_run: Run, data: TrainingData) -> None:
    if teacher_run.split["hash"] != data.selection.hash:
        err.print(
            f"note: the teacher {teacher_run.path} was trained on another split; it may have heard recordings "
            "that this student is validated or tested on",
            style="yellow",
        )


def _check_same_window(settings: DistillSettings, teacher_run: Run) -> None:
    if settings.losses.teacher and teacher_run.listening.seconds != settings.data.seconds:
        raise InputError(
            f"{teacher_run.path}: the teacher listens to {teacher_run.listening.seconds} s, the student to "
            f"{settings.data.seconds} s; give --seconds {teacher_run.listening.seconds} or another teacher"
        )


def _outputs(settings: DistillSettings, teacher_run: Run, part: Part, cache: Path) -> TeacherOutputs | None:
    if not settings.losses.teacher:
        return None
    teacher = Teacher.load(teacher_run.model, teacher_run.weights)
    return teacher_outputs(teacher, teacher_run.listening, part, cache)


def _train(settings: DistillSettings, data: TrainingData, outputs: TeacherOutputs | None, folder: Path) -> Student:
    torch.manual_seed(settings.seed)
    module = DistillModule(
        Student(settings.student),
        outputs.embedding.shape[1] if outputs is not None and settings.losses.embedding else 0,
        settings.losses,
        settings.learning_rate,
        settings.weight_decay,
        torch.nn.Sequential(
            RandomGain(data.listening.logmel, settings.gain),
            SpecAugment(settings.frequency_mask, settings.time_mask),
        ),
    )
    stored = {} if outputs is None else {"logits": outputs.logits, "embedding": outputs.embedding}
    logmel = data.listening.logmel
    train = WindowDataset(data.train.windows, data.train.features, logmel, stored)
    validation = WindowDataset(data.validation.windows, data.validation.features, logmel)
    trainer = make_trainer(folder, settings.epochs, settings.seed, monitor=AUROC, callbacks=[WatchAuroc()])
    fit(trainer, module, batches(train, settings.batch_size, settings.seed), batches(validation, 256), folder)
    return module.student
