"""The options that several operators share, read from the file where an operator is lowered.

Field numbers are those of TensorFlow Lite's schema.fbs, in the order in which it declares them.
"""

from dataclasses import dataclass

from firmware_bridge.compile.lowering import Lowering
from firmware_bridge.tflite.graph import Op
from lungsound.files.flatbuffer import FlatTable

_ACTIVATIONS = {0: "NONE", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6"}
_LARGEST = 1024


@dataclass(frozen=True)
class Window:
    """How a convolution or a pool walks: (vertical, horizontal) pairs, vertical being time."""

    same: bool
    stride: tuple[int, int]
    kernel: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)


def read_activation(lowering: Lowering, op: Op, options: FlatTable, field: int) -> str:
    """Return the activation fused behind `op`: "NONE", "RELU", "RELU_N1_TO_1" or "RELU6".

    Raises
    ------
    InputError
        If it is another one.
    """
    activation = _ACTIVATIONS.get(options.integer(field, "b"))
    if activation is None:
        raise lowering.refuse(op, "has an activation other than none, ReLU, ReLU6 or ReLU -1..1 fused behind it")
    return activation


def read_window(
    lowering: Lowering, op: Op, options: FlatTable, *, kernel: int | None = None, dilation: int | None = None
) -> Window:
    """Return padding and stride, and the kernel and dilation whose fields (of the width, then the height) are named.

    Raises
    ------
    InputError
        If the padding is neither SAME nor VALID, or a size is not within 1 to 1024.
    """
    numbers = {"stride": (options.integer(2, "i"), options.integer(1, "i"))}
    if kernel is not None:
        numbers["kernel"] = (options.integer(kernel + 1, "i"), options.integer(kernel, "i"))
    if dilation is not None:
        numbers["dilation"] = (options.integer(dilation + 1, "i", 1), options.integer(dilation, "i", 1))
    for what, pair in numbers.items():
        if not all(1 <= value <= _LARGEST for value in pair):
            raise lowering.refuse(op, f"has {what} {list(pair)}; each must be 1 to {_LARGEST}")
    padding = options.integer(0, "b")
    if padding not in (0, 1):
        raise lowering.refuse(op, f"has padding {padding}; it must be SAME (0) or VALID (1)")
    return Window(same=padding == 0, **numbers)
