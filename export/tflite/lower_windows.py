"""Convolutions, linear layers and pools as TFLite operators."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from export.graph.nodes import Activation, Concatenation, Convolution, Linear, Node, Padding, Pool, Reshape
from export.tflite.layout import CHANNELS_LAST, Value
from export.tflite.lowering import FUSED, Lowering

_LOWEST = -1e9
"""Below every value of a network, and a number that int8's rounding can divide."""


def convolution(lowering: Lowering, node: Node, operator: Convolution) -> Value:
    """Write CONV_2D or DEPTHWISE_CONV_2D, after a PAD where TFLite has no word for the padding.

    Grouped convolutions that are not depthwise become dense ones with zeros between the groups: one operator instead
    of a split, a convolution a group and a concatenation, and exact in int8, for weights are scaled by channel.
    """
    x = lowering.tensor(node.inputs[0], CHANNELS_LAST)
    size = (
        _reach(operator.weight.shape[2], operator.dilation[0]),
        _reach(operator.weight.shape[3], operator.dilation[1]),
    )
    x, padding = _padded(lowering, x, node, size, operator.stride, operator.padding)
    depthwise = operator.groups > 1 and operator.weight.shape[1] == 1 and operator.groups == node.inputs[0].shape[1]
    if depthwise:
        kind, weight = "DEPTHWISE_CONV_2D", operator.weight.transpose(1, 2, 3, 0)
        options = schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = len(operator.weight) // operator.groups
    else:
        kind, weight = "CONV_2D", _dense(operator).transpose(0, 2, 3, 1)
        options = schema.Conv2DOptionsT()
    options.padding, options.fusedActivationFunction = padding, FUSED[operator.activation]
    options.strideH, options.strideW = operator.stride
    options.dilationHFactor, options.dilationWFactor = operator.dilation
    return _weighted(lowering, kind, x, weight, operator.bias, node, CHANNELS_LAST, options)


def linear(lowering: Lowering, node: Node, operator: Linear) -> Value:
    """Write a 1x1 CONV_2D: FULLY_CONNECTED rounds differently in LiteRT and on microcontrollers.

    A map that is flattened before it stays in TFLite's order; the weights are put into that order instead.
    """
    (before,) = node.inputs
    width, rows = before.shape[-1], int(np.prod(before.shape[:-1]))
    value, weight = lowering.value(before), operator.weight
    if rows == 1:
        weight = weight[:, value.places()]
        x = lowering.layouts.reshaped(value.tensor, (1, 1, 1, width))
    else:
        x = lowering.tensor(before, held=(1, 1, rows, width))
    options = schema.Conv2DOptionsT()
    options.padding, options.fusedActivationFunction = schema.Padding.SAME, FUSED[operator.activation]
    options.strideH = options.strideW = 1
    return _weighted(lowering, "CONV_2D", x, weight[:, None, None, :], operator.bias, node, None, options)


def _weighted(
    lowering: Lowering,
    kind: str,
    x: int,
    weight: NDArray[np.float64],
    bias: NDArray[np.float64],
    node: Node,
    axes: tuple[int, ...] | None,
    options: object,
) -> Value:
    constants = [lowering.constant(f"{node.name}/weight", weight), lowering.constant(f"{node.name}/bias", bias)]
    shape = (1, 1, int(np.prod(node.shape[:-1])), node.shape[-1])
    shape = shape if axes is None else tuple(node.shape[axis] for axis in axes)  # type: ignore[assignment]
    return Value.of(lowering.write(kind, [x, *constants], node, shape, options), node.shape, axes)


def _dense(operator: Convolution) -> NDArray[np.float64]:
    """Return weights [out, in, height, width], zero between groups."""
    outs, inside = len(operator.weight) // operator.groups, operator.weight.shape[1]
    dense = np.zeros((len(operator.weight), inside * operator.groups, *operator.weight.shape[2:]))
    for group in range(operator.groups):
        rows = slice(group * outs, (group + 1) * outs)
        dense[rows, group * inside : (group + 1) * inside] = operator.weight[rows]
    return dense


