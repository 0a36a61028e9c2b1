"""The reader against files built with the schema, and against hostile ones."""

import contextlib
import random
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from one_op_tflite import Model, Node, Spec, build

from firmware_bridge.graph import Window
from firmware_bridge.operators import OPERATORS, lower
from firmware_bridge.tflite_reader import KINDS, parse_tflite
from lungsound.errors import InputError


def _conv() -> Model:
    weights = Spec((2, 3, 3, 1), (0.1, 0.2), (0, 0), 0, np.ones((2, 3, 3, 1)), name="weights")
    bias = Spec((2,), (0.01, 0.02), (0, 0), 0, np.asarray([5, -6]), "int32")
    options = ("Conv2DOptions", {"padding": 1, "strideH": 2, "strideW": 1, "fusedActivationFunction": 1})
    return Model(
        [Spec((1, 9, 5, 1), (0.5,), (-3,), name="frames"), weights, bias, Spec((1, 4, 3, 2), (0.7,), (4,))],
        [Node("CONV_2D", [0, 1, 2], 3, options)],
    )


def test_a_file_becomes_the_graph_that_was_written():
    graph = parse_tflite("m.tflite", build(_conv()))
    assert [tensor.shape for tensor in graph.tensors] == [(1, 9, 5, 1), (2, 3, 3, 1), (2,), (1, 4, 3, 2)]
    assert graph.tensors[0].scale == 0.5
    assert graph.tensors[0].zero_point == -3
    assert graph.tensors[1].scales == pytest.approx((0.1, 0.2))
    assert graph.tensors[2].data is not None
    assert graph.tensors[2].data.tolist() == [5, -6]
    op = graph.ops[0]
    assert (op.kind, op.inputs, op.outputs, op.activation) == ("CONV_2D", (0, 1, 2), (3,), "RELU")
    assert op.window == Window(same=False, stride=(2, 1))
    assert (graph.inputs, graph.outputs) == ((0,), (3,))


def test_every_operator_that_can_be_read_can_be_lowered():
    assert set(KINDS.values()) == set(OPERATORS)


def test_weights_that_follow_the_flatbuffer_are_read():
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(build(_conv()), 0))
    weights = model.buffers[1].data.tobytes()
    model.buffers[1].data = None
    # The offset has a fixed size in the file, so that a first packing tells where the bytes will lie.
    model.buffers[1].offset, model.buffers[1].size = 2, len(weights)
    model.buffers[1].offset = len(_packed(model))
    graph = parse_tflite("m.tflite", _packed(model) + weights)
    assert graph.tensors[1].data is not None
    assert graph.tensors[1].data.tobytes() == weights
    with pytest.raises(InputError, match="is kept at bytes"):
        parse_tflite("m.tflite", _packed(model) + weights[:-1])


def _packed(model: schema.ModelT) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _broken(change: str) -> Model:
    model = _conv()
    source, weights, _bias, made = model.tensors
    match change:
        case "negative shape":
            source.shape = (1, -9, 5, 1)
        case "scale zero":
            source.scales = (0.0,)
        case "scale nan":
            made.scales = (float("nan"),)
        case "scale infinite":
            weights.scales = (float("inf"), 0.1)
        case "float":
            source.dtype, source.scales, source.zeros = "float32", (), ()
        case "cycle":
            model.nodes.append(Node("CONV_2D", [3, 1, 2], 0, model.nodes[0].options))
        case "reads before":
            model.tensors.insert(3, Spec((1, 4, 3, 2), name="later"))
            model.nodes = [Node("ADD", [3, 3], 4, ("AddOptions", {}))]
        case "tensor index":
            model.nodes[0].inputs = [0, 1, 77]
        case "two inputs":
            model.inputs = [0, 1]
        case "missing options":
            model.nodes[0].options = None
        case "foreign":
            model.nodes[0] = Node("RESIZE_BILINEAR", [0, 1], 3)
        case "stride":
            assert model.nodes[0].options is not None
            model.nodes[0].options[1]["strideH"] = 0
        case "scales and channels":
            weights.scales, weights.zeros = (0.1, 0.2, 0.3), (0, 0, 0)
        case "zero point":
            source.zeros = (200,)
    return model


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("negative shape", "static shapes"),
        ("scale zero", "finite and above zero"),
        ("scale nan", "finite and above zero"),
        ("scale infinite", "finite and above zero"),
        ("float", "float32"),
        ("cycle", "cycle"),
        ("reads before", "cycle"),
        ("tensor index", "tensor 77 of 4"),
        ("two inputs", "one of each"),
        ("missing options", "without its options"),
        ("foreign", "RESIZE_BILINEAR that makes tensor 't3' cannot become firmware"),
        ("stride", "stride"),
        ("scales and channels", "3 scales along axis 0"),
        ("zero point", "zero point"),
    ],
)
def test_a_broken_model_costs_one_sentence(change: str, says: str):
    with pytest.raises(InputError, match=says) as caught:
        parse_tflite("m.tflite", build(_broken(change)))
    assert str(caught.value).startswith("m.tflite: ")
    assert "\n" not in str(caught.value)


def test_a_file_cut_anywhere_costs_one_sentence():
    content = build(_conv())
    for length in range(len(content)):
        with contextlib.suppress(InputError):
            parse_tflite("m.tflite", content[:length])


def _mutate(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        changed[rng.randrange(len(changed))] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
    return bytes(changed[: rng.randrange(len(changed))] if rng.random() < 0.1 else changed)


def _survive(content: bytes, count: int, seed: int) -> int:
    """How many of `count` mutated files were refused on the way to a program; anything but InputError escapes."""
    rng = random.Random(seed)
    refused = 0
    for _ in range(count):
        try:
            lower(parse_tflite("m.tflite", _mutate(content, rng)))
        except InputError:
            refused += 1
    return refused


def test_mutated_files_cost_input_errors_alone():
    assert _survive(build(_conv()), 2000, seed=1) > 200


@pytest.mark.slow
def test_many_mutated_files_cost_input_errors_alone(shared: Path):
    for path in sorted((shared / "data/mlperf_tiny").glob("*.tflite")):
        assert _survive(path.read_bytes(), 10_000, seed=2) > 200
