"""The same network with fewer or more channels: what a student of another width would look like, made in no time."""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from firmware_bridge.compile.operators import OPERATORS
from firmware_bridge.tflite.graph import Graph, Op, Tensor

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_ELEMENTWISE = ("ADD", "SUB", "MUL")
_EIGHT = 8
"""Students' channels are multiples of eight, at least eight."""


def channels_of_widest_layer(graph: Graph) -> int:
    """Return the most channels that a weighted layer makes; 0 if there is none."""
    return max((graph.tensors[op.outputs[0]].shape[-1] for op in graph.ops if op.kind in _WEIGHTED), default=0)


def unit_of(channels: int) -> int:
    """Return the steps in which a layer of so many channels becomes narrower."""
    return _EIGHT if channels % _EIGHT == 0 else 1


def scaled(graph: Graph, share: Fraction) -> Graph | None:
    """Keep the first channels of every layer up to the last widest one, or repeat them; the head keeps its outputs.

    Parameters
    ----------
    graph : Graph
        A checked graph, channels last.
    share : Fraction
        Of the channels, above 0; layers of multiples of eight channels keep multiples of eight.

    Returns
    -------
    Graph or None
        With the weights cut or repeated, so that it can be planned; what it answers means nothing. None if an operator
        mixes channels in a way that says not how many it would have.
    """
    widest = channels_of_widest_layer(graph)
    makes_widest = [
        index
        for index, op in enumerate(graph.ops)
        if op.kind in _WEIGHTED and graph.tensors[op.outputs[0]].shape[-1] == widest
    ]
    if not makes_widest:
        return None
    changed = _Scaled(list(graph.tensors), share)
    for index, op in enumerate(graph.ops):
        if not changed.take(op, hidden=index <= makes_widest[-1]):
            return None
    return replace(graph, tensors=tuple(changed.tensors))


class _Scaled:
    """The tensors while operators are taken one after the other, and the channels that changed ones had."""

    def __init__(self, tensors: list[Tensor], share: Fraction) -> None:
        self.tensors = tensors
        self.share = share
        self.had: dict[int, int] = {}

    def take(self, op: Op, *, hidden: bool) -> bool:
        """Scale what an operator reads and makes; False if that cannot be said."""
        if op.kind == "DEPTHWISE_CONV_2D":
            return self._depthwise(op)
        if op.kind in _WEIGHTED:
            return self._mix(op, hidden=hidden)
        return self._pass(op)

    def _mix(self, op: Op, *, hidden: bool) -> bool:
        source, weights, made = op.inputs[0], op.inputs[1], op.outputs[0]
        if source in self.had:
            if self.tensors[weights].shape[-1] != self.had[source]:
                return False
            self._cut(weights, -1, self.tensors[source].shape[-1])
        channels = self.tensors[made].shape[-1]
        kept = self._kept(channels) if hidden else channels
        self._cut(weights, 0, kept)
        return self._make(op, kept)

    def _depthwise(self, op: Op) -> bool:
        source, made = op.inputs[0], op.outputs[0]
        if source not in self.had:
            return True
        if self.tensors[made].shape[-1] != self.had[source]:
            return False
        kept = self.tensors[source].shape[-1]
        self._cut(op.inputs[1], -1, kept)
        return self._make(op, kept)

    def _make(self, op: Op, kept: int) -> bool:
        for bias in op.inputs[2:]:
            if bias >= 0:
                self._cut(bias, 0, kept)
        self._scale(op.outputs[0], kept)
        return True

    def _pass(self, op: Op) -> bool:
        sources, made = [index for index in op.inputs if index in self.had], op.outputs[0]
        if not sources:
            return True
        had, kept = self.had[sources[0]], self.tensors[sources[0]].shape[-1]
        if not OPERATORS[op.kind].keeps_channels or self.tensors[made].shape[-1] != had:
            return False
        if op.kind in _ELEMENTWISE:
            for index in op.inputs:
                values = self.tensors[index]
                if values.shape[-1:] != (had,) or had == kept:
                    continue
                if values.data is None:
                    return False
                self._cut(index, -1, kept)
        self._scale(made, kept)
        return True

    def _kept(self, channels: int) -> int:
        unit = unit_of(channels)
        return max(unit, int(channels * self.share / unit + Fraction(1, 2)) * unit)

    def _scale(self, index: int, kept: int) -> None:
        channels = self.tensors[index].shape[-1]
        if kept != channels:
            self.had[index] = channels
            self._cut(index, -1, kept)

    def _cut(self, index: int, axis: int, kept: int) -> None:
        """Keep the first `kept` places along an axis, of values and of scales that run along it, or repeat them."""
        tensor = self.tensors[index]
        axis %= len(tensor.shape)
        shape = (*tensor.shape[:axis], kept, *tensor.shape[axis + 1 :])
        places = np.arange(kept) % tensor.shape[axis]
        data = None if tensor.data is None else np.take(tensor.data, places, axis)
        scales, zeros = tensor.scales, tensor.zero_points
        if len(scales) > 1 and tensor.axis == axis:
            scales, zeros = tuple(scales[place] for place in places), tuple(zeros[place] for place in places)
        self.tensors[index] = replace(tensor, shape=shape, data=data, scales=scales, zero_points=zeros)
