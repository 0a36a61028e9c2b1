"""From settings to a finished teacher run."""

import hashlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import torch

from lungsound.errors import InputError
from lungsound.files.plain_json import dumps
from lungsound.files.versions import versions
from lungsound.logmel import SPECS, LogMelSpec
from lungsound.scores.metrics import choose_thresholds, label_scores
from lungsound.terminal import err
from lungsound.training.data import DataOptions, TrainingData, prepare_training
from lungsound.training.runs import RUN_FILE, WEIGHTS_FILE, Run
from lungsound.training.settings import save_settings
from lungsound.training.window_dataset import WindowDataset, batches, predict
from teachers.cards import CARDS, TeacherCard, card_of, scratch_card
from teachers.checkpoints import load_m2d
from teachers.finetune import train_teacher
from teachers.fusion import Layers, Pooling
from teachers.teacher import Teacher, TeacherConfig

FROM_SCRATCH = ("tiny", "small")
PUBLISHED = "published"
FROM_SCRATCH_RATE, PUBLISHED_RATE = 1e-3, 1e-4
"""Highest learning rates; the second one is the fusion paper's."""
PATCH_SECONDS = 0.16
"""Of a teacher from scratch: the published 16 frames of 10 ms, whatever the log-mel's hop."""


@dataclass(frozen=True)
class FinetuneSettings:
    """Everything a teacher's training is told.

    Attributes
    ----------
    teacher : str
        Name of a card.
    size : str
        `tiny` or `small` from scratch, `published` from the card's weights.
    weights : str, optional
        A published checkpoint on disk; taken instead of a download.
    layers : tuple of int or "all"
        Fused blocks, counted from 1.
    learnable : bool
        Train a weight for each fused layer.
    pooling : {"frames", "tokens"}
        The two readings of the fusion paper.
    data : DataOptions
        Which sound.
    epochs, batch_size : int
        Length of the training, windows a step.
    learning_rate : float
        The highest.
    seed : int
        Of the first weights, the order of windows and the masks.
    """

    teacher: str = "m2dx"
    size: str = "tiny"
    weights: str | None = None
    layers: Layers = "all"
    learnable: bool = True
    pooling: Pooling = "frames"
    data: DataOptions = field(default_factory=DataOptions)
    epochs: int = 20
    batch_size: int = 16
    learning_rate: float = FROM_SCRATCH_RATE
    seed: int = 0

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make them from the values of ``dataclasses.asdict`` after their way through JSON."""
        layers = values["layers"] if values["layers"] == "all" else tuple(values["layers"])
        return cls(**values | {"data": DataOptions.from_dict(values["data"]), "layers": layers})


def usual_logmel(teacher: str, size: str, weights: Path | None) -> str:
    """Return the log-mel a teacher listens to: what its published weights expect; from scratch, a device's."""
    from_scratch = weights is None and size in FROM_SCRATCH
    return DataOptions().logmel if from_scratch else card_of(teacher).logmel


def usual_learning_rate(size: str, weights: Path | None) -> float:
    """Return the learning rate that suits a teacher from scratch or from published weights."""
    return FROM_SCRATCH_RATE if weights is None and size in FROM_SCRATCH else PUBLISHED_RATE


def finetune(settings: FinetuneSettings, folder: Path, cache: Path) -> Run:
    """Train a teacher, or go on where an interrupted training of the same folder stopped.

    Parameters
    ----------
    settings : FinetuneSettings
        What to do.
    folder : Path
        The run folder.
    cache : Path
        Where log-mels and downloads are stored.

    Returns
    -------
    Run
        Finished: weights of the epoch with the best validation AUROC, thresholds chosen on validation.
    """
    torch.manual_seed(settings.seed)
    teacher, card, expected = _untrained(settings)
    data = prepare_training(settings.data, cache)
    save_settings(settings, folder)
    if expected is not None:
        data = replace(data, listening=replace(data.listening, logmel=expected))
    logmel = data.listening.logmel
    train_teacher(
        teacher,
        batches(WindowDataset(data.train.windows, data.train.features, logmel), settings.batch_size, settings.seed),
        batches(WindowDataset(data.validation.windows, data.validation.features, logmel), 64),
        folder,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        seed=settings.seed,
        freeze_patches=expected is not None,
    )
    run = _finished(settings, card, teacher.eval(), data, folder)
    run.save()
    return Run.load(folder)


