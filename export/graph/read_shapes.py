"""Arithmetic and changes of shape of a traced network as nodes."""

from collections.abc import Callable
from typing import Any

from export.graph.call import Call
from export.graph.nodes import (
    Arithmetic,
    Concatenation,
    Expand,
    Node,
    Pad,
    Permute,
    Reshape,
    Slice,
)


def arithmetic(kind: Any) -> Callable[[Call], Node]:
    """Return what reads a sum or a difference, of which torch may multiply the second part."""

    def read(call: Call) -> Node:
        left, right = call["self"], call["other"]
        if call.values.get("alpha", 1) != 1:
            scale = float(call["alpha"])
            right = (
                call.emit(Arithmetic("mul"), right, call.as_node(scale), shape=right.shape)
                if isinstance(right, Node)
                else right * scale
            )
        return call.emit(Arithmetic(kind), call.as_node(left), call.as_node(right))

    return read


def reversed_difference(call: Call) -> Node:
    """Read ``other - x``."""
    if call["alpha"] != 1:
        raise call.refuse("with alpha cannot be exported", "a plain difference")
    return call.emit(Arithmetic("sub"), call.node("other"), call.node("self"))


def multiply(call: Call) -> Node:
    """Read a product of two values."""
    return call.emit(Arithmetic("mul"), call.node("self"), call.node("other"))


def divide(call: Call) -> Node:
    """Read a quotient whose divisor is a constant."""
    divisor = call["other"]
    if isinstance(divisor, Node) or call.values.get("rounding_mode"):
        raise call.refuse()
    return call.emit(Arithmetic("mul"), call.node("self"), call.as_node(1.0 / divisor))


def negate(call: Call) -> Node:
    """Read a change of sign."""
    return call.emit(Arithmetic("mul"), call.node("self"), call.as_node(-1.0))


def power(call: Call) -> Node:
    """Read a square."""
    if call["exponent"] != 2:
        raise call.refuse("other than a square cannot be exported", "a square")
    return call.emit(Arithmetic("mul"), call.node("self"), call.node("self"))


def concatenate(call: Call) -> Node:
    """Read a concatenation."""
    parts = [call.as_node(part) for part in call["tensors"]]
    return call.emit(Concatenation(call["dim"] % len(call.shape)), *parts)


def pad(call: Call) -> Node:
    """Read padding with zeros; negative widths would cut."""
    x, widths = call.node("self"), list(call["pad"])
    if call["value"] or min(widths) < 0:
        raise call.refuse("with another value than zero, or that cuts, cannot be exported", "padding with zeros")
    pairs = [(widths[i], widths[i + 1]) for i in range(0, len(widths), 2)][::-1]
    return call.emit(Pad(((0, 0),) * (len(x.shape) - len(pairs)) + tuple(pairs)), x)


def reshape(call: Call) -> Node:
    """Read a change of shape that leaves the values in order."""
    if call.node("self").shape == call.shape:
        return call.node("self")
    return call.emit(Reshape(), call.node("self"))


def permute(call: Call) -> Node:
    """Read a change of the order of axes."""
    x = call.node("self")
    return call.emit(Permute(tuple(axis % len(x.shape) for axis in call["dims"])), x)


def expand(call: Call) -> Node:
    """Read a repetition of axes; one that repeats nothing is left out."""
    x = call.node("self")
    if x.shape == call.shape:
        return x
    if len(x.shape) < len(call.shape):
        x = call.emit(Reshape(), x, shape=(1,) * (len(call.shape) - len(x.shape)) + x.shape)
    return call.emit(Expand(), x)


def cut(call: Call) -> Node:
    """Read a run of an axis."""
    x = call.node("self")
    if call["step"] != 1:
        raise call.refuse("with a step cannot be exported", "a pool or a convolution with a stride")
    if x.shape == call.shape:
        return x
    axis = call["dim"] % len(x.shape)
    start = call["start"] or 0
    return call.emit(Slice(axis, start + x.shape[axis] if start < 0 else start), x)


def select(call: Call) -> Node:
    """Read one place of an axis, which disappears."""
    x = call.node("self")
    axis, index = call["dim"] % len(x.shape), call["index"]
    index = index + x.shape[axis] if index < 0 else index
    kept = call.emit(Slice(axis, index), x, shape=(*x.shape[:axis], 1, *x.shape[axis + 1 :]))
    return call.emit(Reshape(), kept)


def split(call: Call) -> tuple[Node, ...]:
    """Read runs of an axis one after the other."""
    x = call.node("self")
    axis, start, parts = call["dim"] % len(x.shape), 0, []
    for size in call["split_sizes"]:
        shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
        parts.append(call.emit(Slice(axis, start), x, shape=shape))
        start += size
    return tuple(parts)


def same(call: Call) -> Node:
    """Read a copy, which changes nothing."""
    x = call.node("self")
    dtype = call.values.get("dtype")
    if dtype is not None and str(dtype) != "torch.float32":
        raise call.refuse(f"to {str(dtype).removeprefix('torch.')} cannot be exported", "float32 throughout")
    return x


def nothing(call: Call) -> None:
    """Read a check of torch's own, which gives nothing."""


SHAPES: dict[str, Callable[[Call], Any]] = {
    "add": arithmetic("add"),
    "sub": arithmetic("sub"),
    "rsub": reversed_difference,
    "mul": multiply,
    "div": divide,
    "neg": negate,
    "pow": power,
    "cat": concatenate,
    "constant_pad_nd": pad,
    "view": reshape,
    "_unsafe_view": reshape,
    "reshape": reshape,
    "unsqueeze": reshape,
    "squeeze": reshape,
    "permute": permute,
    "expand": expand,
    "slice": cut,
    "select": select,
    "split_with_sizes": split,
    "_assert_tensor_metadata": nothing,
    "clone": same,
    "alias": same,
    "detach": same,
    "_to_copy": same,
    "lift_fresh_copy": same,
}
"""By ATen name."""
