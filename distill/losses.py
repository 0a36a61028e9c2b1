"""Losses of distillation: labels, the teacher's logits, the teacher's embedding."""

from dataclasses import dataclass
from typing import Annotated

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
    """

    labels: Annotated[float, WEIGHT] = 1.0
    logits: Annotated[float, WEIGHT] = 1.0
    embedding: Annotated[float, WEIGHT] = 1.0
    temperature: Annotated[float, TEMPERATURE] = 2.0

    def __post_init__(self) -> None:
        check_values(self)
        if self.labels + self.logits + self.embedding == 0:
            raise InputError("loss weights are all 0, so nothing is learnt; give one that is not")

    @property
    def teacher(self) -> bool:
        """Whether anything is learnt from the teacher."""
        return bool(self.logits or self.embedding)


def logit_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Cross-entropy between softened probabilities of independent labels.

    Parameters
    ----------
    student, teacher : Tensor of float, shape [B, C]
        Logits.
    temperature : float
        Both are divided by it; the loss is multiplied by its square, which keeps the size of the gradient
        (Hinton et al. 2015, section 2, for sigmoid outputs).

    Returns
    -------
    Tensor
        Scalar; smallest where the logits are equal.
    """
    soft = torch.sigmoid(teacher / temperature)
    return F.binary_cross_entropy_with_logits(student / temperature, soft) * temperature**2


def embedding_loss(projected: Tensor, teacher: Tensor) -> Tensor:
    """Mean cosine distance between projected student and teacher embeddings, both [B, E]; scalar in [0, 2]."""
    return (1.0 - F.cosine_similarity(projected, teacher, dim=-1)).mean()
