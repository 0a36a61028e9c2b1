"""A training that diverges stops, before a checkpoint holds what is not a number."""

from pathlib import Path
from typing import Any

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before lightning, which imports torchvision

import lightning
import torch
from torch import Tensor

from lungsound.errors import InputError


class StopUnlessFinite(lightning.Callback):
    """Stop at the first loss, gradient, weight or logit that is not finite; checkpoints stay those of the last epoch.

    Parameters
    ----------
    folder : Path
        The run folder, for the sentence.

    Raises
    ------
    InputError
        Naming epoch and batch, both counted from 1.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Tensor) -> None:
        """Look at the loss."""
        if not torch.isfinite(loss):
            self._stop(trainer, f"the loss is {loss.item():g}")

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Look at the norm of the gradient, before it is clipped."""
        norm = torch.nn.utils.get_total_norm([p.grad for p in pl_module.parameters() if p.grad is not None])
        if not torch.isfinite(norm):
            self._stop(trainer, f"the norm of the gradient is {norm.item():g}")

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Look at weights and running statistics, once an epoch."""
        for name, value in pl_module.state_dict().items():
            if not torch.isfinite(value).all():
                self._stop(trainer, f"{name} holds a value that is not finite")

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Tensor, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Look at the logits."""
        if not torch.isfinite(outputs).all():
            self._stop(trainer, "a logit on validation is not finite")

    def _stop(self, trainer: Any, what: str) -> None:
        batch = trainer.fit_loop.epoch_loop.batch_idx + 1
        whole = trainer.current_epoch
        kept = f"epoch {whole} is kept in checkpoints" if whole else "no epoch was whole"
        raise InputError(
            f"{self._folder}: the training diverged in epoch {whole + 1}, batch {batch}: {what}; begin "
            f"a new run with a smaller --learning-rate, for --resume comes to the same place ({kept})"
        )
