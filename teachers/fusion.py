"""Fusion of several layers of an encoder into one vector a window."""

from typing import Literal

import torch
from torch import Tensor, nn

from lungsound.errors import InputError
from teachers.m2d import flatten_grid, stack_frequency

Pooling = Literal["frames", "tokens"]
Layers = tuple[int, ...] | Literal["all"]

READINGS = {"frames": stack_frequency, "tokens": flatten_grid}
"""What z_i is: frames with stacked frequencies (M2D, eq. 4), or plain patch tokens (the fusion paper's letter)."""


class Fusion(nn.Module):
    """Weighted concatenation of layers, pooled over time (Liu et al., multi-layer fusion, eqs. 1 and 2).

    ``z~ = concat_i(w_i z_i)`` on the feature axis, ``z' = mean_t(z~) + max_t(z~)``.

    Parameters
    ----------
    depth : int
        Number of the encoder's blocks.
    layers : tuple of int or "all"
        Blocks to fuse, counted from 1, in this order; the last block's tokens have passed the final LayerNorm.
    learnable : bool
        Train one weight a layer, from 1; otherwise the weights stay 1.
    pooling : {"frames", "tokens"}
        What is pooled, see `READINGS`.

    Raises
    ------
    InputError
        If a layer does not exist or is named twice, or the pooling is unknown.
    """

    weight: Tensor

    def __init__(
        self, depth: int, layers: Layers = "all", *, learnable: bool = True, pooling: Pooling = "frames"
    ) -> None:
        super().__init__()
        self.layers = tuple(range(1, depth + 1)) if layers == "all" else layers
        if (
            not self.layers
            or len(set(self.layers)) < len(self.layers)
            or not set(self.layers) <= {*range(1, depth + 1)}
        ):
            raise InputError(f"fusion of layers {layers}: choose different layers from 1 to {depth}, or all")
        if pooling not in READINGS:
            raise InputError(f"fusion pooling {pooling!r} is unknown; choose from {', '.join(READINGS)}")
        self._read = READINGS[pooling]
        ones = torch.ones(len(self.layers))
        if learnable:
            self.weight = nn.Parameter(ones)
        else:
            self.register_buffer("weight", ones)

    def fuse(self, grids: list[Tensor]) -> Tensor:
        """Return ``z~`` [B, T, n * Nf * D] (frames) or [B, Nf * T, n * D] (tokens) of all layers' grids."""
        chosen = [self._read(grids[layer - 1]) * weight for layer, weight in zip(self.layers, self.weight, strict=True)]
        return torch.cat(chosen, dim=-1)

    def forward(self, grids: list[Tensor]) -> Tensor:
        """Fuse and pool.

        Parameters
        ----------
        grids : list of Tensor, each of shape [B, Nf, T, D]
            One for every block of the encoder.

        Returns
        -------
        Tensor, shape [B, n * Nf * D] (frames) or [B, n * D] (tokens)
            ``z'``.
        """
        fused = self.fuse(grids)
        return fused.mean(dim=1) + fused.amax(dim=1)
