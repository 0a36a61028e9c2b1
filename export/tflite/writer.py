"""Write a .tflite file operator by operator, with the schema that ships with LiteRT."""

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

SIGNATURE = "serving_default"
_SCHEMA_VERSION = 3
_DTYPES = {"float32": schema.TensorType.FLOAT32, "int32": schema.TensorType.INT32}


class TfliteWriter:
    """One graph with static shapes; every tensor has a name of its own, every method returns a tensor's index.

    A name that is taken already gets a number.

    Parameters
    ----------
    name : str
        Of the graph.
    """

    def __init__(self, name: str) -> None:
        self._graph = schema.SubGraphT()
        self._graph.name = name
        self._graph.tensors, self._graph.operators = [], []
        self._buffers = [_buffer(None)]  # the first buffer is empty by the format's rules
        self._codes: list[Any] = []
        self._names: set[str] = set()

    def tensor(self, name: str, shape: Sequence[int]) -> int:
        """Declare a float32 tensor that an operator writes or the caller gives."""
        return self._declare(name, shape, "float32", buffer=0)

    def constant(self, name: str, values: NDArray[Any]) -> int:
        """Store a constant, float32 or int32."""
        self._buffers.append(_buffer(values))
        return self._declare(name, values.shape, values.dtype.name, buffer=len(self._buffers) - 1)

    def operator(
        self, kind: str, inputs: Sequence[int], name: str, shape: Sequence[int], options: object | None = None
    ) -> int:
        """Append an operator that writes one new tensor.

        Parameters
        ----------
        kind : str
            Its name in the schema's ``BuiltinOperator``.
        inputs : sequence of int
            Tensor indices.
        name, shape
            Of the tensor it writes.
        options : object, optional
            A ``...OptionsT`` of the schema.
        """
        output = self.tensor(name, shape)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(getattr(schema.BuiltinOperator, kind))
        operator.inputs, operator.outputs = list(inputs), [output]
        if options is not None:
            operator.builtinOptions = options
            union_name = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, union_name)
        self._graph.operators.append(operator)
        return output

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Return a tensor's shape."""
        return tuple(self._graph.tensors[tensor].shape)

    def name(self, tensor: int) -> str:
        """Return a tensor's name."""
        return str(self._graph.tensors[tensor].name)

    def rename(self, tensor: int, name: str) -> None:
        """Give a tensor a name that no other one has."""
        self._graph.tensors[tensor].name = self._free(name)

    def finish(self, inputs: dict[str, int], outputs: dict[str, int]) -> bytes:
        """Return the file, with one signature that names the graph's inputs and outputs."""
        self._graph.inputs, self._graph.outputs = list(inputs.values()), list(outputs.values())
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
        signature.inputs = [_named(name, index) for name, index in inputs.items()]
        signature.outputs = [_named(name, index) for name, index in outputs.items()]
        model = schema.ModelT()
        model.version, model.description = _SCHEMA_VERSION, "auscult"
        model.operatorCodes, model.buffers = self._codes, self._buffers
        model.subgraphs, model.signatureDefs = [self._graph], [signature]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _declare(self, name: str, shape: Sequence[int], dtype: str, buffer: int) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = self._free(name), list(shape), buffer
        tensor.type, tensor.hasRank = _DTYPES[dtype], True
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _free(self, name: str) -> str:
        free, number = name, 1
        while free in self._names:
            number += 1
            free = f"{name}_{number}"
        self._names.add(free)
        return free

    def _code(self, builtin: int) -> int:
        for index, code in enumerate(self._codes):
            if code.builtinCode == builtin:
                return index
        code = schema.OperatorCodeT()
        code.builtinCode, code.version = builtin, 1
        code.deprecatedBuiltinCode = min(builtin, 127)  # older readers look here alone
        self._codes.append(code)
        return len(self._codes) - 1


def _buffer(values: NDArray[Any] | None) -> Any:
    buffer = schema.BufferT()
    if values is not None:
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), dtype=np.uint8)
    return buffer


def _named(name: str, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, index
    return entry
