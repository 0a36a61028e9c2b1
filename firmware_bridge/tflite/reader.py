"""Reads an int8 .tflite file into a `Graph`; an untrusted file costs an `InputError` and nothing else.

Field numbers are those of TensorFlow Lite's schema.fbs, in the order in which it declares them.
"""

import numpy as np
import numpy.typing as npt

from firmware_bridge.tflite.flatbuffer import FlatTable
from firmware_bridge.tflite.graph import Graph, Op, Tensor, Window, check_graph
from lungsound.errors import InputError

KINDS = {
    0: "ADD",
    1: "AVERAGE_POOL_2D",
    2: "CONCATENATION",
    3: "CONV_2D",
    4: "DEPTHWISE_CONV_2D",
    9: "FULLY_CONNECTED",
    14: "LOGISTIC",
    17: "MAX_POOL_2D",
    18: "MUL",
    19: "RELU",
    21: "RELU6",
    22: "RESHAPE",
    25: "SOFTMAX",
    34: "PAD",
    39: "TRANSPOSE",
    40: "MEAN",
    41: "SUB",
    82: "REDUCE_MAX",
    114: "QUANTIZE",
    117: "HARD_SWISH",
    126: "BATCH_MATMUL",
}
"""The operators that can become firmware, by their code in the schema."""

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
_ACTIVATIONS = {0: "NONE", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6"}
# The member of the union BuiltinOptions that each operator carries; the others have no options that matter here.
_OPTIONS = {
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 2,
    "AVERAGE_POOL_2D": 5,
    "MAX_POOL_2D": 5,
    "FULLY_CONNECTED": 8,
    "SOFTMAX": 9,
    "CONCATENATION": 10,
    "ADD": 11,
    "MUL": 21,
    "MEAN": 27,
    "REDUCE_MAX": 27,
    "SUB": 28,
    "BATCH_MATMUL": 101,
}
# Field of the fused activation in each of these options.
_ACTIVATION_FIELD = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 4,
    "AVERAGE_POOL_2D": 5,
    "MAX_POOL_2D": 5,
    "FULLY_CONNECTED": 0,
    "CONCATENATION": 1,
    "ADD": 0,
    "MUL": 0,
    "SUB": 0,
}


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
        raise InputError(f"{name}: not a .tflite file (bytes 4 to 7 must be 'TFL3')")


def parse_tflite(name: str, data: bytes) -> Graph:
    """Parse and check the bytes of an int8 .tflite file; `name` is for error sentences.

    Raises
    ------
    InputError
        If it is cut, damaged, not int8, of dynamic shape, or holds an operator that cannot become firmware.
    """
    check_identifier(name, data)
    model = FlatTable.root(name, data)
    subgraphs = model.tables(2)
    if len(subgraphs) != 1:
        raise InputError(
            f"{name}: the model has {len(subgraphs)} subgraphs and firmware takes one; export without control flow"
        )
    subgraph = subgraphs[0]
    buffers = model.tables(4)
    tensors = tuple(_tensor(name, table, buffers) for table in subgraph.tables(0))
    codes = model.tables(1)
    ops = tuple(_op(name, table, codes, tensors) for table in subgraph.tables(3))
    graph = Graph(name, tensors, ops, _indices(subgraph, 1), _indices(subgraph, 2))
    check_graph(graph)
    return graph


