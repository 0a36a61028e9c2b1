"""Classes that exclude each other, and what they say of each label.

The papers on ICBHI 2017 train on four classes (normal, crackle, wheeze, both), M2D's application to SPRSound on seven.
Here a class is a combination of labels, so that a head with an output a class tells labels like any other teacher.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lungsound.errors import InputError
from lungsound.scores.metrics import icbhi_scores

Combinations = tuple[tuple[int, ...], ...]
"""Labels of each class, 0 or 1 in their order."""

MOST_CLASSES = 256

_UNKNOWN = -1


def combinations_of(truth: NDArray[np.int64], labels: tuple[str, ...]) -> Combinations:
    """Return the combinations of labels that occur, as a number is written whose lowest digit is the first label.

    Of crackle and wheeze these are the four classes in the order of `lungsound.labels.CLASSES`.

    Parameters
    ----------
    truth : ndarray of int, shape [N, L]
        0 or 1, of the training windows.
    labels : tuple of str, length L
        Their names, for the error.

    Raises
    ------
    InputError
        If there are more than 256, or a label is in all of them or in none, so that no class speaks against it.
    """
    found = np.unique(truth[:, ::-1], axis=0)[:, ::-1]
    if len(found) > MOST_CLASSES:
        raise InputError(
            f"{len(found)} combinations of labels: {MOST_CLASSES} classes are the most; give --loss labels"
        )
    for label, column in zip(labels, found.T, strict=True):
        if column.min() == column.max():
            number = "every" if column.all() else "no"
            raise InputError(
                f"{number} training window has {label}, so no class tells it; leave --label {label} out or give "
                "--loss labels"
            )
    return tuple(tuple(int(value) for value in row) for row in found)


def class_indices(labels: Tensor, combinations: Tensor) -> Tensor:
    """Return the class [B] of each row of labels [B, L]; -1 where it is none of the combinations [K, L]."""
    same = (labels[:, None].bool() == combinations[None].bool()).all(dim=-1)
    return torch.where(same.any(dim=1), same.int().argmax(dim=1), _UNKNOWN)


def class_weights(truth: NDArray[np.int64], combinations: Combinations) -> Tensor:
    """Return the weight of each class, the inverse of its share in the training windows, together 1.

    On the official training part of ICBHI 2017, with 2063, 1215, 501 and 363 cycles, .0800, .1358, .3295 and .4547,
    as M2D's application and the code that it is made of have them.

    Parameters
    ----------
    truth : ndarray of int, shape [N, L]
        0 or 1, of the training windows.
    combinations : tuple of tuple of int
        Each occurs there.
    """
    indices = class_indices(torch.tensor(truth), torch.tensor(combinations))
    inverse = 1 / torch.bincount(indices, minlength=len(combinations)).double()
    return (inverse / inverse.sum()).float()


class ClassLoss(nn.Module):
    """Cross-entropy of classes, the mean weighted by the weight of each window's class.

    Windows whose labels are no class that training knows do not count.

    Parameters
    ----------
    combinations : tuple of tuple of int
        Labels of the K classes.
    weights : Tensor of float, shape [K], optional
        Of the classes; else all count alike.
    """

    combinations: Tensor
    weights: Tensor

    def __init__(self, combinations: Combinations, weights: Tensor | None = None) -> None:
        super().__init__()
        weights = torch.ones(len(combinations)) if weights is None else weights
        self.register_buffer("combinations", torch.tensor(combinations), persistent=False)
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, classes: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of logits of classes [B, K], given labels [B, L]; 0 where no window counts."""
        target = class_indices(labels, self.combinations)
        total = F.cross_entropy(classes, target, self.weights, ignore_index=_UNKNOWN, reduction="sum")
        counted = self.weights[target[target != _UNKNOWN]].sum()
        return total / counted.clamp(min=torch.finfo(counted.dtype).tiny)


class LabelsOfClasses(nn.Module):
    """What classes say of labels: the log odds of each, summed over the classes that have it and that do not.

    ``logit_l = log sum_{k with l} exp(z_k) - log sum_{k without l} exp(z_k)``, whose sigmoid is the share of the
    softmax that the label gets. It ranks windows and has a threshold as the logit of a label that was trained alone
    has.

    Parameters
    ----------
    combinations : tuple of tuple of int
        Labels of the K classes.
    """

    present: Tensor

    def __init__(self, combinations: Combinations) -> None:
        super().__init__()
        self.register_buffer("present", torch.tensor(combinations, dtype=torch.bool), persistent=False)

    def forward(self, classes: Tensor) -> Tensor:
        """Return logits of labels [B, L] of logits of classes [B, K]."""
        spread, none = classes[:, :, None], float("-inf")
        having, lacking = (spread.masked_fill(~kind, none).logsumexp(dim=1) for kind in (self.present, ~self.present))
        return having - lacking


def argmax_scores(
    truth: NDArray[np.int64], classes: NDArray[np.float64], combinations: Combinations
) -> dict[str, float]:
    """Return the scores of the most probable class, which is how the papers decide.

    Parameters
    ----------
    truth : ndarray of int, shape [N, L]
        0 or 1. What is no class of the training is never decided rightly.
    classes : ndarray of float, shape [N, K]
        Logits.
    combinations : tuple of tuple of int
        Labels of the classes.

    Returns
    -------
    dict
        See :func:`lungsound.scores.metrics.icbhi_scores`; of seven classes as M2D's application to SPRSound has them.
    """
    known = torch.tensor(combinations)
    # Normal is 0 in these scores, a class that nothing decides is beyond all.
    numbers = np.array([0 if not any(row) else place + 1 for place, row in enumerate(combinations)])
    true = class_indices(torch.tensor(truth), known).numpy()
    beyond = len(combinations) + 1
    true_numbers = np.where(true == _UNKNOWN, np.where(truth.any(axis=1), beyond, 0), numbers[true])
    return icbhi_scores(true_numbers, numbers[classes.argmax(axis=1)])
