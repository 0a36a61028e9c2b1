"""Random one-operator models: shapes, strides, paddings, scales and zero points drawn from a generator, extremes
included.
"""

from collections.abc import Callable

import numpy as np
import random_tensors as draw
from branch_cases import binary_of_two_branches, concatenation, gated, hard_sigmoid, of_two_reductions
from one_op_tflite import Model, Node, Spec

Rng = np.random.Generator


def conv_2d(rng: Rng, channels: int | None = None) -> Model:
    source = draw.feature_map(rng, channels)
    window, out_shape, kernel = draw.window(rng, source.shape, dilate=True)
    count = int(rng.integers(1, 9))
    weights = draw.weights(rng, (count, *kernel, source.shape[3]), 0, bool(rng.integers(2)))
    bias = draw.bias(rng, count, source, weights)
    made = draw.activation(rng, (1, *out_shape, count), draw.sum_scale(rng, source, weights))
    options = ("Conv2DOptions", window | {"fusedActivationFunction": draw.fused(rng)})
    return Model([source, weights, bias, made], [Node("CONV_2D", [0, 1, 2], 3, options)])


def depthwise_conv_2d(rng: Rng, channels: int | None = None) -> Model:
    source = draw.feature_map(rng, channels)
    window, out_shape, kernel = draw.window(rng, source.shape, dilate=True)
    multiplier = int(rng.integers(1, 4))
    count = source.shape[3] * multiplier
    weights = draw.weights(rng, (1, *kernel, count), 3, bool(rng.integers(2)))
    bias = draw.bias(rng, count, source, weights)
    made = draw.activation(rng, (1, *out_shape, count), draw.sum_scale(rng, source, weights, channels=1))
    options = window | {"fusedActivationFunction": draw.fused(rng), "depthMultiplier": multiplier}
    return Model(
        [source, weights, bias, made], [Node("DEPTHWISE_CONV_2D", [0, 1, 2], 3, ("DepthwiseConv2DOptions", options))]
    )


def fully_connected(rng: Rng) -> Model:
    channels, count, rows = int(rng.integers(1, 70)), int(rng.integers(1, 9)), int(rng.integers(1, 5))
    source = draw.activation(rng, (rows, channels))
    weights = draw.weights(rng, (count, channels), 0, bool(rng.integers(2)))
    bias = draw.bias(rng, count, source, weights)
    made = draw.activation(rng, (rows, count), draw.sum_scale(rng, source, weights))
    options = ("FullyConnectedOptions", {"fusedActivationFunction": draw.fused(rng)})
    return Model([source, weights, bias, made], [Node("FULLY_CONNECTED", [0, 1, 2], 3, options)])


def pool_2d(kind: str) -> Callable[[Rng], Model]:
    def case(rng: Rng) -> Model:
        source = draw.feature_map(rng)
        if rng.integers(4) == 0:
            kernel = source.shape[1:3]
            window: dict[str, object] = {"padding": 1, "strideH": 1, "strideW": 1}
            out_shape = (1, 1)
        else:
            window, out_shape, kernel = draw.window(rng, source.shape, dilate=False)
        made = Spec((1, *out_shape, source.shape[3]), source.scales, source.zeros)
        options = window | {
            "filterHeight": kernel[0],
            "filterWidth": kernel[1],
            "fusedActivationFunction": draw.fused(rng),
        }
        return Model([source, made], [Node(kind, [0], 1, ("Pool2DOptions", options))])

    return case


def reduction(kind: str) -> Callable[[Rng], Model]:
    def case(rng: Rng) -> Model:
        shape = draw.feature_map(rng).shape
        if rng.integers(3) == 0:
            shape = (1, shape[1], shape[3])
        rank = len(shape)
        axes = sorted(rng.choice(np.arange(1, rank), int(rng.integers(1, rank)), replace=False).tolist())
        keep = bool(rng.integers(2))
        source = draw.activation(rng, shape)
        kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
        out = tuple(kept) if keep else tuple(size for axis, size in enumerate(shape) if axis not in axes)
        made = draw.activation(rng, out, source.scales[0] * float(rng.uniform(0.3, 1.5)))
        if kind == "REDUCE_MAX" or rng.integers(3) == 0:
            made = Spec(out, source.scales, source.zeros)
        named = [axis - rank if rng.integers(2) else axis for axis in axes]
        where = Spec((len(axes),), (), (), data=np.asarray(named), dtype="int32")
        return Model([source, where, made], [Node(kind, [0, 1], 2, ("ReducerOptions", {"keepDims": keep}))])

    return case