def _tensor(name: str, table: FlatTable, buffers: list[FlatTable]) -> Tensor:
    label = table.text(3)
    code = table.integer(1, "b")
    dtype = _DTYPES.get(code)
    if dtype is None:
        raise InputError(f"{name}: tensor '{label}' has type {code}, which firmware does not take; quantize to int8")
    shape = _indices(table, 0)
    # A free batch axis is written as -1 in the signature and 1 in the shape; firmware runs one window at a time.
    if any(size <= 0 for size in shape) or any(size <= 0 for size in _indices(table, 7)[1:]):
        raise InputError(
            f"{name}: tensor '{label}' has shape {list(shape)} (signature {list(_indices(table, 7))}); "
            "every axis must be fixed and positive, export with static shapes"
        )
    if table.table(6) is not None or table.integer(5, "?"):
        raise InputError(f"{name}: tensor '{label}' is sparse or a variable; export it dense and without state")
    scales, zero_points, axis = _quantization(table)
    data = _data(name, label, table, buffers, dtype, shape)
    return Tensor(label, shape, dtype, scales, zero_points, axis, data)


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
    if len(raw) != size:
        raise InputError(
            f"{name}: tensor '{label}' of shape {list(shape)} needs {size} bytes and its buffer holds {len(raw)}"
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


def _op(name: str, table: FlatTable, codes: list[FlatTable], tensors: tuple[Tensor, ...]) -> Op:
    index = table.integer(0, "I")
    if index >= len(codes):
        raise InputError(f"{name}: an operator has code {index} of {len(codes)}; export the model again")
    outputs = _indices(table, 2)
    kind = _kind(name, codes[index], outputs, tensors)
    inputs = _indices(table, 1)
    if kind not in _OPTIONS:
        return Op(kind, inputs, outputs)
    options = table.table(4)
    if options is None or table.integer(3, "B") != _OPTIONS[kind]:
        raise InputError(f"{name}: {kind} comes without its options; export the model again")
    activation = (
        _ACTIVATIONS.get(options.integer(_ACTIVATION_FIELD[kind], "b")) if kind in _ACTIVATION_FIELD else "NONE"
    )
    if activation is None:
        raise InputError(f"{name}: {kind} has an activation other than none, ReLU, ReLU6 or ReLU -1..1 fused behind it")
    return Op(
        kind,
        inputs,
        outputs,
        activation,
        window=_window(name, kind, options),
        axis=options.integer(0, "i") if kind == "CONCATENATION" else 0,
        beta=options.real(0) if kind == "SOFTMAX" else 1.0,
        keep_dims=_keep_dims(name, kind, options),
        adjoint=(bool(options.integer(0, "?")), bool(options.integer(1, "?")))
        if kind == "BATCH_MATMUL"
        else (False, False),
    )


def _kind(name: str, code: FlatTable, outputs: tuple[int, ...], tensors: tuple[Tensor, ...]) -> str:
    # Old writers use the 8-bit field, new ones both: the larger is the code (schema.fbs, OperatorCode).
    number = max(code.integer(0, "b"), code.integer(3, "i"))
    if number in KINDS:
        return KINDS[number]
    made = tensors[outputs[0]].name if outputs and 0 <= outputs[0] < len(tensors) else "?"
    raise InputError(
        f"{name}: operator {_foreign_name(number, code)} that makes tensor '{made}' cannot become firmware; "
        f"rebuild that layer from {', '.join(sorted(KINDS.values()))}"
    )


def _foreign_name(number: int, code: FlatTable) -> str:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    names = {value: key for key, value in vars(BuiltinOperator).items() if isinstance(value, int)}
    return code.text(1) or names.get(number, str(number))


def _window(name: str, kind: str, options: FlatTable) -> Window | None:
    if kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"):
        return None
    numbers = {"stride": (options.integer(2, "i"), options.integer(1, "i"))}
    if kind.endswith("POOL_2D"):
        numbers["kernel"] = (options.integer(4, "i"), options.integer(3, "i"))
    else:
        first = 4 if kind == "CONV_2D" else 5
        numbers["dilation"] = (options.integer(first + 1, "i", 1), options.integer(first, "i", 1))
    for what, pair in numbers.items():
        if not all(1 <= value <= 1024 for value in pair):
            raise InputError(f"{name}: {kind} has {what} {list(pair)}; each must be 1 to 1024")
    padding = options.integer(0, "b")
    if padding not in (0, 1):
        raise InputError(f"{name}: {kind} has padding {padding}; it must be SAME (0) or VALID (1)")
    return Window(same=padding == 0, **numbers)


def _keep_dims(name: str, kind: str, options: FlatTable) -> bool:
    if kind == "FULLY_CONNECTED":
        if options.integer(1, "b"):
            raise InputError(f"{name}: {kind} has shuffled weights; export the model again without them")
        return bool(options.integer(2, "?"))
    return bool(options.integer(0, "?")) if kind in ("MEAN", "REDUCE_MAX") else False


def _indices(table: FlatTable, field: int) -> tuple[int, ...]:
    values = table.array(field, "<i4")
    return () if values is None else tuple(int(value) for value in values.tolist())
