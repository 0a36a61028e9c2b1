"""What lowering an operator has at hand: the file that is written, and the values so far."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from export.graph.nodes import Constant, Fused, Node, Shape
from export.tflite.layout import Layouts, Value
from export.tflite.writer import TfliteWriter

FUSED: dict[Fused, int] = {
    "none": schema.ActivationFunctionType.NONE,
    "relu": schema.ActivationFunctionType.RELU,
    "relu6": schema.ActivationFunctionType.RELU6,
}


class Lowering:
    """A file in the making.

    Parameters
    ----------
    writer : TfliteWriter
        Of the file.
    in_order : set of Node
        Nodes whose values are needed in torch's order of axes later on, so that they are moved early and once.
    """

    def __init__(self, writer: TfliteWriter, in_order: set[Node]) -> None:
        self.writer = writer
        self.in_order = in_order
        self.layouts = Layouts(writer)
        self.values: dict[Node, Value] = {}

    def value(self, node: Node) -> Value:
        """Return what a node has become; a constant that is read as a tensor becomes one here."""
        if node not in self.values:
            assert isinstance(node.operator, Constant)
            self.values[node] = Value.of(self.constant(node.name, node.operator.values), node.shape)
        return self.values[node]

    def tensor(self, node: Node, axes: Sequence[int] | None = None, held: Shape | None = None) -> int:
        """Return a node's values as a tensor with its axes in an order; see :meth:`Layouts.tensor`."""
        return self.layouts.tensor(self.value(node), node.shape, axes, held)

    def axes(self, node: Node) -> tuple[int, ...]:
        """Return the order in which a node's axes are read with the least moving."""
        return (
            tuple(range(len(node.shape))) if node in self.in_order else self.layouts.axes(self.value(node), node.shape)
        )

    def constant(self, name: str, values: NDArray[Any]) -> int:
        """Store float values as float32."""
        return self.writer.constant(name, values.astype(np.float32))

    def write(
        self,
        kind: str,
        inputs: Sequence[int],
        node: Node,
        shape: Sequence[int],
        options: object | None = None,
        name: str | None = None,
    ) -> int:
        """Write an operator of a node."""
        return self.writer.operator(kind, inputs, name or node.name, shape, options)

    def padded(self, tensor: int, widths: Sequence[tuple[int, int]], name: str, below: float | None = None) -> int:
        """Return a tensor with zeros around it, or with `below`; itself where nothing is added."""
        if not np.any(widths):
            return tensor
        shape = tuple(
            size + before + behind for size, (before, behind) in zip(self.writer.shape(tensor), widths, strict=True)
        )
        inputs = [tensor, self.writer.constant(f"{name}/pad/widths", np.array(widths, np.int32))]
        if below is None:
            return self.writer.operator("PAD", inputs, f"{name}/pad", shape, schema.PadOptionsT())
        inputs.append(self.constant(f"{name}/pad/value", np.array([below])))
        return self.writer.operator("PADV2", inputs, f"{name}/pad", shape, schema.PadV2OptionsT())
