"""The Lightning module that trains a student from labels and stored teacher outputs."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from distill.losses import LossWeights, counted_logits, embedding_loss, label_loss, logit_loss
from lungsound.training.optimisation import Optimisation
from lungsound.training.trainer import LabelModule
from students.student import Student


class DistillModule(LabelModule):
    """Student, projector and loss.

    Parameters
    ----------
    student : Student
        Trained in place.
    teacher_dims : sequence of int
        Size of each teacher's embedding; none trains without a projector.
    weights : LossWeights
        Of the three losses.
    optimisation : Optimisation
        See :class:`lungsound.training.trainer.LabelModule`.
    gain, mask : nn.Module
        Applied in training alone: to what the student hears, and to the spectrogram that its trunk sees.
    teacher_thresholds : sequence of float, optional
        At and above which the teacher gives a label; needed where its misses do not count.
    """

    def __init__(
        self,
        student: Student,
        teacher_dims: Sequence[int],
        weights: LossWeights,
        optimisation: Optimisation,
        gain: nn.Module,
        mask: nn.Module,
        teacher_thresholds: Sequence[float] | None = None,
    ) -> None:
        super().__init__(optimisation)
        self.student = student
        self.projector = nn.Linear(student.embedding_dim, sum(teacher_dims)) if teacher_dims else None
        self._teacher_dims = tuple(teacher_dims)
        self.gain, self.mask = gain, mask
        self._weights = weights
        self._thresholds = None if teacher_thresholds is None else torch.tensor(teacher_thresholds)

    def logits(self, x: Tensor) -> Tensor:
        """Return the student's logits [B, C] of what it hears."""
        return self.student(x)  # type: ignore[no-any-return]

    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return each loss of an augmented batch that counts, by the name of its weight.

        Parameters
        ----------
        batch : mapping
            ``x`` (normalised log-mels [B, 1, frames, mels], or sound [B, samples]), ``labels`` [B, C] and, where the
            teacher counts, ``logits`` [B, C] and each one's embedding [B, E], ``embedding_1`` and so on.
        """
        spectrogram = self.mask(self.student.spectrogram(self.gain(batch["x"])))
        feature_map = self.student.feature_map(spectrogram)
        logits = self.student.head(feature_map)
        told, labels = self._weights, batch["labels"]
        parts = {"labels": label_loss(logits, labels, told.positives)}
        if told.logits:
            thresholds = None if self._thresholds is None else self._thresholds.to(logits)
            counted = counted_logits(labels, batch["logits"], thresholds, told.positives, misses=told.misses)
            parts["logits"] = logit_loss(logits, batch["logits"], told.temperature, counted)
        if self.projector is not None:
            # One projection a teacher: in a long one of all, the cosine would be that of the longest embedding.
            projected = self.projector(self.student.pool(feature_map)).split(self._teacher_dims, dim=-1)
            losses = [embedding_loss(one, batch[f"embedding_{place}"]) for place, one in enumerate(projected, 1)]
            parts["embedding"] = torch.stack(losses).mean()
        return parts

    def training_step(self, batch: dict[str, Tensor], batch_index: int) -> Tensor:
        """Sum the weighted losses of an augmented batch."""
        parts = self.losses(batch)
        total = torch.stack([getattr(self._weights, name) * value for name, value in parts.items()]).sum()
        figures = {f"train_{name}": value for name, value in parts.items()}
        self.log_dict(figures, on_step=False, on_epoch=True, batch_size=len(batch["x"]))
        return total
