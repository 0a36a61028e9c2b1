"""Fusion of several layers of an encoder into one vector a window."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from lungsound.errors import InputError
from teachers.settings import Layers, Pooling


def stack_frequency(grid: Tensor) -> Tensor:
    """Turn a grid of tokens [B, Nf, T, D] into frames [B, T, Nf * D] (M2D, eq. 4): frequency slow, D fast."""
    return grid.transpose(1, 2).flatten(2)


def flatten_grid(grid: Tensor) -> Tensor:
    """Turn a grid of tokens [B, Nf, T, D] into plain tokens [B, Nf * T, D], frequency-major."""
    return grid.flatten(1, 2)


def average_frequency(grid: Tensor) -> Tensor:
    """Turn a grid of tokens [B, Nf, T, D] into frames [B, T, D], the mean over frequency."""
    return grid.mean(dim=1)


READINGS = {"frames": stack_frequency, "tokens": flatten_grid, "mean": average_frequency, "clip": stack_frequency}
"""What z_i is: frames with stacked frequencies (M2D, eq. 4), plain patch tokens (the fusion paper's letter), frames
averaged over frequency (PANNs), or a clip's frames with stacked frequencies, of which only the mean counts (M2D)."""

STACKED = ("frames", "clip")


class Fusion(nn.Module):
    """Weighted concatenation of layers, pooled over time (Liu et al., multi-layer fusion, eqs. 1 and 2).

    ``z~ = concat_i(w_i z_i)`` on the feature axis, ``z' = mean_t(z~) + max_t(z~)``, or ``mean_t(z~)`` for M2D's own
    ``clip``. Mean and maximum look at one feature at a time, so each layer is pooled by itself, and layers may differ
    in their number of frames, as a CNN's do.

    Parameters
    ----------
    depth : int
        Number of the encoder's layers.
    layers : tuple of int, "all" or "last"
        Layers to fuse, counted from 1, in this order.
    learnable : bool
        Train one weight a layer, from 1; otherwise the weights stay 1.
    pooling : {"frames", "tokens", "mean", "clip"}
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
        named: dict[Layers, tuple[int, ...]] = {"all": tuple(range(1, depth + 1)), "last": (depth,)}
        self.layers: tuple[int, ...] = named.get(layers) or cast(tuple[int, ...], layers)
        if (
            not self.layers
            or len(set(self.layers)) < len(self.layers)
            or not set(self.layers) <= {*range(1, depth + 1)}
        ):
            raise InputError(f"fusion of layers {layers}: choose different layers from 1 to {depth}, all or last")
        if pooling not in READINGS:
            raise InputError(f"fusion pooling {pooling!r} is unknown; choose from {', '.join(READINGS)}")
        self._pooling, self._read = pooling, READINGS[pooling]
        ones = torch.ones(len(self.layers))
        if learnable:
            self.weight = nn.Parameter(ones)
        else:
            self.register_buffer("weight", ones)

    def width(self, shapes: Sequence[tuple[int, int]]) -> int:
        """Return the size of ``z'`` for grids of so many rows and features, one pair a layer."""
        chosen = [shapes[layer - 1] for layer in self.layers]
        return sum(rows * features if self._pooling in STACKED else features for rows, features in chosen)

    def weigh(self, grids: list[Tensor]) -> list[Tensor]:
        """Return ``w_i z_i`` of the fused layers, [B, T, Nf * D] (frames, clip), [B, Nf * T, D] or [B, T, D]."""
        return [self._read(grids[layer - 1]) * weight for layer, weight in zip(self.layers, self.weight, strict=True)]

    def forward(self, grids: list[Tensor]) -> Tensor:
        """Fuse and pool.

        Parameters
        ----------
        grids : list of Tensor, each of shape [B, Nf, T, D]
            One for every layer of the encoder; Nf, T and D may differ from layer to layer.

        Returns
        -------
        Tensor, shape [B, E]
            ``z'``; E is the sum of Nf * D (frames, clip) or of D over the fused layers.
        """
        weighed = self.weigh(grids)
        if self._pooling == "clip":
            return torch.cat([z.mean(dim=1) for z in weighed], dim=-1)
        return torch.cat([z.mean(dim=1) + z.amax(dim=1) for z in weighed], dim=-1)
