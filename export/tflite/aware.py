"""Quantization-aware training: a network learns to give its float logits through the codes of its .tflite."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from export.graph.network import GraphNetwork
from export.graph.nodes import Graph, Node, Pool
from export.tflite.float_model import write_named
from export.tflite.int8_model import chosen_ranges, int8_tflite
from export.tflite.ranges import Ranges, calibrate
from export.tflite.structure import Structure
from lungsound.terminal import progress, without_notes

_BATCH = 16
_LEVELS = 256
_LEARNING_RATE = 1e-4
_NUDGE = 1e-3
_ONE_SCALE = (*("RESHAPE", "TRANSPOSE", "MAX_POOL_2D", "AVERAGE_POOL_2D", "PAD", "PADV2", "SLICE", "CONCATENATION"),)
"""Operators whose output has the scale of their inputs."""
_GIVEN = ("SOFTMAX", "LOGISTIC", "TANH")
"""Operators whose output's scale TFLite's rules fix."""


@dataclass(frozen=True)
class Aware:
    """How a quantization-aware training is done.

    Attributes
    ----------
    epochs : int
        Passes over the calibration windows.
    seed : int
        Of their order.
    """

    epochs: int
    seed: int = 0


def aware_tflite(
    graph: Graph, features: NDArray[np.float32], told: Aware, percentile: float | None = None
) -> tuple[bytes, Ranges]:
    """Train a graph through its int8 form, and write that.

    In training every weight and every tensor goes through the rounding that it gets in int8: weights by channel at
    the scale of their largest, tensors at NNCF's asymmetric quantizer with a range that is learnt beside the weights
    (Jain et al. 2020, "Trained quantization thresholds", as NNCF has it). Ranges begin as they are measured; those that
    TFLite or :func:`export.tflite.int8_model.chosen_ranges` fix stay. The loss is the cross-entropy with the
    probabilities that the float network gives, so no labels are needed.

    Parameters
    ----------
    graph : Graph
        Of the float network.
    features : ndarray of float32, shape [N, frames, mels]
        Normalised log-mels of training windows.
    told : Aware
        How long.
    percentile : float, optional
        Of the first ranges, see :func:`export.tflite.ranges.calibrate`.

    Returns
    -------
    bytes
        The int8 .tflite.
    dict
        The range of every tensor that was learnt; each is the scale and the zero point that its tensor has.

    Raises
    ------
    InputError
        As :func:`export.tflite.ranges.calibrate` and :class:`export.graph.network.GraphNetwork`.
    """
    float_model, names = write_named(graph)
    measured = calibrate(float_model, features, percentile)
    network = GraphNetwork(graph)
    quantized = _Quantized(network, names, Scales.of(float_model, measured))
    _train(quantized, torch.from_numpy(np.ascontiguousarray(features))[:, None], told)
    trained, again = write_named(network.trained())
    assert list(again.values()) == list(names.values())
    learnt = quantized.learnt()
    return int8_tflite(trained, measured | learnt), learnt


@dataclass(frozen=True)
class Scales:
    """The quantizers of a model: tensors that share a scale share one.

    Attributes
    ----------
    owner : dict of str to str
        By tensor, whose range it has.
    first : dict of str to (float, float)
        By owner, the range that it begins with.
    fixed : frozenset of str
        Owners whose range is not learnt.
    """

    owner: Mapping[str, str]
    first: Ranges
    fixed: frozenset[str]

    @classmethod
    def of(cls, float_model: bytes, measured: Ranges) -> "Scales":
        """Read a float model's structure, and the scales that its int8 form has with measured ranges."""
        model, rounded = Structure(float_model), Structure(int8_tflite(float_model, measured))
        chosen = chosen_ranges(float_model, measured)
        owner = {name: name for name in measured}
        for step in model.steps:
            if step.kind in _ONE_SCALE:
                output = owner[model.name(step.output)]
                for given in (model.name(tensor) for tensor in step.inputs):
                    if given in owner:
                        replaced = owner[given]
                        owner = {name: output if whose == replaced else whose for name, whose in owner.items()}
        fixed = {owner[name] for name in measured if chosen[name] != measured[name]}
        fixed |= {owner[model.name(step.output)] for step in model.steps if step.kind in _GIVEN}
        first = {}
        for tensor in rounded.graph.tensors:
            name, scales = tensor.name.decode(), tensor.quantization and tensor.quantization.scale
            if name in owner.values() and scales is not None:
                scale, zero = float(scales[0]), int(tensor.quantization.zeroPoint[0])
                first[name] = (-128 - zero) * scale, (127 - zero) * scale
        return cls(owner, first, frozenset(fixed))


