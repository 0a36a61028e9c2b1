"""Who writes and who reads the tensors of a float .tflite."""

from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

_KINDS = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
_MOVES = ("RESHAPE", "TRANSPOSE")
"""Operators that keep every value as it is, so that both their tensors have one scale."""


@dataclass(frozen=True, eq=False)
class Step:
    """One operator: its name in the schema, its tensors, and its options."""

    kind: str
    inputs: tuple[int, ...]
    output: int
    options: Any


class Structure:
    """A .tflite of one graph, opened for reading.

    Parameters
    ----------
    model : bytes
        As :func:`export.tflite.float_model.float_tflite` writes it, or what became of it as int8.
    """

    def __init__(self, model: bytes) -> None:
        self.model = schema.ModelT.InitFromPackedBuf(model)
        self.graph = self.model.subgraphs[0]
        for buffer in self.model.buffers:
            if buffer.offset > 1:  # it lies behind the file's tables, where writing the file again would lose it
                buffer.data = np.frombuffer(model[buffer.offset : buffer.offset + buffer.size], np.uint8)
                buffer.offset = buffer.size = 0
        self.steps = tuple(self._step(operator) for operator in self.graph.operators)
        self._writers = {step.output: step for step in self.steps}
        self.output: int = self.graph.outputs[0]

    def name(self, tensor: int) -> str:
        """Return a tensor's name."""
        return str(self.graph.tensors[tensor].name.decode())

    def buffer(self, tensor: int) -> Any:
        """Return where the values of a constant lie."""
        return self.model.buffers[self.graph.tensors[tensor].buffer]

    def constant(self, tensor: int) -> NDArray[np.float32] | None:
        """Return the values of a float constant, flat; None for what an operator writes or the caller gives."""
        data = self.buffer(tensor).data
        return None if data is None else np.frombuffer(bytes(data), np.float32)

    def writer(self, tensor: int) -> Step | None:
        """Return the operator that a tensor comes from, whatever has moved its values since."""
        step = self._writers.get(tensor)
        while step is not None and step.kind in _MOVES:
            step = self._writers.get(step.inputs[0])
        return step

    def readers(self, tensor: int) -> list[Step]:
        """Return the operators that read a tensor, moved or not."""
        found = []
        for step in self.steps:
            if tensor in step.inputs:
                found += self.readers(step.output) if step.kind in _MOVES else [step]
        return found

    def moved(self, tensor: int) -> list[int]:
        """Return a tensor and those that hold its values before they were moved, as far as nobody else reads them."""
        chain = [tensor]
        step = self._writers.get(tensor)
        while step is not None and step.kind in _MOVES and sum(step.inputs[0] in s.inputs for s in self.steps) == 1:
            chain.append(step.inputs[0])
            step = self._writers.get(step.inputs[0])
        return chain

    def with_constant(self, tensor: int, kind: str) -> tuple[Step, int, NDArray[np.float32]] | None:
        """Return the operator of a kind that a tensor comes from, its computed operand and its positive constant."""
        step = self.writer(tensor)
        if step is None or step.kind != kind:
            return None
        for place in (0, 1):
            constant = self.constant(step.inputs[1 - place])
            if constant is not None and (constant >= 0).all() and self.constant(step.inputs[place]) is None:
                return step, step.inputs[place], constant
        return None

    def to_bytes(self) -> bytes:
        """Write the file again, with what was changed in it."""
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _step(self, operator: Any) -> Step:
        code = self.model.operatorCodes[operator.opcodeIndex]
        kind = _KINDS[max(code.builtinCode, code.deprecatedBuiltinCode)]
        inputs = tuple(int(tensor) for tensor in operator.inputs)
        return Step(kind, inputs, int(operator.outputs[0]), operator.builtinOptions)
