"""A model with other channels, against one that was made so."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cnn6_tflite import cnn6

from firmware_bridge.plan.network import plan_network, report
from firmware_bridge.plan.scaled import channels_of_widest_layer, scaled
from firmware_bridge.tflite.graph import Graph, check_graph
from firmware_bridge.tflite.reader import parse_tflite


def graph_of(width: int, heads: int) -> Graph:
    return parse_tflite("model.tflite", cnn6(np.random.default_rng(0), 60, width=width, heads=heads))


@pytest.mark.parametrize("heads", [0, 1, 4])
@pytest.mark.parametrize("kernels", ["c99", "dsp8", "dsp16", "mve"])
@pytest.mark.parametrize(("wide", "slim"), [(32, 8), (16, 8), (8, 24), (3, 1)])
def test_it_takes_what_a_model_of_that_width_takes(wide: int, slim: int, heads: int, kernels: str):
    narrower = scaled(graph_of(wide, heads), Fraction(slim, wide))
    assert narrower is not None
    check_graph(narrower)
    found, wanted = (plan_network(graph, kernels) for graph in (narrower, graph_of(slim, heads)))
    assert found.context_bytes == wanted.context_bytes
    # Tables of equal content are stored once, and not both models happen to have the same.
    assert found.constant_bytes == pytest.approx(wanted.constant_bytes, rel=0.02)
    assert [layer["macs"] for layer in report(found)["layers"]] == [layer["macs"] for layer in report(wanted)["layers"]]


@pytest.mark.parametrize("name", ["kws_ref_model", "pretrainedResnet_quant"])
def test_depthwise_and_residual_models_become_narrower(shared: Path, name: str):
    graph = parse_tflite(name, (shared / f"data/mlperf_tiny/{name}.tflite").read_bytes())
    narrower = scaled(graph, Fraction(1, 2))
    assert narrower is not None
    check_graph(narrower)
    assert channels_of_widest_layer(narrower) == channels_of_widest_layer(graph) / 2
    assert narrower.tensors[graph.outputs[0]].shape == graph.tensors[graph.outputs[0]].shape
    assert plan_network(narrower).context_bytes < plan_network(graph).context_bytes
    whole = scaled(graph, Fraction(1))
    assert whole is not None
    assert [tensor.shape for tensor in whole.tensors] == [tensor.shape for tensor in graph.tensors]


def test_what_mixes_channels_in_another_way_is_not_guessed():
    graph = graph_of(16, 0)
    pooled = next(index for index, op in enumerate(graph.ops) if op.kind == "AVERAGE_POOL_2D")
    ops = list(graph.ops)
    ops[pooled] = replace(ops[pooled], kind="TRANSPOSE")
    assert scaled(replace(graph, ops=tuple(ops)), Fraction(1, 2)) is None
