"""A trained student as a few arrays: batch normalisation and score norms folded into convolutions."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lungsound.errors import InputError
from lungsound.networks.cnn6 import ConvBlock
from students.csra import MAX_TEMPERATURE, CsraHead
from students.student import Student


@dataclass(frozen=True)
class FoldedConv:
    """One convolution with bias, in TFLite's layout.

    Attributes
    ----------
    weight : ndarray of float64, shape [out, kernel height, kernel width, in]
        Height is time, width is mel.
    bias : ndarray of float64, shape [out]
        Added before the ReLU.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]


@dataclass(frozen=True)
class FoldedStudent:
    """What a student computes when it is not training.

    Attributes
    ----------
    convs : tuple of FoldedConv
        Each is followed by ReLU and 2x2 average pooling.
    score : FoldedConv
        The 1x1 convolution of the attention head, class-major: row ``c * heads + h``; its bias is zero.
    temperatures : tuple of float
        One a head, infinite for the maximum.
    lam : float
        Weight of the attention beside the mean.
    classes : int
        Number of logits.
    """

    convs: tuple[FoldedConv, ...]
    score: FoldedConv
    temperatures: tuple[float, ...]
    lam: float
    classes: int


def fold(student: Student) -> FoldedStudent:
    """Fold in float64 what training keeps apart.

    Raises
    ------
    InputError
        If a folded value is not finite.
    """
    head = student.head
    with np.errstate(divide="ignore", invalid="ignore"):  # what comes of it is refused below, by name
        folded = FoldedStudent(
            convs=tuple(_fold_block(block) for block in student.trunk.blocks),
            score=_fold_score(head),
            temperatures=tuple(np.inf if t == MAX_TEMPERATURE else float(t) for t in head.temperatures),
            lam=float(head.lam),
            classes=head.classes,
        )
    for name, conv in (*((f"conv_block{i}", conv) for i, conv in enumerate(folded.convs, 1)), ("score", folded.score)):
        if not (np.isfinite(conv.weight).all() and np.isfinite(conv.bias).all()):
            raise InputError(f"the student's {name} holds values that are not finite; train it again")
    return folded


def _fold_block(block: ConvBlock) -> FoldedConv:
    norm = block.bn1
    gain = _float64(norm.weight) / np.sqrt(_float64(norm.running_var) + norm.eps)
    bias = _float64(norm.bias) - _float64(norm.running_mean) * gain
    return FoldedConv(_channels_last(block.conv1.weight) * gain[:, None, None, None], bias)


def _fold_score(head: CsraHead) -> FoldedConv:
    weight = _channels_last(head.score.weight)
    if head.normalise:
        weight = weight / np.linalg.norm(weight, axis=-1, keepdims=True)
    return FoldedConv(weight, np.zeros(len(weight)))


def _channels_last(weight: torch.Tensor) -> NDArray[np.float64]:
    return np.ascontiguousarray(_float64(weight).transpose(0, 2, 3, 1))


def _float64(values: torch.Tensor | None) -> NDArray[np.float64]:
    assert values is not None  # batch normalisation without statistics or gain is not used here
    return values.detach().cpu().numpy().astype(np.float64)
