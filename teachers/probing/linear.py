"""A linear layer on frozen features, trained as the OPERA benchmark trains it; all seeds and questions at once."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lungsound.scores.paired import drawn_auroc
from lungsound.terminal import progress

_FIRST_DEVIATION = 0.01


@dataclass(frozen=True)
class LinearSettings:
    """How a probe is trained; the defaults are OPERA's (Zhang et al. 2024).

    Attributes
    ----------
    epochs, batch_size : int
        Length of the training, recordings a step.
    learning_rate, decay : float
        Of Adam in the first epoch, and what it is multiplied with after each.
    l2 : float
        Weight of the sum of squares of weights and biases in the loss.
    clip : float
        Highest norm of a probe's gradient.
    every : int
        Every so many epochs a probe may be kept.
    patience : int
        A probe stops when so many epochs were no better; 0: never.
    standardise : bool
        Features lose mean and deviation of the training part first.
    seeds : int
        Probes that differ in first weights and order, with seeds 0, 1, ...
    """

    epochs: int = 64
    batch_size: int = 32
    learning_rate: float = 1e-4
    decay: float = 0.97
    l2: float = 1e-5
    clip: float = 1.0
    every: int = 1
    patience: int = 0
    standardise: bool = False
    seeds: int = 5


@dataclass(frozen=True)
class Probes:
    """Trained probes of S seeds for Q questions of C classes each.

    Attributes
    ----------
    weight : Tensor of float32, shape [S, Q, C, features]
    bias : Tensor of float32, shape [S, Q, C]
    mean, std : Tensor of float32, shape [features]
        What features lose first.
    validation : ndarray of float64, shape [S, Q]
        The best AUROC, macro over the classes, by which the epoch was chosen.
    epoch : ndarray of int64, shape [S, Q]
        That epoch, counted from 1.
    """

    weight: Tensor
    bias: Tensor
    mean: Tensor
    std: Tensor
    validation: NDArray[np.float64]
    epoch: NDArray[np.int64]

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return what the probes say of N recordings, shape [S, N, Q, C]."""
        x = (torch.from_numpy(np.array(features)) - self.mean) / self.std
        logits = torch.einsum("nf,sqcf->snqc", x, self.weight) + self.bias[:, None]
        return np.asarray(logits.double().softmax(dim=-1).numpy())


def macro_auroc(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Return the AUROC of the second of two classes, shape [N] and [N, C]; of more, the mean over those that occur."""
    return float(drawn_auroc(truth, probabilities[None], np.ones((1, len(truth))))[0])


def train_probes(
    train: tuple[NDArray[np.float32], NDArray[np.int64]],
    validation: tuple[NDArray[np.float32], NDArray[np.int64]],
    classes: int,
    settings: LinearSettings,
) -> Probes:
    """Train probes; each keeps its epoch with the best AUROC on validation.

    Probes do not know of each other: that they share a step is for speed alone.

    Parameters
    ----------
    train, validation : tuple of ndarray
        Features, float32 of shape [N, features], and classes, int64 of shape [N, Q].
    classes : int
        C, the same for every question.
    settings : LinearSettings
        How.
    """
    x, y = torch.from_numpy(np.array(train[0])), torch.from_numpy(train[1])
    mean, std = _statistics(x) if settings.standardise else (torch.zeros(x.shape[1]), torch.ones(x.shape[1]))
    x = (x - mean) / std
    said = F.one_hot(y, classes).float()
    draws = [torch.Generator().manual_seed(seed) for seed in range(settings.seeds)]
    shape = (y.shape[1], classes, x.shape[1])
    weight = torch.stack([torch.randn(shape, generator=draw) for draw in draws]).mul_(_FIRST_DEVIATION)
    bias = torch.zeros(weight.shape[:-1])
    optimiser = torch.optim.Adam([weight, bias], settings.learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, settings.decay)
    best = Probes(
        weight.clone(), bias.clone(), mean, std,
        np.full(weight.shape[:2], -np.inf), np.zeros(weight.shape[:2], np.int64),
    )  # fmt: skip
    for epoch in progress(range(1, settings.epochs + 1), "training probes"):
        order = torch.stack([torch.randperm(len(x), generator=draw) for draw in draws])
        for rows in torch.split(order, settings.batch_size, dim=1):
            weight.grad, bias.grad = _clipped(*_gradient(weight, bias, x[rows], said[rows], settings.l2), settings.clip)
            optimiser.step()
        schedule.step()
        running = (epoch - best.epoch <= settings.patience) | (settings.patience == 0)
        if not running.any():
            break
        if epoch % settings.every == 0 or epoch == settings.epochs < settings.every:
            _keep_better(best, weight, bias, validation, epoch, running)
    return best


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of features [N, F]; 1 for one that is constant, which may not be elsewhere."""
    mean, std = x.mean(dim=0), x.std(dim=0, unbiased=False)
    return mean, torch.where(std > 1e-6 * mean.abs(), std, 1.0)


def _gradient(weight: Tensor, bias: Tensor, x: Tensor, said: Tensor, l2: float) -> tuple[Tensor, Tensor]:
    """Return the gradient of each probe's loss for features [S, B, F] and classes [S, B, Q, C], one of them 1.

    The loss is the mean cross-entropy and `l2` times the sum of squares; autograd would take twice as long.
    """
    logits = torch.bmm(x, weight.flatten(1, 2).mT).view_as(said) + bias[:, None]
    error = (logits.softmax(dim=-1) - said) / x.shape[1]
    of_weight = torch.bmm(error.flatten(2).mT, x).view_as(weight)
    return of_weight.add_(weight, alpha=2 * l2), error.sum(dim=1).add_(bias, alpha=2 * l2)


def _clipped(weight: Tensor, bias: Tensor, most: float) -> tuple[Tensor, Tensor]:
    """Scale the gradient of each probe whose norm is larger."""
    norm = (weight.square().sum(dim=(-2, -1)) + bias.square().sum(dim=-1)).sqrt()
    scale = (most / (norm + 1e-6)).clamp_max(1.0)  # as torch.nn.utils.clip_grad_norm_
    return weight.mul_(scale[..., None, None]), bias.mul_(scale[..., None])


def _keep_better(
    best: Probes,
    weight: Tensor,
    bias: Tensor,
    validation: tuple[NDArray[np.float32], NDArray[np.int64]],
    epoch: int,
    running: NDArray[np.bool_],
) -> None:
    now = Probes(weight, bias, best.mean, best.std, best.validation, best.epoch).probabilities(validation[0])
    for seed, question in zip(*np.nonzero(running), strict=True):
        value = macro_auroc(validation[1][:, question], now[seed, :, question])
        if value > best.validation[seed, question]:
            best.validation[seed, question], best.epoch[seed, question] = value, epoch
            best.weight[seed, question], best.bias[seed, question] = weight[seed, question], bias[seed, question]
