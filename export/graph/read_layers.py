"""Layers of a traced network as nodes: convolution, linear, normalisation, activations, pools, reductions."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.graph.call import Call
from export.graph.nodes import (
    Activation,
    Arithmetic,
    Constant,
    Convolution,
    Function,
    Linear,
    MatrixProduct,
    Node,
    Permute,
    Pool,
    Reduction,
    Reshape,
    Shape,
    Softmax,
)


def convolution(call: Call) -> Node:
    """Read a 1-D or 2-D convolution; a 1-D one has a height of one."""
    weight, bias, x = call.constant("weight"), call.constant("bias"), call.node("input")
    if weight is None or weight.ndim > 4 or call["transposed"]:
        raise call.refuse("of this kind cannot be exported", "1-D and 2-D convolutions that are not transposed")
    flat = weight.ndim == 3
    weight = weight[:, :, None] if flat else weight
    bias = np.zeros(len(weight)) if bias is None else bias
    stride, padding, dilation = ((filled, *call[name]) if flat else tuple(call[name]) for name, filled in _OF_HEIGHT)
    around = ((padding[0], padding[0]), (padding[1], padding[1]))
    operator = Convolution(weight, bias, _pair(stride), around, _pair(dilation), call["groups"])
    if not flat:
        return call.emit(operator, x)
    batch, channels, length = call.shape
    x = call.emit(Reshape(), x, shape=(*x.shape[:2], 1, x.shape[2]))
    return call.emit(Reshape(), call.emit(operator, x, shape=(batch, channels, 1, length)))


_OF_HEIGHT = (("stride", 1), ("padding", 0), ("dilation", 1))


def product(call: Call) -> Node:
    """Read a matrix product; with constant columns it is a linear layer."""
    left, right = (call.values[name] for name in ("self", "mat2"))
    return _product(call, left, right)


def product_and_sum(call: Call) -> Node:
    """Read ``bias + left @ right``, which linear layers are."""
    if call["alpha"] != 1 or call["beta"] != 1:
        raise call.refuse("with alpha or beta cannot be exported", "a linear layer")
    bias = call["self"]
    if not isinstance(call["mat2"], Node) and not isinstance(bias, Node) and bias.ndim == 1:
        return _product(call, call["mat1"], call["mat2"], call.constant("self"))
    return call.emit(Arithmetic("add"), _product(call, call["mat1"], call["mat2"]), call.as_node(bias))


def _product(call: Call, left: Any, right: Any, bias: Any = None) -> Node:
    if not isinstance(right, Node):
        weight = _one_matrix(call, right).T
        return call.emit(Linear(weight, np.zeros(len(weight)) if bias is None else bias), left)
    if not isinstance(left, Node):  # (right^T left^T)^T
        weight = _one_matrix(call, left)
        *batch, inside, columns = right.shape
        last_two = (*range(len(batch)), len(batch) + 1, len(batch))
        turned = call.emit(Permute(last_two), right, shape=(*batch, columns, inside))
        rows = call.emit(Linear(weight, np.zeros(len(weight))), turned, shape=(*batch, columns, len(weight)))
        return call.emit(Permute(last_two), rows)
    return call.emit(MatrixProduct(), left, right)


def _one_matrix(call: Call, values: Any) -> NDArray[np.float64]:
    """Return the constant matrix of a product, which torch may have repeated for every matrix beside it."""
    matrices = np.asarray(values, np.float64)
    matrices = matrices.reshape(-1, *matrices.shape[-2:])
    if not np.isfinite(matrices).all():
        raise call.refuse("has weights that are not finite", "finite weights")
    if (matrices != matrices[0]).any():
        raise call.refuse("has a constant that differs from matrix to matrix", "one linear layer")
    matrix: NDArray[np.float64] = matrices[0]
    return matrix


def batch_norm(call: Call) -> tuple[Node]:
    """Read batch normalisation in evaluation: a product and a sum by channel."""
    x, mean, variance = call.node("input"), call.constant("running_mean"), call.constant("running_var")
    assert mean is not None
    assert variance is not None
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = 1.0 / np.sqrt(variance + call["eps"])
    weight, bias = call.constant("weight"), call.constant("bias")
    gain = gain if weight is None else weight / np.sqrt(variance + call["eps"])
    shift = (0.0 if bias is None else bias) - mean * gain
    if not (np.isfinite(gain).all() and np.isfinite(shift).all()):
        raise call.refuse("has statistics that are not finite or a variance of zero", "finite weights")
    by_channel = (1, -1, *[1] * (len(x.shape) - 2))
    gains, shifts = (
        call.emit(Constant(values.reshape(by_channel)), shape=values.reshape(by_channel).shape)
        for values in (gain, shift)
    )
    return (call.emit(Arithmetic("add"), call.emit(Arithmetic("mul"), x, gains), shifts),)


def activation(function: Function) -> Callable[[Call], Node]:
    """Return what reads an activation function."""
    return lambda call: call.emit(Activation(function), call.node("self"))


def clamp(call: Call) -> Node:
    """Read a clamp that is a ReLU or a ReLU6, also in two halves."""
    x = call.node("self")
    low, high = (call.values.get(a, call.values.get(b)) for a, b in (("min", "min_val"), ("max", "max_val")))
    if low is None and high == 6 and isinstance(x.operator, Activation) and x.operator.function == "relu":
        return call.emit(Activation("relu6"), x.inputs[0])
    if low != 0 or high not in (None, 6):
        raise call.refuse(f"to {low} and {high} cannot be exported", "ReLU or ReLU6")
    return call.emit(Activation("relu" if high is None else "relu6"), x)


def hard_sigmoid(call: Call) -> Node:
    """Read ``relu6(x + 3) / 6``, which int8 kernels have no operator of their own for."""
    shifted = call.emit(Arithmetic("add"), call.node("self"), call.as_node(3.0))
    return call.emit(Arithmetic("mul"), call.emit(Activation("relu6"), shifted), call.as_node(1.0 / 6.0))


def softmax(call: Call) -> Node:
    """Read a softmax over one axis."""
    x = call.node("self")
    return call.emit(Softmax(call["dim"] % len(x.shape)), x)


def maximum_pool(call: Call) -> tuple[Node]:
    """Read max pooling; its indices are not there."""
    if set(call["dilation"]) != {1}:
        raise call.refuse("with dilation cannot be exported", "max pooling without dilation")
    x, (kernel, stride, before) = call.node("self"), _window(call)
    around = tuple(
        (start, (out - 1) * step + size - start - length)
        for start, out, step, size, length in zip(before, call.shape[-2:], stride, kernel, x.shape[-2:], strict=True)
    )
    return (call.emit(Pool("maximum", kernel, stride, (_from_zero(around[0]), _from_zero(around[1]))), x),)


def average_pool(call: Call) -> Node:
    """Read average pooling; where torch divides by less than the window, the averages are scaled."""
    x, (kernel, stride, before) = call.node("self"), _window(call)
    around, counts = [], []
    for axis, length in enumerate(x.shape[-2:]):
        starts = np.arange(call.shape[-2 + axis]) * stride[axis] - before[axis]
        ends = starts + kernel[axis]
        around.append(_from_zero((before[axis], int(ends[-1]) - length)))
        if call["count_include_pad"]:
            counts.append(np.minimum(ends, length + before[axis]) - starts)
        else:
            counts.append(np.minimum(ends, length) - np.maximum(starts, 0))
    size = math.prod(kernel)
    divisors = np.multiply.outer(*counts) if not call["divisor_override"] else np.array(call["divisor_override"])
    scale = None if (divisors == size).all() else np.broadcast_to(size / divisors, call.shape[-2:])
    return call.emit(Pool("average", kernel, stride, (around[0], around[1]), scale), x)


def adaptive_average_pool(call: Call) -> Node:
    """Read adaptive average pooling whose windows are all alike."""
    return _adaptive(call, "average")


def adaptive_maximum_pool(call: Call) -> tuple[Node]:
    """Read adaptive max pooling whose windows are all alike; its indices are not there."""
    return (_adaptive(call, "maximum"),)


def _adaptive(call: Call, kind: Any) -> Node:
    x = call.node("self")
    windows = []
    for length, out in zip(x.shape[-2:], call.shape[-2:], strict=True):
        starts = [i * length // out for i in range(out)]
        sizes = {-(-(i + 1) * length // out) - start for i, start in enumerate(starts)}
        steps = {b - a for a, b in itertools.pairwise(starts)} or {length}
        if len(sizes) > 1 or len(steps) > 1:
            raise call.refuse(
                f"from {length} to {out} has windows of several sizes", f"an output size that divides {length}"
            )
        windows.append((sizes.pop(), steps.pop()))
    if call.shape[-2:] == (1, 1):
        return call.emit(Reduction("mean" if kind == "average" else "maximum", (len(x.shape) - 2, len(x.shape) - 1)), x)
    (height, down), (width, along) = windows
    return call.emit(Pool(kind, (height, width), (down, along)), x)


def reduction(kind: Any) -> Callable[[Call], Node]:
    """Return what reads a mean or a maximum over axes."""

    def read(call: Call) -> Node:
        x = call.node("self")
        return call.emit(Reduction(kind, _axes(call.values.get("dim"), x.shape)), x)

    return read


def total(call: Call) -> Node:
    """Read a sum over axes: their mean times their number."""
    x = call.node("self")
    axes = _axes(call.values.get("dim"), x.shape)
    count = math.prod(x.shape[axis] for axis in axes)
    return call.emit(Arithmetic("mul"), call.emit(Reduction("mean", axes), x), call.as_node(float(count)))


def _axes(given: Any, shape: Shape) -> tuple[int, ...]:
    axes = [given] if isinstance(given, int) else list(given or range(len(shape)))
    return tuple(sorted(axis % len(shape) for axis in axes))


def _window(call: Call) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    kernel = _pair(call["kernel_size"])
    return kernel, _pair(call["stride"] or kernel), _pair(call["padding"])


def _pair(values: Sequence[int]) -> tuple[int, int]:
    """Return height and width of one value for both, or of two."""
    both = list(values) * (3 - len(values))
    return int(both[0]), int(both[1])


def _from_zero(around: tuple[int, int]) -> tuple[int, int]:
    return around[0], max(around[1], 0)


LAYERS: dict[str, Callable[[Call], Any]] = {
    "convolution": convolution,
    "mm": product,
    "bmm": product,
    "addmm": product_and_sum,
    "_native_batch_norm_legit_no_training": batch_norm,
    "relu": activation("relu"),
    "sigmoid": activation("sigmoid"),
    "tanh": activation("tanh"),
    "hardswish": activation("hard_swish"),
    "hardsigmoid": hard_sigmoid,
    "hardtanh": clamp,
    "clamp": clamp,
    "_softmax": softmax,
    "max_pool2d_with_indices": maximum_pool,
    "avg_pool2d": average_pool,
    "_adaptive_avg_pool2d": adaptive_average_pool,
    "adaptive_max_pool2d": adaptive_maximum_pool,
    "mean": reduction("mean"),
    "amax": reduction("maximum"),
    "sum": total,
}
"""By ATen name."""
