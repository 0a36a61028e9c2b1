"""Reads a .tflite file into a `Graph`; an untrusted file costs an `InputError` and nothing else.

Field numbers are those of TensorFlow Lite's schema.fbs, in the order in which it declares them.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from firmware_bridge.tflite.graph import Graph, Op, Tensor, check_indices
from lungsound.errors import InputError
from lungsound.files.flatbuffer import FlatTable

_DTYPES = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    9: "int8",
    10: "float64",
}
_CUSTOM = 32
_STATE = ("ASSIGN_VARIABLE", "CALL_ONCE", "READ_VARIABLE", "VAR_HANDLE")
_BRANCHES = ("CALL", "IF", "STABLEHLO_CASE", "STABLEHLO_COMPOSITE", "STABLEHLO_WHILE", "WHILE")

IDENTIFIED = 8
"""How many of the first bytes `check_identifier` wants."""


def check_identifier(name: str, start: bytes) -> None:
    """Check the first bytes of what shall be a .tflite file; `name` is for error sentences.

    Raises
    ------
    InputError
        If they are those of another file.
    """
    if start[4:IDENTIFIED] != b"TFL3":
        raise InputError(
            f"{name}: not a .tflite file (bytes 4 to 7 must be 'TFL3'); convert the model to an int8 .tflite first, or "
            "name the bundle that `auscult export` makes of it"
        )


def parse_tflite(name: str, data: bytes) -> Graph:
    """Parse the bytes of a .tflite file; `name` is for error sentences.

    Whether the graph can run, and become firmware, is for `check_operators` (operators.py) to say.

    Raises
    ------
    InputError
        If it is cut, damaged, keeps state in variables, has control flow, or is of dynamic shape.
    """
    check_identifier(name, data)
    model = FlatTable.root(name, data)
    subgraphs, codes = model.tables(2), model.tables(1)
    _check_subgraphs(name, len(subgraphs), [_kind(code) for code in codes])
    subgraph = subgraphs[0]
    buffers = model.tables(4)
    tensors = tuple(_tensor(name, index, table, buffers) for index, table in enumerate(subgraph.tables(0)))
    ops = tuple(_op(name, table, codes) for table in subgraph.tables(3))
    graph = Graph(name, tensors, ops, _indices(subgraph, 1), _indices(subgraph, 2))
    check_indices(graph)
    return graph


def _check_subgraphs(name: str, count: int, kinds: list[str]) -> None:
    """Refuse a model that is more than one graph, in words for what it is instead."""
    state = [kind for kind in kinds if kind in _STATE]
    if state:
        raise InputError(
            f"{name}: the model keeps state in variables ({', '.join(sorted(state))}); export the one without state "
            "that takes a whole window, which firmware cuts into rows by itself"
        )
    branches = [kind for kind in kinds if kind in _BRANCHES]
    if branches:
        raise InputError(
            f"{name}: the model has control flow ({', '.join(sorted(branches))}); unroll its loops, and rebuild "
            "recurrent layers from convolutions along time"
        )
    if count != 1:
        raise InputError(
            f"{name}: the model has {count} subgraphs, one a signature, and firmware takes one; export the signature "
            "that it shall run"
        )


def _tensor(name: str, index: int, table: FlatTable, buffers: list[FlatTable]) -> Tensor:
    label = table.text(3) or f"#{index}"
    code = table.integer(1, "b")
    dtype = _DTYPES.get(code)
    if dtype is None:
        kind = _names("TensorType").get(code, f"number {code}").lower()
        raise InputError(f"{name}: tensor '{label}' is of type {kind}, which firmware does not take; quantize to int8")
    shape, signature = _indices(table, 0), _indices(table, 7)
    # A free batch axis is written as -1 in the signature and 1 in the shape; firmware runs one window at a time.
    if any(size <= 0 for size in signature[1:]):
        shape = signature
    if table.table(6) is not None:
        raise InputError(
            f"{name}: tensor '{label}' is stored sparse; export the model dense (without Optimize.SPARSITY)"
        )
    scales, zero_points, axis = _quantization(table)
    data = _data(name, label, table, buffers, dtype, shape)
    return Tensor(label, shape, dtype, scales, zero_points, axis, data, bool(table.integer(5, "?")))


def _quantization(table: FlatTable) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    quantization = table.table(4)
    if quantization is None:
        return (), (), 0
    scales = quantization.array(2, "<f4")
    zero_points = quantization.array(3, "<i8")
    return (
        () if scales is None else tuple(float(value) for value in scales.tolist()),
        () if zero_points is None else tuple(int(value) for value in zero_points.tolist()),
        quantization.integer(6, "i"),
    )


def _data(
    name: str, label: str, table: FlatTable, buffers: list[FlatTable], dtype: str, shape: tuple[int, ...]
) -> npt.NDArray[np.generic] | None:
    index = table.integer(2, "I")
    if index >= len(buffers):
        raise InputError(
            f"{name}: tensor '{label}' is kept in buffer {index} of {len(buffers)}; export the model again"
        )
    raw = _bytes(name, label, buffers[index])
    if not raw:
        return None
    item = np.dtype(dtype).newbyteorder("<")
    size = item.itemsize
    for axis in shape:
        size *= axis
    if len(raw) != size or any(axis <= 0 for axis in shape):
        raise InputError(
            f"{name}: tensor '{label}' of shape {list(shape)} needs {size} bytes and its buffer holds {len(raw)}; "
            "export the model again"
        )
    return np.frombuffer(raw, item).reshape(shape)


def _bytes(name: str, label: str, buffer: FlatTable) -> bytes:
    # Either a vector inside of the FlatBuffer, or (offset, size) of bytes that follow it in the same file.
    offset, size = buffer.integer(1, "Q"), buffer.integer(2, "Q")
    if offset <= 1:
        inside = buffer.array(0, "u1")
        return b"" if inside is None else inside.tobytes()
    if offset + size > len(buffer.data):
        raise InputError(
            f"{name}: tensor '{label}' is kept at bytes {offset} to {offset + size} of {len(buffer.data)}; "
            f"export the model again"
        )
    return buffer.data[offset : offset + size]


def _op(name: str, table: FlatTable, codes: list[FlatTable]) -> Op:
    index = table.integer(0, "I")
    if index >= len(codes):
        raise InputError(f"{name}: an operator has code {index} of {len(codes)}; export the model again")
    return Op(_kind(codes[index]), _indices(table, 1), _indices(table, 2), table.table(4), table.integer(3, "B"))


def _kind(code: FlatTable) -> str:
    number = _number(code)
    return f"CUSTOM {code.text(1)}" if number == _CUSTOM else _names("BuiltinOperator").get(number, f"number {number}")


def _number(code: FlatTable) -> int:
    # Old writers use the 8-bit field, new ones both: the larger is the code (schema.fbs, OperatorCode).
    return max(code.integer(0, "b"), code.integer(3, "i"))


@lru_cache
def _names(enumeration: str) -> dict[int, str]:
    from ai_edge_litert import schema_py_generated

    values = vars(getattr(schema_py_generated, enumeration))
    return {number: name for name, number in values.items() if isinstance(number, int)}


def _indices(table: FlatTable, field: int) -> tuple[int, ...]:
    values = table.array(field, "<i4")
    return () if values is None else tuple(int(value) for value in values.tolist())