def pool(lowering: Lowering, node: Node, operator: Pool) -> Value:
    """Write AVERAGE_POOL_2D or MAX_POOL_2D, padded before where TFLite has no word for it."""
    x, name = lowering.tensor(node.inputs[0], CHANNELS_LAST), node.name
    average = operator.kind == "average"
    if average:  # TFLite divides by what lies inside, so zeros are padded as values
        x, padding = lowering.padded(x, ((0, 0), *operator.padding, (0, 0)), name), schema.Padding.VALID
    else:
        below = None if _not_negative(node.inputs[0]) else _LOWEST
        x, padding = _padded(lowering, x, node, operator.kernel, operator.stride, operator.padding, below)
    options = _pool_options(operator.kernel, operator.stride, padding)
    shape = tuple(node.shape[axis] for axis in CHANNELS_LAST)
    kind = "AVERAGE_POOL_2D" if average else "MAX_POOL_2D"
    made = lowering.write(kind, [x], node, shape, options)
    if operator.scale is not None:
        scale = lowering.constant(f"{name}/scale", operator.scale[None, :, :, None])
        made = lowering.write("MUL", [made, scale], node, shape, schema.MulOptionsT(), f"{name}/scaled")
    return Value.of(made, node.shape, CHANNELS_LAST)


def maximum(lowering: Lowering, node: Node, axes: tuple[int, ...]) -> Value:
    """Write the maximum over axes as MAX_POOL_2D with a window as large as they are."""
    (before,) = node.inputs
    kept = tuple(axis for axis in range(len(before.shape)) if axis not in axes)
    if len(before.shape) == 4 and set(axes) <= {2, 3} and lowering.axes(before) == CHANNELS_LAST:
        x = lowering.tensor(before, CHANNELS_LAST)
        window = tuple(before.shape[axis] if axis in axes else 1 for axis in (2, 3))
        order: tuple[int, ...] = CHANNELS_LAST
    else:
        order = (*axes, *kept)
        window = (int(np.prod([before.shape[axis] for axis in axes])), 1)
        x = lowering.tensor(before, order, (1, window[0], 1, int(np.prod([before.shape[axis] for axis in kept]))))
    shape = lowering.writer.shape(x)
    pooled = (1, shape[1] // window[0], shape[2] // window[1], shape[3])
    options = _pool_options((window[0], window[1]), (window[0], window[1]), schema.Padding.VALID)
    made = lowering.write("MAX_POOL_2D", [x], node, pooled, options)
    left = tuple(1 if axis in axes else size for axis, size in enumerate(before.shape))
    return Value.of(made, left, order)


def _pool_options(kernel: tuple[int, int], stride: tuple[int, int], padding: int) -> Any:
    options = schema.Pool2DOptionsT()
    options.padding = padding
    options.filterHeight, options.filterWidth = kernel
    options.strideH, options.strideW = stride
    return options


def _reach(size: int, dilation: int) -> int:
    """Return the rows that a dilated kernel spans."""
    return (size - 1) * dilation + 1


def _padded(
    lowering: Lowering,
    x: int,
    node: Node,
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding,
    below: float | None = None,
) -> tuple[int, int]:
    """Return a map to slide windows of a size over, and TFLite's word for the padding that is left to them.

    SAME pads so that as many windows fit as strides, half before and half behind, the odd one behind.
    """
    _, *spatial, _ = lowering.writer.shape(x)
    needed, same = [], True
    for length, kernel, step, out, (before, _) in zip(spatial, size, stride, node.shape[2:], padding, strict=True):
        total = (out - 1) * step + kernel - length
        same = same and out == -(-length // step) and max(total, 0) // 2 == before
        needed.append((before, max(total - before, 0)))
    if same:
        return x, schema.Padding.SAME
    return lowering.padded(x, ((0, 0), *needed, (0, 0)), node.name, below), schema.Padding.VALID


def _not_negative(node: Node) -> bool:
    """Return whether a zero beside a node's values is below none of them."""
    operator = node.operator
    if isinstance(operator, Pool | Reshape | Concatenation):
        return all(_not_negative(given) for given in node.inputs)
    if isinstance(operator, Activation):
        return operator.function in ("relu", "relu6", "sigmoid")
    return getattr(operator, "activation", "none") != "none"
