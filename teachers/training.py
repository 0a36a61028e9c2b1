"""From settings to a finished teacher run."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lungsound.files.plain_json import dumps
from lungsound.scores.aims import Aim, thresholds_for
from lungsound.scores.metrics import label_scores
from lungsound.scores.stored import save_validation
from lungsound.scores.watch import watchable, watched
from lungsound.terminal import err
from lungsound.training.data import prepare_training
from lungsound.training.finished import finished_run
from lungsound.training.optimisation import Optimisation
from lungsound.training.runs import RUN_FILE, Run, in_use
from lungsound.training.settings import save_settings
from lungsound.training.window_dataset import WindowDataset, batches, predict
from teachers.classes import ClassLoss, argmax_scores, class_weights, combinations_of
from teachers.finetune import LOSSES, SpecAugment, train_teacher
from teachers.settings import FinetuneSettings
from teachers.start import describe, run_name, start_of
from teachers.teacher import Teacher


def finetune(settings: FinetuneSettings, folder: Path, cache: Path, *, several: FinetuneSettings | None = None) -> Run:
    """Train a teacher, or go on where an interrupted training of the same folder stopped.

    Parameters
    ----------
    settings : FinetuneSettings
        What to do.
    folder : Path
        The run folder.
    cache : Path
        Where log-mels and downloads are stored.
    several : FinetuneSettings, optional
        Of the trainings from several seeds that this is one of. The folder above keeps them from the moment on when
        this one keeps its own, so that a training that cannot begin leaves nothing.

    Returns
    -------
    Run
        Finished: weights of the epoch that the watched figure chose, thresholds chosen on validation. Where the fusion
        learnt weights, their picture is in the folder, too (:mod:`teachers.layer_weights`).

    Raises
    ------
    InputError
        If another process trains in the folder, another training began there, or the training diverges; see also
        :func:`teachers.start.start_of` and :func:`lungsound.scores.watch.watched`.
    """
    with in_use(folder):
        return _trained(settings, folder, cache, several)


def _trained(settings: FinetuneSettings, folder: Path, cache: Path, several: FinetuneSettings | None = None) -> Run:
    torch.manual_seed(settings.seed)
    start = start_of(settings)
    mode = watched(settings.watch, settings.data.listening().labels, LOSSES)
    data = prepare_training(settings.data, cache)
    watch = watchable(settings.watch, mode, data.listening.labels, data.validation.labels)
    loss = _loss(settings, start.teacher, data.train.labels, data.listening.labels)
    if several is not None:
        save_settings(several, folder.parent, data.selection.hash)
    save_settings(settings, folder, data.selection.hash)
    if start.logmel is not None:
        data = replace(data, listening=replace(data.listening, logmel=start.logmel))
    logmel, teacher, validation = data.listening.logmel, start.teacher, data.validation
    train_teacher(
        teacher,
        batches(WindowDataset(data.train.labels, data.train.features, logmel), settings.batch_size, settings.seed),
        batches(WindowDataset(validation.labels, validation.features, logmel), 64),
        folder,
        epochs=settings.epochs,
        seed=settings.seed,
        optimisation=Optimisation(settings.learning_rate, settings.weight_decay, settings.optimizer, settings.schedule),
        augment=SpecAugment(settings.frequency_mask, settings.time_mask, settings.mask_probability),
        loss=loss,
        labels=data.listening.labels,
        watch=watch,
        frozen=_frozen(settings, teacher),
    )
    _draw(teacher, settings, folder, synthetic=data.selection.synthetic)
    teacher.eval()
    said = predict(lambda x: teacher.head(teacher.embed(x)), validation.features, logmel, 64)
    logits = teacher.labels(torch.from_numpy(said)).numpy()
    aim = Aim.parse(settings.aim)
    thresholds = thresholds_for(aim, validation.labels, logits, validation.windows, data.listening)
    save_validation(folder, validation.windows, logits, logits >= thresholds, data.listening.labels)
    found = label_scores(validation.labels, logits, logits >= thresholds, data.listening.labels)
    if teacher.config.combinations is not None:
        found["argmax"] = argmax_scores(validation.labels, said, teacher.config.combinations)
    return finished_run(
        folder,
        "teacher",
        teacher,
        settings,
        data,
        model=teacher.config.to_dict(),
        teacher=start.credit,
        thresholds=thresholds,
        validation=found,
    )


def _draw(teacher: Teacher, settings: FinetuneSettings, folder: Path, *, synthetic: bool) -> None:
    """Leave a picture of the layers' weights, if they were learnt."""
    from teachers.layer_weights import learnt_weights, save_picture  # matplotlib, which no other step needs

    if weights := learnt_weights(teacher.fusion):
        save_picture([weights], run_name(settings), folder, synthetic=synthetic)


def _loss(
    settings: FinetuneSettings, teacher: Teacher, truth: NDArray[np.int64], labels: tuple[str, ...]
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss, and give the teacher a head with an output a class where that is what is learnt."""
    if settings.loss == "labels":
        return F.binary_cross_entropy_with_logits
    combinations = combinations_of(truth, labels)
    if teacher.config.combinations != combinations:
        teacher.tell_apart(combinations)
    return ClassLoss(combinations, class_weights(truth, combinations) if settings.loss == "weighted-classes" else None)


def _frozen(settings: FinetuneSettings, teacher: Teacher) -> Sequence[nn.Module]:
    """Return the parts that are not trained."""
    if settings.freeze:
        return (teacher.encoder,)
    return () if settings.from_scratch else teacher.encoder.kept


def finetuned(settings: FinetuneSettings, runs: Path, cache: Path) -> Run:
    """Return the teacher of these settings: the finished run if there is one, otherwise train it now.

    A process that trains it already is waited for.

    Parameters
    ----------
    settings : FinetuneSettings
        They decide the name of the run folder.
    runs : Path
        Folder that holds the runs.
    cache : Path
        Where log-mels and downloads are stored.
    """
    told = asdict(settings)
    usual = asdict(FinetuneSettings())
    for name in settings.CHOICES:  # as they were before there was a choice
        if told[name] == usual[name]:
            del told[name]
    del told["data"]["normalisation"]  # which is the corpus' for every teacher
    digest = hashlib.sha256(dumps(told).encode()).hexdigest()[:12]
    folder = runs / f"{run_name(settings)}-{digest}"
    if not (folder / RUN_FILE).is_file():
        with in_use(folder, wait=True):
            if not (folder / RUN_FILE).is_file():
                err.print(f"teacher: {describe(settings)}, into {folder}", highlight=False)
                return _trained(settings, folder, cache)
    err.print(f"teacher: {folder}, trained before", highlight=False)
    return Run.load(folder)
