"""From settings to a finished student run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from distill.augment import RandomGain, RandomSoundGain
from distill.losses import LossWeights
from distill.module import DistillModule
from distill.settings import DistillSettings
from distill.start import Start, note_another_logmel, start_of
from distill.store import TeacherOutputs
from distill.taught import (
    credit,
    credits_of,
    mean_logits,
    outputs_of,
    taught_on,
    teacher_runs_of,
    warn_of_another_split,
)
from lungsound.scores.aims import Aim, thresholds_for
from lungsound.scores.flips import flips
from lungsound.scores.metrics import label_scores
from lungsound.scores.stored import save_validation
from lungsound.scores.watch import WatchAuroc, watchable, watched
from lungsound.training.data import TrainingData, prepare_training
from lungsound.training.epochs import KeepEpochs
from lungsound.training.finished import finished_run
from lungsound.training.optimisation import Optimisation
from lungsound.training.runs import Run, in_use
from lungsound.training.settings import SETTINGS_FILE, save_settings
from lungsound.training.trainer import fit, make_trainer
from lungsound.training.window_dataset import WindowDataset, batches, predict
from students.student import Student
from teachers.finetune import SpecAugment
from teachers.settings import FinetuneSettings
from teachers.start import start_of as teacher_start_of

LEARNT_FRONT_END = (
    "the front end is learnt: gains changed the samples, SpecAugment masked the learnt spectrogram with 0"
)
"""What the run of a student tells that hears sound."""


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
        Finished: weights of the epoch that the watched figure chose, thresholds chosen on validation.

    Raises
    ------
    InputError
        If another process trains in the folder, another training began there, or the training diverges; see also
        :func:`distill.taught.teacher_runs_of` and :func:`begin`.
    """
    with in_use(folder):
        return _distilled(settings, folder, cache)


def _distilled(settings: DistillSettings, folder: Path, cache: Path) -> Run:
    teachers = teacher_runs_of(settings)
    start, mode = begin(settings)
    note_another_logmel(start, settings)
    settings = _with_digest(settings, start, folder)
    data = prepare_training(settings.data, cache, sound=start.student.hears_sound)
    if start.student.hears_sound:
        data = replace(data, notes=(*data.notes, LEARNT_FRONT_END))
    watch = watchable(settings.watch, mode, data.listening.labels, data.validation.labels)
    save_settings(settings, folder, data.selection.hash)
    if start.logmel is not None:
        data = replace(data, listening=replace(data.listening, logmel=start.logmel))
    for run in teachers:
        warn_of_another_split(run, data)
    outputs = [outputs_of(run, data.train, data.listening.labels, cache) for run in teachers]
    validation, labels = data.validation, data.listening.labels
    taught = taught_on(teachers, validation, labels, cache)
    student = _train(settings, watch, data, outputs, folder, None if taught is None else taught.thresholds).eval()
    logits = predict(student, validation.features, data.listening.logmel)
    thresholds = thresholds_for(Aim.parse(settings.aim), validation.labels, logits, validation.windows, data.listening)
    given = logits >= np.asarray(thresholds)
    lost = None
    if taught is not None:
        lost = flips(validation.labels, taught.given, given, validation.windows["recording"], labels)
    save_validation(folder, validation.windows, logits, given, labels, None if taught is None else taught.given)
    return finished_run(
        folder,
        "student",
        student,
        settings,
        data,
        model=student.config.to_dict(),
        teacher=credit(teachers, start.credit),
        thresholds=thresholds,
        validation=label_scores(validation.labels, logits, given, labels),
        teachers=credits_of(teachers) if len(teachers) > 1 else (),
        flips=None if lost is None else tuple(lost),
    )


def _with_digest(settings: DistillSettings, start: Start, folder: Path) -> DistillSettings:
    """Return the settings with the sha256 of the published weights, where the training begins now."""
    if start.published is None or start.credit is None or (folder / SETTINGS_FILE).exists():
        return settings
    return replace(settings, student_weights_sha256=start.credit["weights_sha256"])


def begin(settings: DistillSettings) -> tuple[Start, Literal["min", "max"]]:
    """Return the student that a training starts from, and whether its watched figure is best small or large.

    Raises
    ------
    InputError
        See :func:`distill.start.start_of` and :func:`lungsound.scores.watch.watched`.
    """
    start = start_of(settings)
    return start, watched(settings.watch, settings.data.listening().labels, logged_losses(settings.losses))


def refuse_what_no_size_mends(settings: DistillSettings, taught: FinetuneSettings | None) -> None:
    """Refuse what a training would refuse whatever its student's size, before one is looked for.

    Parameters
    ----------
    settings : DistillSettings
        Of the training; the student does not count.
    taught : FinetuneSettings or None
        Of the teacher that is trained first.

    Raises
    ------
    InputError
        If the watched figure is never logged, the corpora cannot be read or lack a label, or the teacher cannot be.
    """
    watched(settings.watch, settings.data.labels, logged_losses(settings.losses))
    if taught is None:
        teacher_runs_of(settings)
    else:
        teacher_start_of(taught)
    selection = settings.data.select()
    for part in ("train", "validation"):
        selection.windows(part, settings.data.protocols, settings.data.listening())


def logged_losses(losses: LossWeights) -> list[str]:
    """Return the names under which the losses that count are logged in training."""
    counted = {"labels": True, "logits": losses.logits, "embedding": losses.embedding}
    return [f"train_{name}" for name, weight in counted.items() if weight]


def _train(
    settings: DistillSettings,
    watch: tuple[str, Literal["min", "max"]],
    data: TrainingData,
    outputs: Sequence[TeacherOutputs],
    folder: Path,
    teacher_thresholds: tuple[float, ...] | None,
) -> Student:
    student = start_of(settings).student  # drawn here: the projector's weights come next from the same seed
    module = DistillModule(
        student,
        [said.embedding.shape[1] for said in outputs] if settings.losses.embedding else [],
        settings.losses,
        Optimisation(settings.learning_rate, settings.weight_decay),
        RandomSoundGain(settings.gain) if student.hears_sound else RandomGain(data.listening.logmel, settings.gain),
        SpecAugment(settings.frequency_mask, settings.time_mask),
        teacher_thresholds,
    )
    stored = {f"embedding_{place}": said.embedding for place, said in enumerate(outputs, 1)}
    if outputs:
        stored["logits"] = mean_logits(outputs)
    logmel = data.listening.logmel
    train = WindowDataset(data.train.labels, data.train.features, logmel, stored)
    validation = WindowDataset(data.validation.labels, data.validation.features, logmel)
    monitor, mode = watch
    scores = WatchAuroc(data.listening.labels)
    callbacks = [scores, KeepEpochs(student, folder, settings.epochs)]
    trainer = make_trainer(folder, settings.epochs, settings.seed, monitor=monitor, mode=mode, callbacks=callbacks)
    fit(trainer, module, batches(train, settings.batch_size, settings.seed), batches(validation, 256), folder)
    return student