def binary(kind: str, options: str) -> Callable[[Rng], Model]:
    def case(rng: Rng) -> Model:
        source = (
            draw.feature_map(rng)
            if rng.integers(2)
            else draw.activation(rng, (1, int(rng.integers(1, 9)), int(rng.integers(1, 9))))
        )
        shape = list(source.shape)
        mode = int(rng.integers(4))
        if mode == 1:
            shape = [size if rng.integers(2) else 1 for size in shape]
        if mode == 2:
            shape = shape[-1:]
        if mode == 3:
            shape = [1] * len(shape)
        other = draw.activation(rng, tuple(shape), source.scales[0] * float(2 ** rng.uniform(-4, 4)))
        other.data = draw.values(rng, tuple(shape))
        scale = {"MUL": source.scales[0] * other.scales[0] * 60}.get(kind, max(source.scales[0], other.scales[0]))
        made = draw.activation(rng, source.shape, scale * float(2 ** rng.uniform(-2, 2)))
        pair = [0, 1] if rng.integers(2) else [1, 0]
        return Model(
            [source, other, made], [Node(kind, pair, 2, (options, {"fusedActivationFunction": draw.fused(rng)}))]
        )

    return case


def pad(rng: Rng) -> Model:
    source = draw.feature_map(rng)
    if rng.integers(3) == 0:
        source = draw.activation(rng, (1, source.shape[1], source.shape[3]))
    amounts = rng.integers(0, 4, (len(source.shape), 2))
    amounts[0] = 0
    shape = tuple(int(size + pair.sum()) for size, pair in zip(source.shape, amounts, strict=True))
    where = Spec(amounts.shape, (), (), data=amounts, dtype="int32")
    return Model(
        [source, where, Spec(shape, source.scales, source.zeros)], [Node("PAD", [0, 1], 2, ("PadOptions", {}))]
    )


