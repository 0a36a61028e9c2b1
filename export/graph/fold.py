"""Make a graph smaller without changing what it computes."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from export.graph.nodes import (
    NO_PADDING,
    Activation,
    Arithmetic,
    Constant,
    Convolution,
    Expand,
    Graph,
    Linear,
    Node,
    Operator,
    Pad,
    Pool,
)


def fold(graph: Graph) -> Graph:
    """Fold constants by channel and padding into convolutions, and fuse activations; all in float64.

    Batch normalisation arrives as a product and a sum by channel. An average behind a convolution changes places with
    them. What stands behind no convolution of its own stays.
    """
    users = graph.users()
    made: dict[Node, Node] = {}
    passed: set[Node] = set()
    for node in graph.nodes:
        inputs = tuple(made[given] for given in node.inputs)
        alone = all(users[given] == 1 for given in node.inputs if not isinstance(given.operator, Constant))
        made[node] = _folded(node, inputs, alone, passed)
        if alone and _is_whole_average(made[node].operator):
            passed.add(made[node])
    ordered = dict.fromkeys(found for node in made.values() for found in (*node.inputs, node))
    return Graph.of(list(ordered), made[graph.output])


def _folded(node: Node, inputs: tuple[Node, ...], alone: bool, passed: set[Node]) -> Node:
    """Return what becomes of a node.

    `alone` says that nobody else reads its inputs; `passed` holds the averages of values that nobody else reads.
    """
    operator = node.operator
    if isinstance(operator, Arithmetic):
        inputs = tuple(_before_expansion(given, inputs, node) for given in inputs)
        layer = _with_constant(operator, inputs, node, passed) if alone else None
        return layer or replace(node, inputs=inputs)
    if isinstance(operator, Activation) and alone:
        before = inputs[0]
        if operator.function in ("relu", "relu6") and _can_fuse(before.operator):
            return replace(before, operator=replace(before.operator, activation=operator.function))  # type: ignore[arg-type]
    if isinstance(operator, Convolution) and alone and isinstance(inputs[0].operator, Pad):
        return _with_padding(node, operator, inputs[0], inputs[0].operator)
    return replace(node, inputs=inputs)


def _can_fuse(operator: Operator) -> bool:
    return isinstance(operator, Convolution | Linear | Arithmetic) and operator.activation == "none"


def _before_expansion(given: Node, inputs: tuple[Node, ...], node: Node) -> Node:
    """Leave out an expansion where arithmetic broadcasts all the same."""
    if not isinstance(given.operator, Expand):
        return given
    shapes = [other.inputs[0].shape if other is given else other.shape for other in inputs]
    return given.inputs[0] if np.broadcast_shapes(*shapes) == node.shape else given


def _is_whole_average(operator: Operator) -> bool:
    """Return whether all of its windows lie in the input: a product or sum by channel gives the same before it."""
    return (
        isinstance(operator, Pool)
        and operator.kind == "average"
        and operator.padding == NO_PADDING
        and operator.scale is None
    )


def _with_constant(operator: Arithmetic, inputs: tuple[Node, ...], node: Node, passed: set[Node]) -> Node | None:
    """Return the convolution or linear layer, or the average behind one, with a constant by channel folded in."""
    layer, constant = inputs if isinstance(inputs[1].operator, Constant) else inputs[::-1]
    kind = layer.operator
    if layer in passed and node.shape == layer.shape:
        before = layer.inputs[0]
        swapped = tuple(before if given is layer else given for given in inputs)
        folded = _with_constant(operator, swapped, replace(node, shape=before.shape), set())
        return folded and replace(layer, inputs=(folded,))
    if not isinstance(kind, Convolution | Linear) or not isinstance(constant.operator, Constant):
        return None
    values = _by_channel(constant.operator.values, layer.shape, 1 if isinstance(kind, Convolution) else -1)
    if kind.activation != "none" or node.shape != layer.shape or values is None:
        return None
    weight, bias = kind.weight, kind.bias
    if operator.kind == "sub" and layer is inputs[1]:
        weight, bias = -weight, values - bias
    elif operator.kind == "mul":
        weight, bias = weight * values.reshape(-1, *[1] * (weight.ndim - 1)), bias * values
    else:
        bias = bias + values if operator.kind == "add" else bias - values
    return replace(layer, operator=replace(kind, weight=weight, bias=bias))


def _by_channel(values: NDArray[np.float64], shape: tuple[int, ...], axis: int) -> NDArray[np.float64] | None:
    """Return one value a channel, or None where the values differ along another axis."""
    padded = values.reshape((1,) * (len(shape) - values.ndim) + values.shape)
    axis %= len(shape)
    if padded.ndim != len(shape) or any(size != 1 for i, size in enumerate(padded.shape) if i != axis):
        return None
    return np.broadcast_to(padded.ravel(), shape[axis])


def _with_padding(node: Node, operator: Convolution, before: Node, pad: Pad) -> Node:
    """Let a convolution pad for itself where height and width alone are padded."""
    if len(pad.widths) != 4 or pad.widths[:2] != NO_PADDING:
        return replace(node, inputs=(before,))
    (top, bottom), (left, right) = pad.widths[2:]
    (above, below), (first, last) = operator.padding
    padding = ((top + above, bottom + below), (left + first, right + last))
    return replace(node, operator=replace(operator, padding=padding), inputs=before.inputs)
