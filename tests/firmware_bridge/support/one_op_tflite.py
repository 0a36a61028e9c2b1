"""Builds .tflite files of one operator, and runs them in LiteRT, for the tests of this folder."""

from dataclasses import dataclass, field

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

_TYPES = {"int8": schema.TensorType.INT8, "int32": schema.TensorType.INT32, "float32": schema.TensorType.FLOAT32}


@dataclass
class Spec:
    """One tensor: its shape, type, quantization and constant values."""

    shape: tuple[int, ...]
    scales: tuple[float, ...] = (0.1,)
    zeros: tuple[int, ...] = (0,)
    axis: int = 0
    data: np.ndarray | None = None
    dtype: str = "int8"
    name: str = ""


@dataclass
class Node:
    """One operator."""

    kind: str
    inputs: list[int]
    output: int
    options: tuple[str, dict[str, object]] | None = None
    version: int = 5


@dataclass
class Model:
    """Tensors and operators; the first tensor is the input, the last one the output."""

    tensors: list[Spec]
    nodes: list[Node]
    inputs: list[int] = field(default_factory=lambda: [0])


def build(model: Model) -> bytes:
    """The bytes of a .tflite file."""
    file = schema.ModelT()
    file.version = 3
    file.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors = [_tensor(file, index, spec) for index, spec in enumerate(model.tensors)]
    kinds = sorted({node.kind for node in model.nodes})
    file.operatorCodes = [_code(kind) for kind in kinds]
    graph.operators = [_operator(node, kinds) for node in model.nodes]
    graph.inputs, graph.outputs = model.inputs, [len(model.tensors) - 1]
    file.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(file.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def litert(content: bytes, windows: np.ndarray, reference: bool = True) -> dict[int, np.ndarray]:
    """Every tensor that LiteRT makes of `windows` [n, *input], by index, [n, values]."""
    resolver = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    runtime = Interpreter(
        model_content=content,
        experimental_op_resolver_type=resolver,
        experimental_preserve_all_tensors=reference,
        num_threads=1,
    )
    runtime.allocate_tensors()
    source = runtime.get_input_details()[0]
    details = runtime.get_tensor_details() if reference else runtime.get_output_details()
    made: dict[int, list[np.ndarray]] = {detail["index"]: [] for detail in details}
    for window in windows:
        runtime.set_tensor(source["index"], window.reshape(source["shape"]))
        runtime.invoke()
        for index in made:
            made[index].append(runtime.get_tensor(index).reshape(-1).copy())
    return {index: np.stack(values) for index, values in made.items()}


def _tensor(file: schema.ModelT, index: int, spec: Spec) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name = spec.name or f"t{index}"
    tensor.shape = list(spec.shape)
    tensor.type = _TYPES[spec.dtype]
    if spec.data is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(spec.data, spec.dtype).tobytes(), np.uint8)
        file.buffers.append(buffer)
        tensor.buffer = len(file.buffers) - 1
    if spec.scales:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = list(spec.scales)
        tensor.quantization.zeroPoint = list(spec.zeros)
        tensor.quantization.quantizedDimension = spec.axis
    return tensor


def _code(kind: str) -> schema.OperatorCodeT:
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, kind)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = _VERSIONS.get(kind, 2)
    return code


# The first versions that take int8.
_VERSIONS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "BATCH_MATMUL": 2,
    "HARD_SWISH": 1,
    "RELU6": 2,
    "RESHAPE": 1,
}


def _operator(node: Node, kinds: list[str]) -> schema.OperatorT:
    operator = schema.OperatorT()
    operator.opcodeIndex = kinds.index(node.kind)
    operator.inputs, operator.outputs = node.inputs, [node.output]
    if node.options is not None:
        name, values = node.options
        options = getattr(schema, f"{name}T")()
        for key, value in values.items():
            assert hasattr(options, key), key
            setattr(options, key, value)
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        operator.builtinOptions = options
    return operator
