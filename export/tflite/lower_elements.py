"""Arithmetic, activations, reductions and changes of shape as TFLite operators."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.graph.nodes import (
    Activation,
    Arithmetic,
    Concatenation,
    Constant,
    Expand,
    MatrixProduct,
    Node,
    Pad,
    Permute,
    Reduction,
    Reshape,
    Shape,
    Slice,
    Softmax,
)
from export.tflite.layout import Value
from export.tflite.lower_windows import maximum
from export.tflite.lowering import FUSED, Lowering

_ARITHMETIC = {"add": schema.AddOptionsT, "sub": schema.SubOptionsT, "mul": schema.MulOptionsT}
_FUNCTIONS: dict[str, tuple[str, Any]] = {
    "relu": ("RELU", None),
    "hard_swish": ("HARD_SWISH", schema.HardSwishOptionsT),
    "sigmoid": ("LOGISTIC", None),
    "tanh": ("TANH", None),
}


def arithmetic(lowering: Lowering, node: Node, operator: Arithmetic) -> Value:
    """Write ADD, SUB or MUL in the order of axes of the larger value."""
    options = _ARITHMETIC[operator.kind]()
    options.fusedActivationFunction = FUSED[operator.activation]
    kind = operator.kind.upper()
    varying = [given for given in node.inputs if not isinstance(given.operator, Constant)]
    leading = max(varying, key=lambda given: int(np.prod(given.shape)))
    alike = [lowering.value(given) for given in varying]
    if (
        node not in lowering.in_order
        and all(_beside(lowering, value, alike[0]) for value in alike)
        and all(
            given.shape == node.shape or (given not in varying and np.prod(given.shape) == 1) for given in node.inputs
        )
    ):  # whatever the order of axes is, it is the same for both
        shape = lowering.writer.shape(alike[0].tensor)
        if len(varying) == 2 or len(shape) == len(node.shape):
            inputs = [
                lowering.value(given).tensor if given in varying else _scalar(lowering, given, len(node.shape))
                for given in node.inputs
            ]
            made = lowering.write(kind, inputs, node, shape, options)
            return Value(made, alike[0].sizes, alike[0].order)
    rank = len(node.shape)
    axes = lowering.layouts.axes(lowering.value(leading), _of_rank(leading.shape, rank))
    axes = tuple(range(rank)) if node in lowering.in_order else axes
    inputs = [_operand(lowering, given, rank, axes) for given in node.inputs]
    made = lowering.write(kind, inputs, node, [node.shape[axis] for axis in axes], options)
    return Value.of(made, node.shape, axes)


def _beside(lowering: Lowering, value: Value, other: Value) -> bool:
    shapes = (lowering.writer.shape(one.tensor) for one in (value, other))
    return (value.sizes, value.order) == (other.sizes, other.order) and len(set(shapes)) == 1


def _scalar(lowering: Lowering, node: Node, rank: int) -> int:
    assert isinstance(node.operator, Constant)
    return lowering.constant(f"{node.name}/constant", node.operator.values.reshape((1,) * rank))


def _operand(lowering: Lowering, node: Node, rank: int, axes: tuple[int, ...]) -> int:
    shape = _of_rank(node.shape, rank)
    if isinstance(node.operator, Constant):
        return lowering.constant(f"{node.name}/constant", node.operator.values.reshape(shape).transpose(axes))
    return lowering.layouts.tensor(lowering.value(node), shape, axes)


def _of_rank(shape: Shape, rank: int) -> Shape:
    return (1,) * (rank - len(shape)) + shape


def activation(lowering: Lowering, node: Node, operator: Activation) -> Value:
    """Write an activation of its own; ReLU6, which no quantizer knows alone, as a product with one."""
    value = lowering.value(node.inputs[0])
    shape = lowering.writer.shape(value.tensor)
    if operator.function == "relu6":
        one = lowering.constant(f"{node.name}/constant", np.ones((1,) * len(shape)))
        options = schema.MulOptionsT()
        options.fusedActivationFunction = FUSED["relu6"]
        made = lowering.write("MUL", [value.tensor, one], node, shape, options)
    else:
        kind, settings = _FUNCTIONS[operator.function]
        made = lowering.write(kind, [value.tensor], node, shape, settings and settings())
    return Value(made, value.sizes, value.order)


def softmax(lowering: Lowering, node: Node, operator: Softmax) -> Value:
    """Write SOFTMAX, whose axis is the last."""
    (before,) = node.inputs
    axes = (*(axis for axis in lowering.axes(before) if axis != operator.axis), operator.axis)
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    x = lowering.tensor(before, axes)
    return Value.of(lowering.write("SOFTMAX", [x], node, lowering.writer.shape(x), options), node.shape, axes)


def reduction(lowering: Lowering, node: Node, operator: Reduction) -> Value:
    """Write MEAN; a maximum is a pool."""
    if operator.kind == "maximum":
        return maximum(lowering, node, operator.axes)
    (before,) = node.inputs
    axes = lowering.axes(before)
    options = schema.ReducerOptionsT()
    options.keepDims = True
    places = [place for place, axis in enumerate(axes) if axis in operator.axes]
    x = lowering.tensor(before, axes)
    left = tuple(1 if axis in operator.axes else size for axis, size in enumerate(before.shape))
    constant = lowering.writer.constant(f"{node.name}/axes", np.array(places, np.int32))
    made = lowering.write("MEAN", [x, constant], node, [left[axis] for axis in axes], options)
    return Value.of(made, left, axes)


def concatenation(lowering: Lowering, node: Node, operator: Concatenation) -> Value:
    """Write CONCATENATION in the order of axes of the first part that is computed."""
    first = next(given for given in node.inputs if not isinstance(given.operator, Constant))
    axes = lowering.axes(first)
    options = schema.ConcatenationOptionsT()
    options.axis = axes.index(operator.axis)
    inputs = [lowering.tensor(given, axes) for given in node.inputs]
    made = lowering.write("CONCATENATION", inputs, node, [node.shape[axis] for axis in axes], options)
    return Value.of(made, node.shape, axes)


def pad(lowering: Lowering, node: Node, operator: Pad) -> Value:
    """Write PAD."""
    axes = lowering.axes(node.inputs[0])
    x = lowering.tensor(node.inputs[0], axes)
    return Value.of(lowering.padded(x, [operator.widths[axis] for axis in axes], node.name), node.shape, axes)


def cut(lowering: Lowering, node: Node, operator: Slice) -> Value:
    """Write SLICE."""
    axes = lowering.axes(node.inputs[0])
    shape = [node.shape[axis] for axis in axes]
    begin = [operator.start if axis == operator.axis else 0 for axis in axes]
    constants = [
        lowering.writer.constant(f"{node.name}/{name}", np.array(values, np.int32))
        for name, values in (("begin", begin), ("size", shape))
    ]
    x = lowering.tensor(node.inputs[0], axes)
    return Value.of(lowering.write("SLICE", [x, *constants], node, shape, schema.SliceOptionsT()), node.shape, axes)


def reshape(lowering: Lowering, node: Node, _: Reshape) -> Value:
    """Write nothing: only what reads the value needs it in a shape."""
    return lowering.value(node.inputs[0])


def permute(lowering: Lowering, node: Node, operator: Permute) -> Value:
    """Write nothing if it can be helped."""
    (before,) = node.inputs
    return lowering.layouts.permuted(lowering.value(before), before.shape, operator.axes)


def expand(lowering: Lowering, node: Node, _: Expand) -> Value:
    """Write a product with ones of the shape."""
    (before,) = node.inputs
    axes = lowering.axes(before)
    ones = lowering.constant(f"{node.name}/constant", np.ones([node.shape[axis] for axis in axes]))
    inputs = [lowering.tensor(before, axes), ones]
    shape = [node.shape[axis] for axis in axes]
    return Value.of(lowering.write("MUL", inputs, node, shape, schema.MulOptionsT()), node.shape, axes)


def matrix_product(lowering: Lowering, node: Node, _: MatrixProduct) -> Value:
    """Write BATCH_MATMUL."""
    inputs = [lowering.tensor(given) for given in node.inputs]
    made = lowering.write("BATCH_MATMUL", inputs, node, node.shape, schema.BatchMatMulOptionsT())
    return Value.of(made, node.shape)
