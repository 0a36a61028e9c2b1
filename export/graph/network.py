"""A graph as a torch network again, whose weights can be trained and whose values can be looked at on their way."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.graph.nodes import (
    Activation,
    Arithmetic,
    Concatenation,
    Constant,
    Convolution,
    Expand,
    Fused,
    Graph,
    Input,
    Linear,
    MatrixProduct,
    Node,
    Pad,
    Permute,
    Pool,
    Reduction,
    Reshape,
    Slice,
    Softmax,
)
from lungsound.errors import InputError

_LEAST = 1e-12

Look = Callable[[Node, Tensor], Tensor]
"""Sees what a node gives and returns what goes on."""

_FUNCTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "relu": F.relu,
    "relu6": F.relu6,
    "hard_swish": F.hardswish,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}


class GraphNetwork(nn.Module):
    """Computes a graph on many windows at once; weights and biases of its layers are parameters.

    Parameters
    ----------
    graph : Graph
        As read; it stays as it is.

    Raises
    ------
    InputError
        If an operator mixes what would be several windows.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        for node in graph.nodes:
            if _mixes_windows(node):
                kind = type(node.operator).__name__
                raise InputError(f"{node.path or node.name}: {kind} over the axis of windows; keep that axis first")
        self.graph = graph
        layers = [node for node in graph.nodes if isinstance(node.operator, Convolution | Linear)]
        self._place = {node: str(number) for number, node in enumerate(layers)}
        # In units of each channel's largest value, so that a step of a training means as much everywhere.
        self.weight, self.bias = nn.ParameterDict(), nn.ParameterDict()
        self._units: dict[str, tuple[Tensor, Tensor]] = {}
        for node, place in self._place.items():
            weight, bias = (_float32(values) for values in (node.operator.weight, node.operator.bias))  # type: ignore[union-attr]
            largest = weight.abs().amax(tuple(range(1, weight.ndim)), keepdim=True).clamp(min=_LEAST)
            self._units[place] = largest, torch.maximum(bias.abs(), largest.flatten())
            self.weight[place], self.bias[place] = (
                nn.Parameter(values / unit) for values, unit in zip((weight, bias), self._units[place], strict=True)
            )

    def forward(self, x: Tensor, look: Look, weigh: Callable[[Tensor], Tensor]) -> Tensor:
        """Map B normalised log-mels [B, 1, frames, mels] to logits [B, labels].

        Parameters
        ----------
        x : Tensor
            Windows.
        look : callable
            For what every node but constants gives.
        weigh : callable
            For every weight, [out, ...], before it is used.
        """
        values: dict[Node, Tensor] = {}
        for node in self.graph.nodes:
            operator = node.operator
            if isinstance(operator, Constant):
                values[node] = _constant(operator, len(x), node)
                continue
            inputs = [values[given] for given in node.inputs]
            values[node] = look(node, x if isinstance(operator, Input) else self._computed(node, inputs, len(x), weigh))
        return values[self.graph.output]

    def trained(self) -> Graph:
        """Return the graph with the weights as they are now."""
        made: dict[Node, Node] = {}
        for node in self.graph.nodes:
            operator = node.operator
            if isinstance(operator, Convolution | Linear):
                weight, bias = (values.detach().double().numpy() for values in self._layer_of(node))
                operator = replace(operator, weight=weight, bias=bias)
            made[node] = replace(node, operator=operator, inputs=tuple(made[given] for given in node.inputs))
        return Graph(tuple(made.values()), made[self.graph.output])

    def _layer_of(self, node: Node) -> tuple[Tensor, Tensor]:
        """Return weight and bias as they are now."""
        place = self._place[node]
        weight, bias = self._units[place]
        return self.weight[place] * weight, self.bias[place] * bias

    def _computed(self, node: Node, inputs: list[Tensor], windows: int, weigh: Callable[[Tensor], Tensor]) -> Tensor:
        operator, x = node.operator, inputs[0]
        if isinstance(operator, Convolution | Linear):
            weight, bias = self._layer_of(node)
            return _activated(_layer(operator, x, weigh(weight), bias), operator.activation)
        if isinstance(operator, Arithmetic):
            return _activated(getattr(torch, operator.kind)(*inputs), operator.activation)
        if isinstance(operator, Reshape | Expand):
            shape = (windows * node.shape[0], *node.shape[1:])
            return x.reshape(shape) if isinstance(operator, Reshape) else x.expand(shape)
        return _moved(node, inputs)


def _layer(operator: Convolution | Linear, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if isinstance(operator, Linear):
        return F.linear(x, weight, bias)
    (top, bottom), (left, right) = operator.padding
    padded = F.pad(x, (left, right, top, bottom))
    return F.conv2d(padded, weight, bias, operator.stride, 0, operator.dilation, operator.groups)


def _moved(node: Node, inputs: list[Tensor]) -> Tensor:
    """Compute an operator without weights."""
    operator, x = node.operator, inputs[0]
    if isinstance(operator, Activation):
        return _FUNCTIONS[operator.function](x)
    if isinstance(operator, Softmax):
        return x.softmax(operator.axis)
    if isinstance(operator, Pool):
        return _pooled(operator, x)
    if isinstance(operator, Reduction):
        whole = x.mean(operator.axes) if operator.kind == "mean" else x.amax(operator.axes)
        return whole.reshape(len(x), *node.shape[1:])
    if isinstance(operator, Concatenation):
        return torch.cat(inputs, operator.axis)
    if isinstance(operator, Pad):
        return F.pad(x, [width for widths in operator.widths[::-1] for width in widths])
    if isinstance(operator, Slice):
        return x.narrow(operator.axis, operator.start, node.shape[operator.axis])
    if isinstance(operator, Permute):
        return x.permute(operator.axes)
    assert isinstance(operator, MatrixProduct)
    return inputs[0] @ inputs[1]


def _pooled(operator: Pool, x: Tensor) -> Tensor:
    (top, bottom), (left, right) = operator.padding
    widths = (left, right, top, bottom)
    if operator.kind == "maximum":
        return F.max_pool2d(F.pad(x, widths, value=-torch.inf), operator.kernel, operator.stride)
    average = F.avg_pool2d(F.pad(x, widths), operator.kernel, operator.stride)
    return average if operator.scale is None else average * _float32(operator.scale)


def _activated(x: Tensor, activation: Fused) -> Tensor:
    return _FUNCTIONS[activation](x)


def _constant(operator: Constant, windows: int, node: Node) -> Tensor:
    """Return a constant, once a window where its first axis holds more than windows."""
    values = _float32(operator.values)
    return values.repeat(windows, *[1] * (values.ndim - 1)) if values.ndim > 2 and len(values) > 1 else values


def _float32(values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def _mixes_windows(node: Node) -> bool:
    operator = node.operator
    if isinstance(operator, Reduction):
        return 0 in operator.axes
    if isinstance(operator, Softmax | Concatenation | Slice):
        return operator.axis == 0
    if isinstance(operator, Permute):
        return operator.axes[0] != 0
    return isinstance(operator, Pad) and operator.widths[0] != (0, 0)
