"""Streams and steps while a graph is being turned into firmware.

The first two axes of a tensor are its rows (batch and time, batch being 1 where it matters), the rest is the width of
a row. A RESHAPE moves nothing:
it is another name for the same stream, cut into other rows only where the next operator asks for it.
"""

import math

import numpy as np

from firmware_bridge.compile.program import CStruct, Step, Stream, Tap
from firmware_bridge.tflite.graph import Graph, Op, Tensor
from lungsound.errors import InputError
from lungsound.files.flatbuffer import FlatTable

_MOST_ROWS = 65535
_QUANTIZE_WHOLE = "quantize the whole model to int8, weights and activations, with fixed shapes"


class Lowering:
    """Streams and steps while they are being laid out.

    Parameters
    ----------
    graph : Graph
        The model.
    single_rounding : bool
        Whether factors are for XNNPACK's single rounding.
    """

    def __init__(self, graph: Graph, single_rounding: bool) -> None:
        self.graph = graph
        self.single_rounding = single_rounding
        self.streams: list[Stream] = []
        self.steps: list[Step] = []
        self._stream_of: dict[int, int] = {}

    def product_factor(self, left: float, right: float, made: float) -> float:
        """Left * right / made as the runtime computes it: XNNPACK in float32 throughout, TFLite's convolutions in
        float64.
        """
        if self.single_rounding:
            return float(np.float32(left) * np.float32(right) / np.float32(made))
        return left * right / made

    def refuse(self, op: Op, why: str) -> InputError:
        """Return the error for an operator that cannot become firmware."""
        return InputError(f"{self.graph.name}: {op.kind} that makes '{self.graph.tensors[op.outputs[0]].name}' {why}")

    def computed(self, op: Op, position: int) -> Tensor:
        """Return the input at `position`, which must be an activation."""
        tensor = self.operand(op, position)
        if tensor.data is not None:
            raise self.refuse(
                op, f"reads the constant '{tensor.name}' where it needs a computed tensor; fold it in the model"
            )
        return tensor

    def constant(self, op: Op, position: int, dtype: str) -> Tensor:
        """Return the input at `position`, which must be a constant of `dtype`."""
        tensor = self.operand(op, position)
        if tensor.data is None or tensor.dtype != dtype:
            found = "computed" if tensor.data is None else f"constant {tensor.dtype}"
            raise self.refuse(
                op, f"reads '{tensor.name}', which is {found} where constant {dtype} values are due; {_QUANTIZE_WHOLE}"
            )
        return tensor

    def operand(self, op: Op, position: int) -> Tensor:
        """Return the input at `position`: an int8 activation, or a constant."""
        if position >= len(op.inputs) or op.inputs[position] < 0:
            raise self.refuse(
                op, f"has {len(op.inputs)} inputs and needs number {position + 1}; export the model again"
            )
        return self.graph.tensors[op.inputs[position]]

    def options(self, op: Op, member: int) -> FlatTable:
        """Return the options of `op`, which must be that member of the union BuiltinOptions."""
        if op.options is None or op.member != member:
            raise self.refuse(op, "comes without its options; export the model again")
        return op.options

    def output(self, op: Op) -> Tensor:
        """Return the tensor that `op` makes."""
        return self.graph.tensors[op.outputs[0]]

    def expect(self, op: Op, shape: tuple[int, ...]) -> None:
        """Refuse `op` unless its output has the shape that its inputs and options give."""
        made = self.output(op).shape
        if made != shape:
            raise self.refuse(op, f"has shape {list(made)} where its inputs give {list(shape)}; export the model again")

    def add_stream(self, tensor: int, rows: int) -> int:
        """Return A new stream for `tensor`, `rows` high."""
        described = self.graph.tensors[tensor]
        width = described.size // rows
        if rows > _MOST_ROWS or width > _MOST_ROWS:
            raise InputError(
                f"{self.graph.name}: '{described.name}' has {rows} rows of {width} values and firmware takes "
                f"{_MOST_ROWS} at most; shorten the window or narrow the layer"
            )
        # Converters name a fused tensor after all its parts; the last says enough.
        self.streams.append(Stream(described.name.split(";")[-1], tensor, rows, width))
        self._stream_of[tensor] = len(self.streams) - 1
        return len(self.streams) - 1

    def stream(self, tensor: int) -> int:
        """Return the stream that carries `tensor`, however it is cut into rows."""
        return self._stream_of[tensor]

    def rename(self, tensor: int, stream: int) -> None:
        """Let `stream` carry `tensor` too: the same values in the same order."""
        self._stream_of[tensor] = stream

    def stream_in_rows(self, tensor: int, rows: int) -> int:
        """Return A stream that carries `tensor` in exactly `rows` rows; cut anew if need be."""
        source = self._stream_of[tensor]
        have = self.streams[source].rows
        if have == rows:
            return source
        target = self.add_stream(tensor, rows)
        tap, emits, runs = Tap(source, 0), rows, 1
        if rows % have == 0:
            tap, emits, runs = Tap(source, 1), rows // have, have
        elif have % rows == 0:
            tap, emits, runs = Tap(source, have // rows, have // rows), 1, rows
        pieces = max(tap.kernel, 1)
        count = self.graph.tensors[tensor].size // runs // pieces
        op = CStruct("au_regroup_t", {"count": count, "rows": pieces})
        self.steps.append(Step("RESHAPE", "au_regroup", "au_layout_c99", op, (tap,), target, emits, runs, 0))
        return target


def natural_rows(shape: tuple[int, ...]) -> int:
    """How many rows a tensor has where nothing else decides: its first two axes, or one of two."""
    return math.prod(shape[: max(0, min(2, len(shape) - 1))])
