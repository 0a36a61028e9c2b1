"""How networks are trained: epochs that can be resumed exactly, the best one chosen on validation."""

import logging
import signal
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before lightning, which imports torchvision

import lightning
import numpy as np
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor

from lungsound.errors import InputError
from lungsound.files.atomic import full_disk_is_input_error
from lungsound.terminal import err, progress
from lungsound.training.checkpoints import Begun, WholeCheckpoints, damaged, read_training_checkpoint
from lungsound.training.finite import StopUnlessFinite
from lungsound.training.optimisation import Optimisation
from lungsound.training.weights import UNREADABLE

CHECKPOINTS = "checkpoints"
"""Folder of a training's checkpoints in its run folder: ``last.ckpt`` and ``best.ckpt``."""


VALIDATION_LOSS = "val_loss"
"""The figure under which the loss on validation is logged."""


class LabelModule(lightning.LightningModule, ABC):
    """A network with a logit per label: how it is validated and which optimiser trains it.

    A subclass gives :meth:`logits` and `training_step`.

    Parameters
    ----------
    optimisation : Optimisation
        Optimiser and schedule.
    """

    def __init__(self, optimisation: Optimisation) -> None:
        super().__init__()
        self._optimisation = optimisation

    @abstractmethod
    def logits(self, x: Tensor) -> Tensor:
        """Return logits [B, C] of normalised log-mels [B, 1, frames, mels]."""

    def validation_step(self, batch: dict[str, Tensor], batch_index: int) -> Tensor:
        """Log the loss and return the logits, so that callbacks can score them."""
        logits = self.logits(batch["x"])
        self.log(VALIDATION_LOSS, F.binary_cross_entropy_with_logits(logits, batch["labels"]), batch_size=len(logits))
        return logits

    def configure_optimizers(self) -> dict[str, Any]:
        """Return the optimiser and its schedule, stepped every iteration."""
        optimizer, told = self._optimisation.of(self.parameters()), self._optimisation
        steps, epochs = int(self.trainer.estimated_stepping_batches), int(self.trainer.max_epochs)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: told.share(step, steps, epochs))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def make_trainer(
    folder: Path,
    epochs: int,
    seed: int,
    *,
    monitor: str,
    mode: Literal["min", "max"] = "max",
    callbacks: Sequence[lightning.Callback] = (),
    gradient_clip: float | None = None,
) -> Any:
    """Return a Lightning trainer that writes to a run folder and says on stderr how each epoch went.

    Everything random in an epoch is a function of seed and epoch (with `window_dataset.batches` the order of
    windows, too), so that a training that was killed goes on from :func:`resume_path` to the weights that it
    would have reached without the interruption, bit for bit on the same machine and number of threads.

    Parameters
    ----------
    folder : Path
        The run folder; checkpoints of the last epoch and of the best one go to ``checkpoints/``, figures by epoch to
        ``log/``.
    epochs : int
        In all, those before a resumption included.
    seed : int
        See above.
    monitor, mode : str
        The logged figure that chooses the best epoch, and whether it is largest or smallest there.
    callbacks : sequence of lightning.Callback
        Further ones; such as log the figure.
    gradient_clip : float, optional
        Largest norm of the gradient.
    """
    quieten()
    kept = {"dirpath": folder / CHECKPOINTS, "enable_version_counter": False, "save_on_train_epoch_end": True}
    return lightning.Trainer(
        max_epochs=epochs,
        accelerator="auto",
        devices=1,
        deterministic=True,
        gradient_clip_val=gradient_clip,
        logger=CSVLogger(folder, name="log"),
        plugins=[WholeCheckpoints()],
        callbacks=[
            StopUnlessFinite(folder),  # first, for others cannot score what is not a number
            *callbacks,
            SeedEachEpoch(seed),
            TellEachEpoch(),
            ModelCheckpoint(filename="best", monitor=monitor, mode=mode, **kept),
            # A checkpoint of its own: `save_last` skips the epochs that were not the best.
            ModelCheckpoint(filename="last", **kept),
        ],
        num_sanity_val_steps=0,
        enable_progress_bar=False,  # Lightning's would write on stdout
        enable_model_summary=False,
    )