def finetuned(settings: FinetuneSettings, runs: Path, cache: Path) -> Run:
    """Return the teacher of these settings: the finished run if there is one, otherwise train it now.

    Parameters
    ----------
    settings : FinetuneSettings
        They decide the name of the run folder.
    runs : Path
        Folder that holds the runs.
    cache : Path
        Where log-mels and downloads are stored.
    """
    digest = hashlib.sha256(dumps(asdict(settings)).encode()).hexdigest()[:12]
    folder = runs / f"teacher-{settings.teacher}-{settings.size}-{digest}"
    if (folder / RUN_FILE).is_file():
        err.print(f"teacher: {folder}, trained before", highlight=False)
        return Run.load(folder)
    kind = "from its published weights" if settings.weights or settings.size == PUBLISHED else "from scratch"
    err.print(f"teacher: training {settings.size} {kind} on {', '.join(settings.data.data)}, into {folder}")
    return finetune(settings, folder, cache)


def _untrained(settings: FinetuneSettings) -> tuple[Teacher, TeacherCard, LogMelSpec | None]:
    """Return the teacher before lung sounds, its card, and the log-mel that published weights expect.

    Raises
    ------
    InputError
        If the weights listen to another log-mel than the settings say.
    """
    listening = settings.data.listening()
    card_of(settings.teacher)  # a wrong name is wrong from scratch, too
    if settings.weights is None and settings.size in FROM_SCRATCH:
        config = TeacherConfig.from_scratch(
            settings.size,
            (listening.logmel.n_mels, listening.frames),
            (16, round(PATCH_SECONDS * listening.logmel.sample_rate / listening.logmel.hop)),
            layers=settings.layers,
            learnable=settings.learnable,
            pooling=settings.pooling,
        )
        return Teacher(config), scratch_card(settings.size, settings.data.data), None
    card, path = _published(settings)
    encoder = load_m2d(path)
    if encoder.logmel.with_statistics(0, 1) != listening.logmel:
        raise InputError(f"{path}: expects {encoder.logmel.sample_rate} Hz; give --logmel {_name_of(encoder.logmel)}")
    teacher = Teacher(TeacherConfig(encoder.config, settings.layers, settings.learnable, settings.pooling))
    teacher.encoder.load_state_dict(encoder.state_dict())
    return teacher, card, encoder.logmel


def _published(settings: FinetuneSettings) -> tuple[TeacherCard, Path]:
    """Return the card and the file of published weights; a file on disk is credited by the name of its folder."""
    card = card_of(settings.teacher)
    if settings.weights is None:
        if settings.size != PUBLISHED:
            raise InputError(f"size {settings.size!r}: choose one of {', '.join((*FROM_SCRATCH, PUBLISHED))}")
        return card, card.fetch()
    path = Path(settings.weights)
    name = path.resolve().parent.name
    return CARDS.get(name) or replace(card, name=name, url=path.name, sha256=None), path


def _name_of(logmel: LogMelSpec) -> str:
    return next(name for name, spec in SPECS.items() if spec == logmel.with_statistics(0, 1))


def _finished(settings: FinetuneSettings, card: TeacherCard, teacher: Teacher, data: TrainingData, folder: Path) -> Run:
    validation = data.validation
    logits = predict(lambda x: teacher(x).logits, validation.windows, validation.features, data.listening.logmel, 64)
    thresholds = choose_thresholds(validation.labels, logits)
    teacher.save_weights(folder / WEIGHTS_FILE)
    options: dict[str, Any] = asdict(settings)
    del options["data"]
    return Run(
        path=folder,
        kind="teacher",
        listening=data.listening,
        model=teacher.config.to_dict(),
        data=settings.data.data,
        synthetic=data.selection.synthetic,
        split=settings.data.split_record(data.selection),
        protocols=settings.data.protocols,
        seed=settings.seed,
        teacher=card.credit(),
        thresholds=thresholds,
        validation=label_scores(validation.labels, logits, logits >= thresholds),
        options={"logmel": settings.data.logmel} | options,
        versions=versions(),
    )
