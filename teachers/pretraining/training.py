"""From settings to a pre-trained encoder: its run folder and its checkpoint in the published layout."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before lightning, which imports torchvision

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.strategies import ModelParallelStrategy
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lungsound.errors import InputError, first_line
from lungsound.training.checkpoints import WholeCheckpoints, read_training_checkpoint
from lungsound.training.finished import finished_run
from lungsound.training.processes import rank, refuse_unless_started
from lungsound.training.runs import Run, in_use
from lungsound.training.settings import save_settings
from lungsound.training.trainer import CHECKPOINTS, go_on, quieten, resume_path
from teachers.encoder import config_values
from teachers.m2d.duo import Duo
from teachers.m2d.encoder import M2DEncoder
from teachers.m2d.full_checkpoints import has_published_layout, write_duo
from teachers.pretraining.module import PretrainModule
from teachers.pretraining.offline import OfflineTeacher, offline_teacher
from teachers.pretraining.progress import Progress, duo_of
from teachers.pretraining.settings import PretrainSettings
from teachers.pretraining.sound.data import PretrainData, PretrainLoader, prepare_pretraining
from teachers.pretraining.start import credit, published_name, start_of
from teachers.pretraining.validation import held_out_figures


def pretrain(settings: PretrainSettings, folder: Path, cache: Path) -> Run | None:
    """Pre-train an encoder, or go on from the last checkpoint of the same folder, in the middle of an epoch too.

    Parameters
    ----------
    settings : PretrainSettings
        What to do; `precision` is told.
    folder : Path
        The run folder.
    cache : Path
        Where log-mels and downloads are stored.

    Returns
    -------
    Run or None
        Finished, of the kind ``encoder``. ``checkpoint-EPOCHS.pth`` lies beside it in a folder with a published name,
        where the log-mel is M2D's. None in all processes but the first.

    Raises
    ------
    InputError
        If torchrun has started another number of processes, another process trains in the folder, another training
        began there, the training diverges or collapses, or see :func:`teachers.pretraining.start.start_of` and
        :func:`teachers.pretraining.sound.data.prepare_pretraining`.
    """
    refuse_unless_started(settings.processes)
    with in_use(folder) if rank() == 0 else nullcontext():
        return _trained(settings, folder, cache)


def _trained(settings: PretrainSettings, folder: Path, cache: Path) -> Run | None:
    torch.manual_seed(settings.seed)
    teacher = offline_teacher(settings)
    duo, statistics = start_of(settings, teacher)
    data = prepare_pretraining(settings, duo.config, statistics, teacher, cache)
    duo.norm_stats.copy_(torch.tensor(data.hearing.statistics))
    if rank() == 0:
        save_settings(settings, folder, data.selection.hash)
    epoch_batches = len(data.epoch) // settings.batch_size * settings.accumulate
    trainer = make_trainer(settings, folder, epoch_batches)
    module = PretrainModule(duo, settings, epoch_batches, folder, teacher)
    last = resume_path(folder)
    steps = epoch_batches // settings.accumulate * settings.epochs
    if last is None or read_training_checkpoint(last)["global_step"] < steps:
        go_on(trainer, module, folder, datamodule=PretrainLoader(data, settings))
    if rank() != 0:
        return None
    return _finished(settings, folder, duo_of(folder / CHECKPOINTS / "last.ckpt", duo), data, teacher)


def make_trainer(settings: PretrainSettings, folder: Path, epoch_batches: int) -> Any:
    """Return a Lightning trainer, to which all epochs are one, so that it goes on in the middle of any.

    Parameters
    ----------
    settings : PretrainSettings
        What the training is told.
    folder : Path
        The run folder.
    epoch_batches : int
        Batches that each process takes in an epoch.

    Raises
    ------
    InputError
        If the machine lacks the devices or the precision.
    """
    quieten()
    strategy: Any = settings.strategy
    if strategy == "fsdp":
        strategy = ModelParallelStrategy(settings.processes, 1, save_distributed_checkpoint=False)
    elif strategy == "ddp" or settings.processes > 1:
        strategy = "ddp"
    with _machine_lacks_nothing():
        trainer = _trainer(settings, folder, epoch_batches, strategy)
    # Determinism would also write NaN into new memory, to find faults: a hundredth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return trainer


def _trainer(settings: PretrainSettings, folder: Path, epoch_batches: int, strategy: Any) -> Any:
    return lightning.Trainer(
        max_epochs=1,
        accelerator="auto",
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy=strategy,
        precision=settings.precision,
        accumulate_grad_batches=settings.accumulate,
        use_distributed_sampler=False,
        deterministic="warn",  # what has no deterministic kernel on a GPU still runs there
        logger=CSVLogger(folder, name="log"),
        plugins=[WholeCheckpoints()],
        callbacks=[Progress(folder, settings, epoch_batches)],
        enable_checkpointing=False,  # Progress writes them, between two steps
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@contextmanager
def _machine_lacks_nothing() -> Iterator[None]:
    """Say in a sentence what Lightning finds missing here: devices, or units for a precision."""
    try:
        yield
    except (MisconfigurationException, ValueError) as error:
        raise InputError(f"{first_line(error)}; give other --devices, --strategy or --precision") from error


def _finished(
    settings: PretrainSettings, folder: Path, duo: Duo, data: PretrainData, teacher: OfflineTeacher | None
) -> Run:
    if has_published_layout(settings.data.logmel):
        write_duo(duo, folder / published_name(settings, duo), settings.epochs)
    else:
        told = f"published names have no word for the log-mel {settings.data.logmel}, so there is no such checkpoint"
        data = replace(data, notes=(*data.notes, told))
    encoder = M2DEncoder(duo.config)
    encoder.load_state_dict({name: duo.state_dict()[name] for name in encoder.state_dict()})
    return finished_run(
        folder,
        "encoder",
        encoder,
        settings,
        data,
        model={"encoder": config_values(duo.config)},
        teacher=credit(settings),
        thresholds=(),
        validation=held_out_figures(duo, settings, data, teacher),
    )
