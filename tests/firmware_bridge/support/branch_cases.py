"""Random models whose operator reads several tensors that come at different times: branches, gates, reductions."""

from collections.abc import Callable

import numpy as np
import random_tensors as draw
from one_op_tflite import Model, Node, Spec

Rng = np.random.Generator


def binary_of_two_branches(kind: str, options: str) -> Callable[[Rng], Model]:
    """The input, and a pool of it (so that one branch is late), combined."""

    def case(rng: Rng) -> Model:
        source = draw.feature_map(rng)
        kernel = int(rng.integers(1, 4))
        pooled = Spec(source.shape, source.scales, source.zeros)
        scale = source.scales[0] * (source.scales[0] * 60 if kind == "MUL" else 1.5)
        made = draw.activation(rng, source.shape, scale)
        pool = {"padding": 0, "strideH": 1, "strideW": 1, "filterHeight": kernel, "filterWidth": kernel}
        nodes = [
            Node("MAX_POOL_2D", [0], 1, ("Pool2DOptions", pool)),
            Node(
                kind, [0, 1] if rng.integers(2) else [1, 0], 2, (options, {"fusedActivationFunction": draw.fused(rng)})
            ),
        ]
        return Model([source, pooled, made], nodes)

    return case


def concatenation(rng: Rng) -> Model:
    """The input, a pool of it and perhaps a constant, joined along any axis but the batch."""
    source = draw.feature_map(rng)
    axis = int(rng.integers(1, 4))
    kernel = int(rng.integers(1, 4))
    pool = {"padding": 0, "strideH": 1, "strideW": 1, "filterHeight": kernel, "filterWidth": kernel}
    parts = [0, 1, 0][: int(rng.integers(2, 4))]
    tensors = [source, Spec(source.shape, source.scales, source.zeros)]
    if rng.integers(3) == 0:
        extra = list(source.shape)
        extra[axis] = int(rng.integers(1, 4))
        tensors.append(Spec(tuple(extra), source.scales, source.zeros, data=draw.values(rng, tuple(extra))))
        parts.append(2)
    shape = list(source.shape)
    shape[axis] = sum(tensors[part].shape[axis] for part in parts)
    tensors.append(Spec(tuple(shape), source.scales, source.zeros))
    written = axis - 4 if rng.integers(2) else axis
    nodes = [
        Node("AVERAGE_POOL_2D", [0], 1, ("Pool2DOptions", pool)),
        Node("CONCATENATION", parts, len(tensors) - 1, ("ConcatenationOptions", {"axis": written})),
    ]
    return Model(tensors, nodes)


def gated(kind: str, options: str) -> Callable[[Rng], Model]:
    """The input, and its mean over some axes (over time and width: squeeze and excitation), combined."""

    def case(rng: Rng) -> Model:
        source = draw.feature_map(rng)
        axes = [1, 2] if rng.integers(2) else _some_axes(rng)
        where, mean = _reduced(source, axes)
        mean.scales = (source.scales[0] * float(2 ** rng.uniform(-2, 0)),)
        gate = Spec(mean.shape, (1 / 256,), (-128,))
        scale = source.scales[0] * (float(2 ** rng.uniform(-2, 0)) if kind == "MUL" else 1.3)
        made = draw.activation(rng, source.shape, scale)
        nodes = [
            Node("MEAN", [0, 1], 2, ("ReducerOptions", {"keepDims": True})),
            Node("LOGISTIC", [2], 3),
            Node(
                kind, [0, 3] if rng.integers(2) else [3, 0], 4, (options, {"fusedActivationFunction": draw.fused(rng)})
            ),
        ]
        return Model([source, where, mean, gate, made], nodes)

    return case


def of_two_reductions(kind: str, options: str) -> Callable[[Rng], Model]:
    """Maxima over some axes and over others, broadcast against each other."""

    def case(rng: Rng) -> Model:
        source = draw.feature_map(rng)
        pairs = [_reduced(source, _some_axes(rng)) for _ in range(2)]
        shape = tuple(int(size) for size in np.broadcast_shapes(*(made.shape for _, made in pairs)))
        scale = source.scales[0] * (source.scales[0] * 60 if kind == "MUL" else 1.5)
        nodes = [
            Node("REDUCE_MAX", [0, 1], 2, ("ReducerOptions", {"keepDims": True})),
            Node("REDUCE_MAX", [0, 3], 4, ("ReducerOptions", {"keepDims": True})),
            Node(kind, [2, 4], 5, (options, {"fusedActivationFunction": draw.fused(rng)})),
        ]
        return Model([source, *pairs[0], *pairs[1], draw.activation(rng, shape, scale)], nodes)

    return case


def hard_sigmoid(rng: Rng) -> Model:
    """The gate of MobileNetV3 by parts, relu6(x + 3) / 6, and the input times it; ReLU6 fused or on its own."""
    source = draw.feature_map(rng)
    source.scales = (float(2 ** rng.uniform(-7, -3)),)
    three = Spec((1,), (3 / 127,), (0,), data=np.asarray([127]))
    sixth = Spec((), (1 / 6 / 127,), (0,), data=np.asarray(127))
    total = Spec(source.shape, (12 / 255,), (-64,))
    cut, gate = Spec(source.shape, (6 / 255,), (-128,)), Spec(source.shape, (1 / 255,), (-128,))
    made = draw.activation(rng, source.shape, source.scales[0])
    tensors, nodes = [source, three, sixth], []
    if rng.integers(2):
        nodes.append(_node("ADD", [0, 1], 3, activation=3))
    else:
        tensors.append(total)
        nodes += [_node("ADD", [0, 1], 3), Node("RELU6", [3], 4)]
    last = nodes[-1].output
    nodes += [_node("MUL", [last, 2], last + 1), _node("MUL", [0, last + 1], last + 2)]
    return Model([*tensors, cut, gate, made], nodes)


def _node(kind: str, inputs: list[int], output: int, activation: int = 0) -> Node:
    return Node(kind, inputs, output, (f"{kind.title()}Options", {"fusedActivationFunction": activation}))


def _some_axes(rng: Rng) -> list[int]:
    return sorted(rng.choice([1, 2, 3], int(rng.integers(1, 4)), replace=False).tolist())


def _reduced(source: Spec, axes: list[int]) -> tuple[Spec, Spec]:
    """The axes as a tensor, and what is left of `source`."""
    where = Spec((len(axes),), (), (), data=np.asarray(axes), dtype="int32")
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(source.shape))
    return where, Spec(shape, source.scales, source.zeros)
