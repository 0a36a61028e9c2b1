"""What is said to the owners of published networks that cannot become firmware, held against their files."""

import re
from functools import cache
from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema

from firmware_bridge.compile.operators import OPERATORS
from firmware_bridge.compile.refusals import ADVICE
from firmware_bridge.folder.emit import write_network
from firmware_bridge.plan.model import Model
from lungsound.errors import InputError

_NAMES = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
_TYPES = {number: name.lower() for name, number in vars(schema.TensorType).items() if isinstance(number, int)}

_SMALL = 128 << 10  # bytes of a file whose C is written in less than a second
_FIXES = {
    "compiled": "give the .tflite that was compiled",
    "state": "export the one without state",
    "bias": "convert the model again with a current one",
    "outputs": "export the model up to one of them, or join them",
    "inputs": "export one network that takes the log-mel alone",
    "ends": "around an int8 network: export int8 input and output .*inference_input_type = inference_output_type",
    "SHAPE": "export it with fixed shapes and a batch of one",
    "TILE": "let an addition or a multiplication broadcast",
    "RESIZE_BILINEAR": "leave the upsampling out",
    "RESIZE_NEAREST_NEIGHBOR": "leave the upsampling out",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "convolutions along time",
    "SVDF": "convolutions along time",
    "EXPAND_DIMS": "reshape to a fixed shape",
    "SQUEEZE": "reshape to a fixed shape",
    "SPACE_TO_BATCH_ND": "makes one dilated convolution of it",
    "BATCH_TO_SPACE_ND": "makes one dilated convolution of it",
    "SLICE": "crop before the model",
    "STRIDED_SLICE": "crop before the model",
    "LEAKY_RELU": "train with ReLU",
    "TANH": "train with ReLU",
    "MINIMUM": "clip with ReLU or ReLU6",
    "RELU_0_TO_1": "clip with ReLU or ReLU6",
}
"""By what stands in the way, as the file itself says: the way out that its owner must read."""


def _kind(code: schema.OperatorCode) -> str:
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    return code.CustomCode().decode() if number == schema.BuiltinOperator.CUSTOM else _NAMES[number]


@cache
def obstacles(file: Path) -> dict[str, str]:
    """What stands in the way of a file, by reason with the name that must be said; read by the schema, not by us."""
    model = schema.Model.GetRootAs(file.read_bytes(), 0)
    graph = model.Subgraphs(0)
    tensors = [graph.Tensors(index) for index in range(graph.TensorsLength())]
    kinds = [_kind(model.OperatorCodes(graph.Operators(i).OpcodeIndex())) for i in range(graph.OperatorsLength())]
    if "ethos-u" in kinds:
        return {"compiled": "Ethos-U"}
    if "VAR_HANDLE" in kinds:
        return {"state": "VAR_HANDLE"}
    found = {}
    for role, indices in (("inputs", graph.InputsAsNumpy()), ("outputs", graph.OutputsAsNumpy())):
        if len(indices) != 1:
            found[role] = f"{len(indices)} {role}"
        for tensor in [tensors[index] for index in indices]:
            if tensor.Type() != schema.TensorType.INT8:
                found["ends"] = _TYPES[tensor.Type()]
    shapes = "SHAPE" in kinds
    for kind in kinds:
        if kind not in (*OPERATORS, "DEQUANTIZE"):
            found["SHAPE" if shapes and kind in ("STRIDED_SLICE", "PACK") else kind] = kind
    flat = [tensor.Quantization() for tensor in tensors if tensor.ShapeLength() == 1 and tensor.Quantization()]
    return found or ({"bias": "axis 3"} if any(quantized.QuantizedDimension() for quantized in flat) else {})


@cache
def files(shared: Path) -> tuple[Path, ...]:
    found = sorted([*(shared / "data/zoo").glob("*.tflite"), *(shared / "data/cases").rglob("*.tflite")])
    assert len(found) >= 80
    return tuple(found)


def test_every_published_network_is_taken_or_its_owner_reads_what_to_export(shared: Path):
    reasons: set[str] = set()
    taken = 0
    for file in files(shared):
        due = obstacles(file)
        try:
            Model.open(file)
        except InputError as error:
            said = str(error)
            assert due, said
            assert said.startswith(f"{file.name}: ")
            assert "\n" not in said
            assert len(said) < 1200
            for reason, name in due.items():
                assert re.search(re.escape(name), said), (name, said)
                assert re.search(_FIXES[reason], said), (reason, said)
            reasons |= due.keys()
        else:
            assert not due, (file, due)
            taken += 1
    assert reasons == set(_FIXES)
    assert taken > 20


@pytest.mark.slow
def test_every_small_published_network_that_is_taken_becomes_c(shared: Path, tmp_path: Path):
    written = 0
    for file in files(shared):
        if obstacles(file) or file.stat().st_size > _SMALL:
            continue
        folder = tmp_path / file.stem
        folder.mkdir()
        write_network(folder, Model.open(file).plan("c99", "double"))
        assert (folder / "net.c").stat().st_size > 1000
        written += 1
    assert written > 8


def test_advice_is_for_operators_that_there_are():
    assert {kind for kind in ADVICE if not kind.startswith("CUSTOM ")} <= set(_NAMES.values())
