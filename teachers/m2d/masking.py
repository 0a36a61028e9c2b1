"""Tokens under a mask: which are visible, which are hidden, and their way back to the grid."""

from typing import NamedTuple

import torch
from torch import Tensor


class Mask(NamedTuple):
    """A random order of the patches of each sample, of which the first are visible.

    Attributes
    ----------
    order : Tensor of int64, shape [B, N]
        Indices of the patches, frequency-major.
    visible : int
        How many of them the online encoder sees.
    """

    order: Tensor
    visible: int

    def take_visible(self, tokens: Tensor) -> Tensor:
        """Return the visible ones of tokens [B, N, D], in shuffled order [B, visible, D]."""
        return _take(tokens, self.order[:, : self.visible])

    def take_hidden(self, tokens: Tensor) -> Tensor:
        """Return the hidden ones of tokens [B, N, D], in shuffled order [B, N - visible, D]."""
        return _take(tokens, self.order[:, self.visible :])

    def to_grid(self, shuffled: Tensor) -> Tensor:
        """Return tokens [B, N, D] in shuffled order, visible ones first, in the order of the grid."""
        return _take(shuffled, torch.argsort(self.order, dim=1))


def visible_patches(patches: int, ratio: float) -> int:
    """Return how many of `patches` stay visible at a masking ratio (M2D's code: rounded down)."""
    return int(patches * (1 - ratio))


def _take(tokens: Tensor, indices: Tensor) -> Tensor:
    return tokens.gather(1, indices[..., None].expand(-1, -1, tokens.shape[-1]))
