"""Fine-tuning of a teacher on labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before torchaudio

import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchaudio.transforms import FrequencyMasking, TimeMasking

from lungsound.labels import LABELS
from lungsound.scores.watch import WatchAuroc
from lungsound.training.settings import AUROC
from lungsound.training.trainer import LabelModule, fit, make_trainer
from teachers.teacher import Teacher

LOSSES = ("train_loss",)
"""Names under which the training loss is logged."""


class SpecAugment(nn.Module):
    """Blank two bands of mels and two spans of frames, drawn anew for each window (Park et al. 2019).

    Parameters
    ----------
    frequency_mask, time_mask : int
        Widths are drawn from 0 to these, in mels and in frames.
    """

    def __init__(self, frequency_mask: int, time_mask: int) -> None:
        super().__init__()
        frequency, time = FrequencyMasking(frequency_mask, iid_masks=True), TimeMasking(time_mask, iid_masks=True)
        self._masks = nn.Sequential(frequency, frequency, time, time)

    def forward(self, x: Tensor) -> Tensor:
        """Mask normalised log-mels [B, 1, frames, mels] with 0, the mean of the training corpus."""
        return self._masks(x.transpose(-1, -2)).transpose(-1, -2)  # type: ignore[no-any-return]


class FinetuneModule(LabelModule):
    """The Lightning module that trains a teacher with binary cross-entropy on each label.

    Parameters
    ----------
    teacher : Teacher
        Trained in place.
    learning_rate, weight_decay : float
        See :class:`lungsound.training.trainer.LabelModule`.
    augment : nn.Module
        Applied to ``x`` in training alone.
    frozen : sequence of nn.Module
        Parts of the teacher that keep their weights, and work as in evaluation: no dropout, stored batch statistics.
    """

    def __init__(
        self,
        teacher: Teacher,
        learning_rate: float,
        weight_decay: float,
        augment: nn.Module,
        *,
        frozen: Sequence[nn.Module] = (),
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        self.teacher = teacher
        self.augment = augment
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
        logits = self.logits(self.augment(batch["x"]))
        loss = F.binary_cross_entropy_with_logits(logits, batch["labels"])
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(logits))
        return loss


def train_teacher(
    teacher: Teacher,
    train_loader: DataLoader[Any],
    validation_loader: DataLoader[Any],
    folder: Path,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    labels: Sequence[str] = LABELS,
    weight_decay: float = 0.05,
    frequency_mask: int = 10,
    time_mask: int = 40,
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
    learning_rate, weight_decay
        See :class:`lungsound.training.trainer.LabelModule`.
    labels : sequence of str
        Names of the labels.
    frequency_mask, time_mask : int
        See :class:`SpecAugment`.
    watch : tuple of str
        The logged figure that chooses the best epoch, and whether it is largest or smallest there.
    frozen : sequence of nn.Module
        See :class:`FinetuneModule`.

    Returns
    -------
    Path
        The checkpoint of the best epoch.
    """
    augment = SpecAugment(frequency_mask, time_mask)
    module = FinetuneModule(teacher, learning_rate, weight_decay, augment, frozen=frozen)
    monitor, mode = watch
    trainer = make_trainer(
        folder, epochs, seed, monitor=monitor, mode=mode, callbacks=[WatchAuroc(labels)], gradient_clip=1.0
    )
    return fit(trainer, module, train_loader, validation_loader, folder)
