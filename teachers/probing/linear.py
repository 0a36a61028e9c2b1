"""A linear layer on frozen features, trained as the OPERA benchmark trains it; all seeds and questions at once."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lungsound.scores.metrics import auroc
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
    """Return the AUROC of each class against the others, shape [N] and [N, C], averaged over classes that occur."""
    found = [auroc(truth == number, probabilities[:, number]) for number in range(probabilities.shape[1])]
    defined = [value for value in found if value == value]
    return float(np.mean(defined)) if defined else float("nan")


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
    mean, std = torch.zeros(x.shape[1]), torch.ones(x.shape[1])
    if settings.standardise:
        mean, std = x.mean(dim=0), x.std(dim=0, unbiased=False).clamp_min(1e-8)
    x = (x - mean) / std
    draws = [torch.Generator().manual_seed(seed) for seed in range(settings.seeds)]
    shape = (y.shape[1], classes, x.shape[1])
    weight = torch.stack([torch.randn(shape, generator=draw) for draw in draws]).mul_(_FIRST_DEVIATION)
    bias = torch.zeros(weight.shape[:-1])
    parameters = weight.requires_grad_(), bias.requires_grad_()
    optimiser = torch.optim.Adam(parameters, settings.learning_rate)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, settings.decay)
    best = Probes(
        weight.detach().clone(), bias.detach().clone(), mean, std,
        np.full(weight.shape[:2], -np.inf), np.zeros(weight.shape[:2], np.int64),
    )  # fmt: skip
    for epoch in progress(range(1, settings.epochs + 1), "training probes"):
        order = torch.stack([torch.randperm(len(x), generator=draw) for draw in draws])
        for rows in torch.split(order, settings.batch_size, dim=1):
            optimiser.zero_grad()
            torch.autograd.backward(_loss(weight, bias, x[rows], y[rows], settings.l2))
            _clip(parameters, settings.clip)
            optimiser.step()
        schedule.step()
        running = (epoch - best.epoch <= settings.patience) | (settings.patience == 0)
        if not running.any():
            break
        if epoch % settings.every == 0 or epoch == settings.epochs < settings.every:
            _keep_better(best, weight.detach(), bias.detach(), validation, epoch, running)
    return best


def _loss(weight: Tensor, bias: Tensor, x: Tensor, y: Tensor, l2: float) -> Tensor:
    """Return the sum of all probes' losses for features [S, B, F] and classes [S, B, Q]."""
    seeds, questions, classes, features = weight.shape
    logits = torch.bmm(x, weight.reshape(seeds, questions * classes, features).transpose(1, 2))
    logits = logits.reshape(*x.shape[:2], questions, classes) + bias[:, None]
    entropy = F.cross_entropy(logits.flatten(0, 2), y.flatten(), reduction="sum") / x.shape[1]
    return entropy + l2 * (weight.square().sum() + bias.square().sum())


def _clip(parameters: tuple[Tensor, Tensor], most: float) -> None:
    """Scale the gradient of each probe whose norm is larger."""
    weight, bias = (torch.as_tensor(parameter.grad) for parameter in parameters)
    norm = (weight.square().sum(dim=(-2, -1)) + bias.square().sum(dim=-1)).sqrt()
    scale = (most / (norm + 1e-6)).clamp_max(1.0)  # as torch.nn.utils.clip_grad_norm_
    weight.mul_(scale[..., None, None])
    bias.mul_(scale[..., None])


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
