"""Losses of distillation: labels, the teacher's logits, the teacher's embedding."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from lungsound.errors import InputError
from lungsound.files.record import check_values
from lungsound.training.settings import TEMPERATURE, WEIGHT


@dataclass(frozen=True)
class LossWeights:
    """How much each part of the loss counts.

    Attributes
    ----------
    labels : float
        Binary cross-entropy on the annotated labels.
    logits : float
        Binary cross-entropy on the teacher's probabilities at `temperature`.
    embedding : float
        Cosine distance between projected student embedding and teacher embedding.
    temperature : float
        Softens both sides of the logit loss.
    positives : float
        How much a label that is there counts in the losses on labels and logits, where one that is not counts 1.
    misses : bool
        Learn from the teacher's logits also where a label is there and the teacher does not give it; without, the
        student does not learn to miss what its teacher misses.
    """

    labels: Annotated[float, WEIGHT] = 1.0
    logits: Annotated[float, WEIGHT] = 1.0
    embedding: Annotated[float, WEIGHT] = 1.0
    temperature: Annotated[float, TEMPERATURE] = 2.0
    positives: Annotated[float, WEIGHT] = 1.0
    misses: bool = True

    LATER: ClassVar = ("positives", "misses")

    def __post_init__(self) -> None:
        check_values(self)
        if self.labels + self.logits + self.embedding == 0:
            raise InputError("loss weights are all 0, so nothing is learnt; give one that is not")

    @property
    def teacher(self) -> bool:
        """Whether anything is learnt from the teacher."""
        return bool(self.logits or self.embedding)


def logit_loss(student: Tensor, teacher: Tensor, temperature: float, counted: Tensor | None = None) -> Tensor:
    """Cross-entropy between softened probabilities of independent labels.

    Parameters
    ----------
    student, teacher : Tensor of float, shape [B, C]
        Logits.
    temperature : float
        Both are divided by it; the loss is multiplied by its square, which keeps the size of the gradient
        (Hinton et al. 2015, section 2, for sigmoid outputs).
    counted : Tensor of float, shape [B, C], optional
        How much each logit counts, see :func:`counted_logits`; all count 1 without it.

    Returns
    -------
    Tensor
        Scalar, the mean over the logits that count; smallest where these are equal.
    """
    soft = torch.sigmoid(teacher / temperature)
    if counted is None:
        return F.binary_cross_entropy_with_logits(student / temperature, soft) * temperature**2
    losses = F.binary_cross_entropy_with_logits(student / temperature, soft, reduction="none")
    return (counted * losses).sum() / (counted > 0).sum().clamp(min=1) * temperature**2


def label_loss(logits: Tensor, labels: Tensor, positives: float) -> Tensor:
    """Mean binary cross-entropy of logits and labels [B, C]; the term of a label that is there counts `positives`."""
    weight = None if positives == 1 else torch.full_like(labels[0], positives)
    return F.binary_cross_entropy_with_logits(logits, labels, pos_weight=weight)


def counted_logits(
    labels: Tensor, teacher: Tensor, thresholds: Tensor | None, positives: float, *, misses: bool
) -> Tensor | None:
    """Return how much each of the teacher's logits counts; None where all count 1.

    Parameters
    ----------
    labels : Tensor of float, shape [B, C]
        0 or 1.
    teacher : Tensor of float, shape [B, C]
        Its logits.
    thresholds : Tensor of float, shape [C], or None
        At and above which it gives a label; needed where `misses` do not count.
    positives : float
        Where the label is there.
    misses : bool
        Whether logits count where the label is there and the teacher does not give it.

    Returns
    -------
    Tensor of float, shape [B, C]
        `positives` where the label is there, 1 where it is not, 0 where the teacher misses it.
    """
    if misses and positives == 1:
        return None
    counted = torch.where(labels > 0.5, teacher.new_tensor(positives), teacher.new_tensor(1.0))
    if misses:
        return counted
    if thresholds is None:
        raise ValueError("the teacher's thresholds are needed to tell what it misses")
    return counted * ~((labels > 0.5) & (teacher < thresholds))


def embedding_loss(projected: Tensor, teacher: Tensor) -> Tensor:
    """Mean cosine distance between projected student and teacher embeddings, both [B, E]; scalar in [0, 2]."""
    return (1.0 - F.cosine_similarity(projected, teacher, dim=-1)).mean()
