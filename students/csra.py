"""Class-specific residual attention (CSRA) in the form that int8 kernels compute well."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from lungsound.errors import InputError

MAX_TEMPERATURE = 99
"""The published code's mark for a head that takes the maximum, the limit of an infinite temperature."""

TEMPERATURES: dict[int, tuple[int, ...]] = {
    1: (1,),
    2: (1, MAX_TEMPERATURE),
    4: (1, 2, 4, MAX_TEMPERATURE),
    6: (1, 2, 3, 4, 5, MAX_TEMPERATURE),
    8: (1, 2, 3, 4, 5, 6, 7, MAX_TEMPERATURE),
}
"""Softmax temperatures by number of heads, as in CSRA's code; the Multi-breath paper has (1, 2, 3, max) for four."""


class CsraHead(nn.Module):
    """All heads and classes of CSRA as one convolution, one softmax and one matrix product.

    Per head the published form is ``mean_k S + lam * sum_k softmax_k(T S) S``, with ``max_k S`` for the sum in the
    maximum's head, and the logits are the sum over heads. Since both terms weigh the same scores, the sum equals
    ``sum_hk (lam * softmax_k(T_h S_h) + 1 / P) S_hk``: one product for mean, attention and heads, to which the
    maxima are added. Source: Zhu and Wu 2021, "Residual Attention", section 3.

    Parameters
    ----------
    in_channels : int
        D, channels of the feature map.
    classes : int
        C, number of logits.
    temperatures : sequence of float
        T, one a head; `MAX_TEMPERATURE` marks the head that takes the maximum.
    lam : float
        Weight of the attention beside the mean.
    normalise : bool
        Divide each class's weights by their norm, as CSRA does.
    base : {"mean", "score_map", "feature_map"}
        What the attention is added to: CSRA's mean over positions, or, for comparison with the Multi-breath paper,
        the mean plus the maximum over mel of the mean over time, taken of the scores or of the features.
    """

    temperature: Tensor
    attended: Tensor
    picked: Tensor
    takes_max: Tensor

    def __init__(
        self,
        in_channels: int,
        classes: int,
        temperatures: Sequence[float],
        lam: float,
        *,
        normalise: bool = True,
        base: Literal["mean", "score_map", "feature_map"] = "mean",
    ) -> None:
        super().__init__()
        self.classes, self.heads, self.lam = classes, len(temperatures), lam
        self.normalise, self.base = normalise, base
        self.temperatures = tuple(temperatures)
        # Class-major: row c * heads + h scores class c for head h.
        self.score = nn.Conv2d(in_channels, classes * self.heads, 1, bias=False)
        rows = torch.tensor(self.temperatures, dtype=torch.float32).repeat(classes)[:, None]
        takes_max = rows == MAX_TEMPERATURE
        maxima = takes_max[:, 0] * torch.eye(classes).repeat_interleave(self.heads, dim=1)
        # Constants, so that an exported head is products and sums: what the maximum's heads attend to counts nothing.
        self.register_buffer("temperature", torch.where(takes_max, 1.0, rows), persistent=False)
        self.register_buffer("attended", torch.where(takes_max, 0.0, torch.tensor(lam)), persistent=False)
        self.register_buffer("picked", lam * maxima, persistent=False)
        self.register_buffer("takes_max", takes_max, persistent=False)

    def load_heads(self, weights: Sequence[Tensor]) -> None:
        """Take the weights of separate heads, each [C, D, 1, 1], as the published checkpoints keep them."""
        with torch.no_grad():
            self.score.weight.copy_(torch.stack(list(weights), dim=1).reshape(self.score.weight.shape))

    def score_weight(self) -> Tensor:
        """Return the rows [C * H, D, 1, 1] that score a position, divided by their norm where CSRA does."""
        weight = self.score.weight
        return weight / weight.norm(dim=1, keepdim=True) if self.normalise else weight

    def forward(self, feature_map: Tensor) -> Tensor:
        """Map features [B, D, t, f] to logits [B, C]."""
        weight = self.score_weight()
        score_map = nn.functional.conv2d(feature_map, weight)
        scores = score_map.flatten(2)
        blend = self._softmax(scores) * self.attended + 1.0 / scores.shape[-1]
        by_class = (len(scores), self.classes)
        product = blend.reshape(*by_class, 1, -1) @ scores.reshape(*by_class, -1, 1)
        if MAX_TEMPERATURE in self.temperatures:
            maxima = nn.functional.linear(score_map.amax((2, 3)), self.picked)
            logits = product.reshape(by_class) + maxima
        else:
            logits = product.reshape(by_class)
        return logits if self.base == "mean" else logits + self._added_maximum(feature_map, weight)

    def attention(self, feature_map: Tensor) -> Tensor:
        """Return where each class looks: [B, C, t, f], the mean of its heads' attention, summing to one."""
        scores = nn.functional.conv2d(feature_map, self.score_weight()).flatten(2)
        one_hot = nn.functional.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores.dtype)
        per_head = torch.where(self.takes_max, one_hot, self._softmax(scores))
        per_class = per_head.reshape(len(scores), self.classes, self.heads, -1).mean(2)
        return per_class.reshape(*per_class.shape[:2], *feature_map.shape[2:])

    def _softmax(self, scores: Tensor) -> Tensor:
        return (scores * self.temperature).softmax(-1)

    def _added_maximum(self, feature_map: Tensor, weight: Tensor) -> Tensor:
        """Multi-breath's second half of the base: over mel, the maximum of the mean over time, [B, C]."""
        if self.base == "feature_map":
            maxima = nn.functional.conv2d(feature_map.mean(2, keepdim=True).amax(3, keepdim=True), weight)
        else:
            maxima = nn.functional.conv2d(feature_map, weight).mean(2, keepdim=True).amax(3, keepdim=True)
        return maxima.reshape(len(feature_map), self.classes, self.heads).sum(-1)


def temperatures_of(heads: int) -> tuple[int, ...]:
    """Return CSRA's temperatures for a number of heads.

    Raises
    ------
    InputError
        If CSRA has no table for it.
    """
    if heads not in TEMPERATURES:
        raise InputError(f"{heads} attention heads: choose one of {', '.join(map(str, TEMPERATURES))}")
    return TEMPERATURES[heads]
