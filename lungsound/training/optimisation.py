"""Which optimiser trains a network, and how its learning rate goes over the steps."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from lungsound.training.settings import Optimizer, Schedule

PERIOD, LEAST_RATE = 40, 1e-6
"""Epochs of ``cosine-40`` from the highest rate to the least, and the least, in the code for ICBHI 2017 M2D uses."""


@dataclass(frozen=True)
class Optimisation:
    """How a network is optimised.

    Attributes
    ----------
    learning_rate : float
        The highest.
    weight_decay : float
        Share of a weight, or its L2 penalty, see `Optimizer`.
    optimizer : {"adamw", "adam"}
        Which one.
    schedule : {"warm-up", "cosine", "cosine-40"}
        How the rate goes.
    """

    learning_rate: float
    weight_decay: float
    optimizer: Optimizer = "adamw"
    schedule: Schedule = "warm-up"

    def of(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimiser of those parameters that are trained."""
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        if self.optimizer == "adam":
            return torch.optim.Adam(trained, lr=self.learning_rate, weight_decay=self.weight_decay)
        matrices = [parameter for parameter in trained if parameter.ndim > 1]
        vectors = [parameter for parameter in trained if parameter.ndim <= 1]
        return torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": self.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=self.learning_rate,
        )

    def share(self, step: int, steps: int, epochs: int) -> float:
        """Return the learning rate of a step, as a share of the highest.

        ``warm-up`` rises over a tenth of the steps (:func:`warm_up_cosine`); ``cosine`` begins at the highest and falls
        to zero; ``cosine-40`` falls to 1e-6 in 40 epochs and rises again in the next 40, epoch by epoch.

        Parameters
        ----------
        step, steps : int
            Optimiser steps done, and in all.
        epochs : int
            In all.
        """
        if self.schedule == "warm-up":
            return warm_up_cosine(step, steps)
        if self.schedule == "cosine":
            return _half_cosine(min(1.0, step / max(1, steps)))
        least = LEAST_RATE / self.learning_rate
        return least + (1 - least) * _half_cosine(step * epochs // max(1, steps) / PERIOD)


def warm_up_cosine(step: int, steps: int, share: float = 0.1) -> float:
    """Return the learning rate of a step, as a share of the highest.

    Parameters
    ----------
    step, steps : int
        Optimiser steps done, and in all.
    share : float
        Of the steps, over which the rate rises linearly; then it falls to zero on a half cosine.
    """
    warm_up = max(1, round(share * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return _half_cosine(min(1.0, (step - warm_up) / max(1, steps - warm_up)))


def _half_cosine(way: float) -> float:
    """Return what falls from 1 to 0 while `way` goes from 0 to 1, and rises again to 2."""
    return 0.5 * (1.0 + math.cos(math.pi * way))
