"""From settings to a finished teacher run."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn

from lungsound.files.plain_json import dumps
from lungsound.scores.metrics import choose_thresholds, label_scores
from lungsound.scores.watch import watchable, watched
from lungsound.terminal import err
from lungsound.training.data import prepare_training
from lungsound.training.finished import finished_run
from lungsound.training.runs import RUN_FILE, Run, in_use
from lungsound.training.settings import save_settings
from lungsound.training.window_dataset import WindowDataset, batches, predict
from teachers.finetune import LOSSES, train_teacher
from teachers.settings import FinetuneSettings
from teachers.start import describe, run_name, start_of
from teachers.teacher import Teacher


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
        Finished: weights of the epoch that the watched figure chose, thresholds chosen on validation.

    Raises
    ------
    InputError
        If another process trains in the folder, another training began there, or the training diverges; see also
        :func:`teachers.start.start_of` and :func:`lungsound.scores.watch.watched`.
    """
    with in_use(folder):
        return _trained(settings, folder, cache)


def _trained(settings: FinetuneSettings, folder: Path, cache: Path) -> Run:
    torch.manual_seed(settings.seed)
    start = start_of(settings)
    mode = watched(settings.watch, settings.data.listening().labels, LOSSES)
    data = prepare_training(settings.data, cache)
    watch = watchable(settings.watch, mode, data.listening.labels, data.validation.labels)
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
        learning_rate=settings.learning_rate,
        seed=settings.seed,
        labels=data.listening.labels,
        watch=watch,
        frozen=_frozen(settings, teacher),
    )
    teacher.eval()
    logits = predict(lambda x: teacher(x).logits, validation.features, logmel, 64)
    thresholds = choose_thresholds(validation.labels, logits, data.listening.labels)
    return finished_run(
        folder,
        "teacher",
        teacher,
        settings,
        data,
        model=teacher.config.to_dict(),
        teacher=start.credit,
        thresholds=thresholds,
        validation=label_scores(validation.labels, logits, logits >= thresholds, data.listening.labels),
    )


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