class _Quantized(nn.Module):
    """A network whose values go through the codes of int8."""

    def __init__(self, network: GraphNetwork, names: Mapping[Node, str], scales: Scales) -> None:
        super().__init__()
        self.network, self._names, self._scales = network, names, scales
        self._place = {name: str(number) for number, name in enumerate(scales.first)}
        self.low, self.width = nn.ParameterDict(), nn.ParameterDict()
        for name, (low, high) in scales.first.items():
            learnt = name not in scales.fixed
            # What begins at 0 stays there: just below it NNCF leaves a grid on which 0 has no code.
            lowest = torch.tensor([low / (high - low)])
            self.low[self._place[name]] = nn.Parameter(lowest, requires_grad=learnt and low < 0)
            self.width[self._place[name]] = nn.Parameter(torch.tensor([1.0]), requires_grad=learnt)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised log-mels [B, 1, frames, mels] to logits [B, labels]."""
        return self.network(x, self._rounded, _rounded_weight)  # type: ignore[no-any-return]

    def _rounded(self, node: Node, values: Tensor) -> Tensor:
        owner = self._scales.owner.get(self._names.get(node, ""))
        if owner not in self._place:
            return values
        low, width = self._tuned(owner)
        if isinstance(node.operator, Pool) and node.operator.kind == "average":
            values = _halves_from_zero(values, low.detach(), width.detach())
        return _quantize(values, low, width, -128, 127)

    def _tuned(self, owner: str) -> tuple[Tensor, Tensor]:
        """Return low end and width, moved so that 0 has a code of its own."""
        from nncf.torch.quantization.quantize_functions import TuneRange

        low, high = self._scales.first[owner]
        low, width = ((high - low) * ends[self._place[owner]] for ends in (self.low, self.width))
        if owner in self._scales.fixed:
            return low, width
        return TuneRange.apply(low, width.abs() + 1e-16, _LEVELS)  # type: ignore[no-any-return]

    def learnt(self) -> Ranges:
        """Return the range of every tensor whose range was learnt."""
        with torch.no_grad():
            tuned = {name: self._tuned(name) for name in self._place if name not in self._scales.fixed}
        ranges = {name: (float(low), float(low + width)) for name, (low, width) in tuned.items()}
        return {name: ranges[whose] for name, whose in self._scales.owner.items() if whose in ranges}


class _Quantize(torch.autograd.Function):
    """NNCF's quantizer with its gradients, of plain torch operators: its compiled form needs a compiler on the spot."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: Tensor, width: Tensor, lowest: int, highest: int) -> Tensor:
        """Round to the nearest of ``highest - lowest + 1`` levels."""
        from nncf.torch.quantization.reference import torch_executor

        ctx.save_for_backward(x, low, width)
        ctx.levels = highest - lowest + 1, lowest, highest
        return torch_executor.forward(x, low, width, ctx.levels[0])  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Pass the gradient on where the range holds the value, and to the ends of the range elsewhere."""
        from nncf.torch.quantization.reference import torch_executor

        x, *ends = torch_executor.backward(gradients[0], *ctx.saved_tensors, *ctx.levels)
        # One range for a tensor of any rank: NNCF sums over as many axes as the range has.
        low, width = (
            end.sum()[None] if end.ndim == 0 or given.numel() == 1 else end
            for end, given in zip(ends, ctx.saved_tensors[1:], strict=True)
        )
        return x, low, width, None, None


def _halves_from_zero(x: Tensor, low: Tensor, width: Tensor) -> Tensor:
    """Move an average off the middle between two codes, where TFLite rounds away from code 0 and torch to even ones.

    Averages of four codes lie there one time in four, and the next layer adds up what is always rounded one way.
    """
    step = width / (_LEVELS - 1)
    return x + _NUDGE * step * torch.sign(x.detach() - (low + 128 * step))


def _quantize(x: Tensor, low: Tensor, width: Tensor, lowest: int, highest: int) -> Tensor:
    return _Quantize.apply(x, low, width, lowest, highest)  # type: ignore[no-any-return, no-untyped-call]


def _rounded_weight(weight: Tensor) -> Tensor:
    """Round weights [out, ...] by channel to codes of -127 to 127."""
    axes = tuple(range(1, weight.ndim))
    largest = weight.detach().abs().amax(axes, keepdim=True).clamp(min=1e-12)
    return _quantize(weight, -largest, 2 * largest, -127, 127)


def _train(quantized: _Quantized, x: Tensor, told: Aware) -> None:
    """Train in place; the float network teaches what it gave before."""
    with torch.no_grad():
        given = torch.cat([quantized.network(part, lambda _, v: v, lambda w: w) for part in torch.split(x, _BATCH)])
    steps = told.epochs * -(-len(x) // _BATCH)
    optimizer = torch.optim.Adam([p for p in quantized.parameters() if p.requires_grad], _LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order = np.random.default_rng(told.seed)
    with without_notes():
        for _ in progress(range(told.epochs), "training through int8"):
            for places in torch.split(torch.from_numpy(order.permutation(len(x))), _BATCH):
                loss = F.binary_cross_entropy_with_logits(quantized(x[places]), torch.sigmoid(given[places]))
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
