"""Losses of masked modelling: predictions against what they should be, token by token."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Distance = Literal["cosine", "squared"]
"""M2D's, and the masked autoencoder's."""

_EPSILON = 1e-6


def standardised(tokens: Tensor) -> Tensor:
    """Return tokens [..., D] less their mean, by their deviation over the features (unbiased, as M2D's code has it)."""
    mean, variance = tokens.mean(dim=-1, keepdim=True), tokens.var(dim=-1, keepdim=True)
    return (tokens - mean) / (variance + _EPSILON).sqrt()


def token_loss(
    prediction: Tensor, target: Tensor, distance: Distance = "cosine", *, standardise: bool = True
) -> Tensor:
    """Return the mean distance of predictions from their targets.

    Parameters
    ----------
    prediction, target : Tensor of float, shape [..., D]
        Tokens; computed in float32.
    distance : {"cosine", "squared"}
        ``2 - 2 cos`` (M2D, eq. 3), or the mean squared difference (MAE).
    standardise : bool
        Whether the targets first are (:func:`standardised`; M2D, eq. 2).

    Returns
    -------
    Tensor of float32, shape []
    """
    prediction, target = prediction.float(), target.float()
    if standardise:
        target = standardised(target)
    if distance == "squared":
        return F.mse_loss(prediction, target)
    return (2 - 2 * F.cosine_similarity(prediction, target, dim=-1)).mean()


def clip_variance(tokens: Tensor, places: Tensor) -> Tensor:
    """Return how much the directions of tokens differ from clip to clip: 0 where all clips are the same, at most 1.

    It is the variance of the standardised tokens at each place of the grid over the clips that have one there, averaged
    over features and places. Places by themselves tell tokens apart, so that their plain variance says nothing of what
    was heard.

    Parameters
    ----------
    tokens : Tensor of float, shape [B, T, D]
        Outputs of an encoder, without the class token.
    places : Tensor of int64, shape [B, T]
        Where each stands in the grid.

    Returns
    -------
    Tensor of float32, shape []
        1 where no place is that of two clips, which tells nothing.
    """
    values, at = standardised(tokens.detach().float()).flatten(0, 1), places.flatten()
    grid = int(places.max()) + 1 if len(at) else 0
    count = torch.zeros(grid, device=values.device).index_add_(0, at, torch.ones_like(at, dtype=torch.float32))
    sums = torch.zeros(grid, values.shape[1], device=values.device).index_add_(0, at, values)
    rest = values - (sums / count.clamp(min=1)[:, None])[at]
    pairs = (count - 1).clamp(min=0).sum()
    return torch.where(pairs > 0, rest.square().mean(dim=1).sum() / pairs.clamp(min=1), torch.ones_like(pairs))