def resume_path(folder: Path) -> Path | None:
    """Return the checkpoint that a training of this run folder goes on from; None for the first time."""
    last = folder / CHECKPOINTS / "last.ckpt"
    return last if last.is_file() else None


def fit(trainer: Any, module: Any, train: Any, validation: Any, folder: Path) -> Path:
    """Train a module, or go on from its last epoch, and give it the weights of its best one.

    Parameters
    ----------
    trainer : lightning.Trainer
        From :func:`make_trainer`.
    module : lightning.LightningModule
        Trained in place.
    train, validation : DataLoader
        Batches; their order must be a function of seed and epoch, as `window_dataset.batches` makes it.
    folder : Path
        The run folder that the trainer was made for.

    Returns
    -------
    Path
        The checkpoint of the best epoch.

    Raises
    ------
    InputError
        If a checkpoint is damaged, the disk is full or the training diverges
        (:class:`lungsound.training.finite.StopUnlessFinite`); the checkpoints of the last good epoch are there then.
    KeyboardInterrupt
        If the user stops it; Lightning alone would end the program without a word.
    """
    go_on(trainer, module, folder, train_dataloaders=train, val_dataloaders=validation)
    best = folder / CHECKPOINTS / "best.ckpt"
    state = read_training_checkpoint(best)["state_dict"]
    try:
        module.load_state_dict(state)
    except UNREADABLE as error:
        raise damaged(best, error) from error
    return best


def go_on(trainer: Any, module: Any, folder: Path, **data: Any) -> None:
    """Train a module from the last checkpoint of a run folder, or from the beginning; errors are those of :func:`fit`.

    Parameters
    ----------
    trainer, module, folder
        See :func:`fit`.
    **data
        Loaders or a data module, as Lightning's trainer takes them.
    """
    on_interrupt = signal.getsignal(signal.SIGINT)
    last, training = resume_path(folder), Begun()
    trainer.callbacks.append(training)
    try:
        with full_disk_is_input_error(folder):
            trainer.fit(module, ckpt_path=last, weights_only=True, **data)
    except SystemExit as stopped:
        signal.signal(signal.SIGINT, on_interrupt)
        raise KeyboardInterrupt from stopped
    except UNREADABLE as error:
        if last is None or training.begun or isinstance(error, InputError):
            raise
        raise damaged(last, error) from error


class SeedEachEpoch(lightning.Callback):
    """Seed Python, NumPy and torch with a function of seed and epoch before the first step of each epoch.

    Not when the epoch starts: a loader draws a number when it is asked for an iterator, which Lightning does
    before the start of a first or resumed epoch, and after the start of the others.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Forget what earlier epochs drew."""
        if batch_idx == 0:
            drawn = np.random.SeedSequence([self._seed, trainer.current_epoch]).generate_state(1)[0]
            lightning.seed_everything(int(drawn), verbose=False)


class TellEachEpoch(lightning.Callback):
    """Show a bar on stderr during each epoch, and write a line after it: its figures and how long it took."""

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the clock and the bar."""
        self._started = time.monotonic()
        batches = trainer.num_training_batches
        self._bar = progress(range(batches), f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}")
        next(self._bar, None)

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the bar."""
        next(self._bar, None)

    def on_exception(self, *_: Any) -> None:
        """Take the bar away."""
        self._bar.close()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Take the bar away and write the line."""
        self._bar.close()
        figures = "  ".join(f"{name} {float(value):.4f}" for name, value in sorted(trainer.callback_metrics.items()))
        seconds = time.monotonic() - self._started
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        err.print(f"{epoch}  {figures}  {seconds:.1f} s", highlight=False, markup=False)


def quieten() -> None:
    """Silence Lightning's advice, which the user of a command cannot follow."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for advice in (
        "does not have many workers",
        "number of training batches",
        "Checkpoint directory",
        ".*LeafSpec",
        "in eval mode at the start",  # frozen parts are meant to be
        "returned a view tensor",  # nothing is changed in place here
        "your dataloader is not resumable",  # its sampler begins where the checkpoint was written
    ):
        warnings.filterwarnings("ignore", message=f".*{advice}")
