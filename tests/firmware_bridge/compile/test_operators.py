"""What is refused before a graph is laid out, and that the advice is the one that helps."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from host import run_on_host
from one_op_tflite import litert

from firmware_bridge.compile.operators import lower
from firmware_bridge.plan.network import ROUNDINGS, plan_network
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
        (_through("RELU", scales=(), zero_points=()), "'m' has 0 scales; what a layer computes needs exactly one"),
        (_through("RELU", dtype="int16"), "'m' is int16 and firmware takes int8 throughout; quantize the layer"),
        (_through("ELU"), r"holds ELU \(it makes 'm'\), which cannot become firmware: train with ReLU"),
        (_through("CUSTOM ADD"), r"holds CUSTOM ADD \(it makes 'm'\), which cannot .* allow_custom_ops"),
        (_through("WHERE"), r"holds WHERE \(it makes 'm'\), which cannot become firmware: rebuild that layer from ADD"),
    ],
)
def test_a_graph_that_cannot_become_firmware_costs_one_sentence(graph: Graph, says: str):
    with pytest.raises(InputError, match=says):
        lower(graph)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_the_lowest_bias_of_a_channel_without_weights_fits(rounding: str, shared: Path, tmp_path: Path):
    content = (shared / "data/cases/dead_channel.tflite").read_bytes()
    network = plan_network(parse_tflite("dead_channel.tflite", content), rounding=rounding)
    biases = [t.data.min() for t in network.graph.tensors if t.dtype == "int32" and t.data is not None]
    assert min(biases) == -(1 << 31)
    source, output = network.graph.tensors[network.graph.inputs[0]], network.graph.outputs[0]
    windows = np.random.default_rng(0).integers(-128, 128, (4, *source.shape), np.int8)
    made = run_on_host(network, windows, tmp_path)
    assert (made.outputs == litert(content, windows, reference=rounding == "double")[output]).all()