def padv2(rng: Rng) -> Model:
    """A pad with any value, and the maximum pool behind it that wants the lowest."""
    model = pad(rng)
    source, where, made = model.tensors
    value = int(rng.choice([-128, rng.integers(-128, 128)]))
    constant = Spec((1,) if rng.integers(2) else (), source.scales, source.zeros, data=np.asarray(value))
    constant.data = constant.data.reshape(constant.shape)
    nodes = [Node("PADV2", [0, 1, 2], 3, ("PadV2Options", {}))]
    tensors = [source, where, constant, made]
    if len(made.shape) == 4 and min(made.shape[1:3]) >= 3:
        pool = {"padding": 1, "strideH": 2, "strideW": 2, "filterHeight": 3, "filterWidth": 3}
        size = [(size - 3) // 2 + 1 for size in made.shape[1:3]]
        tensors.append(Spec((1, *size, made.shape[3]), made.scales, made.zeros))
        nodes.append(Node("MAX_POOL_2D", [3], 4, ("Pool2DOptions", pool)))
    return Model(tensors, nodes)


def reshape(rng: Rng) -> Model:
    source = draw.feature_map(rng)
    _, rows, width, channels = source.shape
    shapes = [
        (1, rows, width * channels),
        (1, rows * width, channels),
        (rows * width * channels,),
        (1, 1, rows, width * channels),
    ]
    shape = shapes[int(rng.integers(len(shapes)))]
    where = Spec((len(shape),), (), (), data=np.asarray(shape), dtype="int32")
    made = Spec(shape, source.scales, source.zeros)
    again = Spec(shape, (source.scales[0] * 1.3,), source.zeros)
    return Model([source, where, made, again], [Node("RESHAPE", [0, 1], 2), Node("QUANTIZE", [2], 3)])


def transpose(rng: Rng) -> Model:
    source = draw.feature_map(rng)
    if rng.integers(3) == 0:
        source = draw.activation(rng, (1, source.shape[1], source.shape[3]))
    if rng.integers(3) == 0:
        source.shape = tuple(size if rng.integers(2) else 1 for size in source.shape)
    order = [0, *(1 + rng.permutation(len(source.shape) - 1))]
    if rng.integers(3) == 0:
        order = rng.permutation(len(source.shape)).tolist()
    shape = tuple(source.shape[axis] for axis in order)
    where = Spec((len(order),), (), (), data=np.asarray(order), dtype="int32")
    made = Spec(shape, source.scales, source.zeros)
    again = Spec(shape, (source.scales[0] * 1.3,), source.zeros)
    nodes = [Node("TRANSPOSE", [0, 1], 2, ("TransposeOptions", {})), Node("QUANTIZE", [2], 3)]
    return Model([source, where, made, again], nodes)


def batch_matmul(rng: Rng) -> Model:
    batch, height, depth, width = (int(size) for size in rng.integers(1, 7, 4))
    adjoint = [bool(rng.integers(2)), bool(rng.integers(2))]
    left = (batch, depth, height) if adjoint[0] else (batch, height, depth)
    right = (batch, width, depth) if adjoint[1] else (batch, depth, width)
    source = draw.activation(rng, left)
    other = draw.activation(rng, right)
    other.data = draw.values(rng, right)
    scale = source.scales[0] * other.scales[0] * 40 * depth**0.5
    made = draw.activation(rng, (batch, height, width), scale * float(2 ** rng.uniform(-2, 2)))
    options = ("BatchMatMulOptions", {"adjX": adjoint[0], "adjY": adjoint[1]})
    return Model([source, other, made], [Node("BATCH_MATMUL", [0, 1], 2, options)])


def softmax(rng: Rng) -> Model:
    source = (
        draw.feature_map(rng)
        if rng.integers(2)
        else draw.activation(rng, (int(rng.integers(1, 5)), int(rng.integers(1, 40))))
    )
    source.scales = (float(2 ** rng.uniform(-10, 3)),)
    made = Spec(source.shape, (1 / 256,), (-128,))
    return Model(
        [source, made], [Node("SOFTMAX", [0], 1, ("SoftmaxOptions", {"beta": float(rng.choice([1.0, 0.5, 2.0]))}))]
    )


def of_one_value(kind: str) -> Callable[[Rng], Model]:
    def case(rng: Rng) -> Model:
        source = draw.activation(rng, (1, 16, 16, 1), float(2 ** rng.uniform(-8, 0)))
        made = draw.activation(rng, source.shape, source.scales[0] * float(2 ** rng.uniform(-2, 2)))
        if kind == "LOGISTIC":
            made = Spec(source.shape, (1 / 256,), (-128,))
        return Model([source, made], [Node(kind, [0], 1)])

    return case


CASES: dict[str, Callable[[Rng], Model]] = {
    "ADD": binary("ADD", "AddOptions"),
    "ADD of branches": binary_of_two_branches("ADD", "AddOptions"),
    "ADD of reductions": of_two_reductions("ADD", "AddOptions"),
    "AVERAGE_POOL_2D": pool_2d("AVERAGE_POOL_2D"),
    "BATCH_MATMUL": batch_matmul,
    "CONCATENATION": concatenation,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "FULLY_CONNECTED": fully_connected,
    "hard sigmoid": hard_sigmoid,
    "HARD_SWISH": of_one_value("HARD_SWISH"),
    "LOGISTIC": of_one_value("LOGISTIC"),
    "MAX_POOL_2D": pool_2d("MAX_POOL_2D"),
    "MEAN": reduction("MEAN"),
    "MUL": binary("MUL", "MulOptions"),
    "MUL of branches": binary_of_two_branches("MUL", "MulOptions"),
    "MUL by a gate": gated("MUL", "MulOptions"),
    "MUL of reductions": of_two_reductions("MUL", "MulOptions"),
    "PAD": pad,
    "PADV2": padv2,
    "QUANTIZE": of_one_value("QUANTIZE"),
    "REDUCE_MAX": reduction("REDUCE_MAX"),
    "RELU": of_one_value("RELU"),
    "RELU6": of_one_value("RELU6"),
    "RESHAPE": reshape,
    "SOFTMAX": softmax,
    "SUB": binary("SUB", "SubOptions"),
    "SUB by a gate": gated("SUB", "SubOptions"),
    "SUB of branches": binary_of_two_branches("SUB", "SubOptions"),
    "TRANSPOSE": transpose,
}

# What XNNPACK leaves to TFLite.
NOT_XNNPACK = {"AVERAGE_POOL_2D", "HARD_SWISH", "RELU", "RELU6", "SOFTMAX"}


def windows_of(rng: Rng, model: Model) -> np.ndarray:
    """Windows of input: random, both extremes, a checkerboard of extremes, the zero point, and small values. [6,
    *input].
    """
    shape = model.tensors[0].shape
    zero = model.tensors[0].zeros[0]
    rows = [
        rng.integers(-128, 128, shape),
        np.full(shape, 127),
        np.full(shape, -128),
        rng.choice([-128, 127], shape),
        np.full(shape, zero),
        np.clip(zero + rng.integers(-9, 10, shape), -128, 127),
    ]
    if np.prod(shape) == 256:
        rows[0] = np.arange(-128, 128).reshape(shape)
    return np.stack(rows).astype(np.int8)
