"""What is refused before a graph is laid out, and that the advice is the one that helps."""

import dataclasses
from pathlib import Path

import pytest

from firmware_bridge.compile.operators import lower
from firmware_bridge.plan.model import Model
from firmware_bridge.tflite.graph import Graph, Op, Tensor
from firmware_bridge.tflite.reader import parse_tflite
from lungsound.errors import InputError

_INT8 = Tensor("x", (1, 4, 2), "int8", (0.5,), (0,))


def _through(kind: str, **middle: object) -> Graph:
    """A graph of two steps whose middle tensor is changed."""
    tensors = (_INT8, dataclasses.replace(_INT8, **({"name": "m"} | middle)), dataclasses.replace(_INT8, name="y"))
    return Graph("m", tensors, (Op(kind, (0,), (1,)), Op("RELU", (1,), (2,))), (0,), (2,))


@pytest.mark.parametrize(
    ("graph", "says"),
    [
        (_through("RELU", scales=(), zero_points=()), "'m' has 0 scales; an activation needs exactly one"),
        (_through("RELU", dtype="int16"), "'m' is int16 and firmware takes int8 throughout; quantize the layer"),
        (_through("ELU"), "operator ELU that makes tensor 'm' cannot become firmware; rebuild that layer from ADD"),
        (_through("CUSTOM ADD"), "operator CUSTOM ADD that makes tensor 'm' cannot become firmware"),
    ],
)
def test_a_graph_that_cannot_become_firmware_costs_one_sentence(graph: Graph, says: str):
    with pytest.raises(InputError, match=says):
        lower(graph)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("esp_hello_world", "its input '.*' is float32 .* inference_input_type and inference_output_type"),
        ("mlperf_aww_uint8_in", "its input '.*' is uint8 .* inference_input_type and inference_output_type"),
        ("okay_nabu_v2", "keeps state in variables .* export the one without state"),
    ],
)
def test_a_converters_model_is_refused_with_the_advice_that_helps(name: str, says: str, shared: Path):
    with pytest.raises(InputError, match=says):
        Model.open(shared / f"data/cases/{name}.tflite")


def test_the_lowest_bias_of_a_channel_without_weights_fits(shared: Path):
    content = (shared / "data/cases/dead_channel.tflite").read_bytes()
    graph = parse_tflite("dead_channel.tflite", content)
    assert min(
        tensor.data.min() for tensor in graph.tensors if tensor.dtype == "int32" and tensor.data is not None
    ) == (-(1 << 31))
    assert lower(graph).steps
