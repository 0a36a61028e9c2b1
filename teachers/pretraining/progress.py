"""What a pre-training shows and keeps on its way: figures, and the checkpoints that it goes on from."""

import time
from pathlib import Path
from typing import Any

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before lightning, which imports torchvision

import lightning

from lungsound.terminal import err, progress
from lungsound.training.checkpoints import read_training_checkpoint
from lungsound.training.trainer import CHECKPOINTS
from teachers.m2d.duo import Duo
from teachers.m2d.full_checkpoints import has_published_layout, write_duo
from teachers.pretraining.settings import PretrainSettings
from teachers.pretraining.start import published_name

LINE_STEPS = 100
"""Most optimiser steps from one line of figures to the next; every epoch ends with one."""


class Progress(lightning.Callback):
    """Write a line of figures, the checkpoint to go on from and those in the published layout, between two steps.

    Parameters
    ----------
    folder : Path
        The run folder.
    settings : PretrainSettings
        What the training is told.
    epoch_batches : int
        Batches that each process takes in an epoch.
    """

    def __init__(self, folder: Path, settings: PretrainSettings, epoch_batches: int) -> None:
        self._folder, self._settings = folder, settings
        self._epoch_steps = epoch_batches // settings.accumulate

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the clock and the bar."""
        self._seen, self._started = trainer.global_step, time.monotonic()
        left = range(trainer.global_step, self._settings.epochs * self._epoch_steps)
        self._bar = progress(left, "pre-training")
        next(self._bar, None)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Do what is due after an optimiser step."""
        step = trainer.global_step
        if step == self._seen:
            return
        self._seen = step
        next(self._bar, None)
        epoch, place = divmod(step, self._epoch_steps)
        if place % LINE_STEPS == 0:
            self._write_line(trainer, pl_module, step)
        if place == 0 or step % self._settings.checkpoint_steps == 0:
            last = self._folder / CHECKPOINTS / "last.ckpt"
            trainer.save_checkpoint(last)
            every = self._settings.checkpoint_epochs
            if trainer.is_global_zero and place == 0 and every and epoch % every == 0 and epoch < self._settings.epochs:
                self._publish(last, pl_module.duo, epoch)

    def on_exception(self, *_: Any) -> None:
        """Take the bar away."""
        self._bar.close()

    def on_train_end(self, *_: Any) -> None:
        """Take the bar away."""
        self._bar.close()

    def _write_line(self, trainer: Any, module: Any, step: int) -> None:
        epoch = (step - 1) // self._epoch_steps + 1
        place = f"epoch {epoch}/{self._settings.epochs}, step {step}"
        figures = module.take_figures(place)
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        trainer.logger.log_metrics({"epoch": epoch, "learning_rate": rate} | figures, step=step)
        trainer.logger.save()
        if trainer.is_global_zero:
            said = "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
            seconds = time.monotonic() - self._started
            err.print(f"{place}  {said}  {seconds:.1f} s", highlight=False, markup=False)

    def _publish(self, last: Path, like: Duo, epoch: int) -> None:
        if has_published_layout(self._settings.data.logmel):
            write_duo(duo_of(last, like), self._folder / published_name(self._settings, like), epoch)


def duo_of(checkpoint: Path, like: Duo) -> Duo:
    """Return what a checkpoint of a training holds, in the shape of another."""
    state = read_training_checkpoint(checkpoint)["state_dict"]
    duo = Duo(like.duo)
    duo.load_state_dict({name.removeprefix("duo."): value for name, value in state.items() if name.startswith("duo.")})
    return duo.eval()
