"""Fine-tuning of a teacher on labels."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before torchaudio

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchaudio.transforms import FrequencyMasking, TimeMasking

from lungsound.labels import LABELS
from lungsound.scores.watch import WatchAuroc
from lungsound.training.epochs import KeepEpochs
from lungsound.training.optimisation import Optimisation
from lungsound.training.settings import AUROC
from lungsound.training.trainer import VALIDATION_LOSS, LabelModule, fit, make_trainer
from teachers.teacher import Teacher

LOSSES = ("train_loss",)
"""Names under which the training loss is logged."""


class SpecAugment(nn.Module):
    """Blank two bands of mels and two spans of frames, drawn anew for each window (Park et al. 2019).

    Parameters
    ----------
    frequency_mask, time_mask : int
        Widths are drawn from 0 to these, in mels and in frames.
    probability : float
        With which a batch is masked at all; drawn for the whole batch, as the code for ICBHI 2017 does.
    """

    def __init__(self, frequency_mask: int, time_mask: int, probability: float = 1.0) -> None:
        super().__init__()
        self._probability = probability
        frequency, time = FrequencyMasking(frequency_mask, iid_masks=True), TimeMasking(time_mask, iid_masks=True)
        self._masks = nn.Sequential(frequency, frequency, time, time)

    def forward(self, x: Tensor) -> Tensor:
        """Mask normalised log-mels [B, 1, frames, mels] with 0, the mean of the training corpus."""
        if self._probability < 1 and torch.rand(()) >= self._probability:
            return x
        return self._masks(x.transpose(-1, -2)).transpose(-1, -2)  # type: ignore[no-any-return]


class FinetuneModule(LabelModule):
    """The Lightning module that trains a teacher.

    Parameters
    ----------
    teacher : Teacher
        Trained in place.
    optimisation : Optimisation
        Optimiser and schedule.
    augment : nn.Module
        Applied to ``x`` in training alone.
    loss : callable
        Of the head's outputs and the labels [B, L], a scalar; else binary cross-entropy on each label.
    frozen : sequence of nn.Module
        Parts of the teacher that keep their weights, and work as in evaluation: no dropout, stored batch statistics.
    """

    def __init__(
        self,
        teacher: Teacher,
        optimisation: Optimisation,
        augment: nn.Module,
        *,
        loss: Callable[[Tensor, Tensor], Tensor] = F.binary_cross_entropy_with_logits,
        frozen: Sequence[nn.Module] = (),
    ) -> None:
        super().__init__(optimisation)
        self.teacher = teacher
        self.augment = augment
        self.loss = loss
        self._frozen = tuple(frozen)
        for part in self._frozen:
            part.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Switch to training, all but what is frozen."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self

    def logits(self, x: Tensor) -> Tensor:
        """Return the teacher's logits [B, C] of normalised log-mels [B, 1, frames, mels]."""
        return self.teacher(x).logits  # type: ignore[no-any-return]

    def training_step(self, batch: dict[str, Tensor], batch_index: int) -> Tensor:
        """Return the loss of an augmented batch."""
        said = self.teacher.head(self.teacher.embed(self.augment(batch["x"])))
        loss = self.loss(said, batch["labels"])
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(said))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_index: int) -> Tensor:
        """Log the loss and return the logits of labels, so that callbacks can score them."""
        said = self.teacher.head(self.teacher.embed(batch["x"]))
        self.log(VALIDATION_LOSS, self.loss(said, batch["labels"]), batch_size=len(said))
        return self.teacher.labels(said)  # type: ignore[no-any-return]


def train_teacher(
    teacher: Teacher,
    train_loader: DataLoader[Any],
    validation_loader: DataLoader[Any],
    folder: Path,
    *,
    epochs: int,
    seed: int,
    optimisation: Optimisation,
    augment: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor] = F.binary_cross_entropy_with_logits,
    labels: Sequence[str] = LABELS,
    watch: tuple[str, Literal["min", "max"]] = (AUROC, "max"),
    frozen: Sequence[nn.Module] = (),
) -> Path:
    """Train a teacher, or go on where an interrupted training of the same folder stopped.

    Parameters
    ----------
    teacher : Teacher
        Has the weights of the best epoch afterwards.
    train_loader, validation_loader : DataLoader
        Batches as dicts of ``x`` [B, 1, frames, mels], normalised log-mels, and ``labels`` [B, C], float; the
        order must be a function of seed and epoch, as `lungsound.training.window_dataset.batches` makes it.
    folder : Path
        The run folder.
    epochs, seed
        See :func:`lungsound.training.trainer.make_trainer`.
    optimisation, augment, loss
        See :class:`FinetuneModule`.
    labels : sequence of str
        Names of the labels.
    watch : tuple of str
        The logged figure that chooses the best epoch, and whether it is largest or smallest there.
    frozen : sequence of nn.Module
        See :class:`FinetuneModule`.

    Returns
    -------
    Path
        The checkpoint of the best epoch.
    """
    module = FinetuneModule(teacher, optimisation, augment, loss=loss, frozen=frozen)
    monitor, mode = watch
    trainer = make_trainer(
        folder,
        epochs,
        seed,
        monitor=monitor,
        mode=mode,
        callbacks=[WatchAuroc(labels), KeepEpochs(teacher, folder, epochs)],
        gradient_clip=1.0,
    )
    return fit(trainer, module, train_loader, validation_loader, folder)
