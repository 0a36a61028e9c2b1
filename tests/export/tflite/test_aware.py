"""Quantization-aware training: it repairs what measured ranges cannot, and its ranges are the scales of the file."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from tiny_bundle import sound, trained

from export.gate import FAILED, PASSED, UNPROVEN, gate
from export.graph.network import GraphNetwork
from export.graph.nodes import Convolution, Graph, Pool
from export.graph.read import read_graph
from export.tflite.aware import Aware, aware_tflite
from export.tflite.bias import corrected_biases
from export.tflite.float_model import write_graph
from export.tflite.int8_model import int8_tflite
from export.tflite.ranges import calibrate
from export.tflite.runtime import LiteRT
from export.tflite.structure import Structure
from lungsound.front_end import normalised_logmel

SPREAD = 2.5
"""Channels are scaled by up to this power of e, up and down."""


def unchanged(network: GraphNetwork, x: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return network(x, lambda _, values: values, lambda weight: weight).numpy()


def uneven(graph: Graph) -> Graph:
    """The same function with channels of very different sizes: what a layer scales up, the next one scales down."""
    rng = np.random.default_rng(0)
    layers = [node for node in graph.nodes if isinstance(node.operator, Convolution)]
    for before, after in pairwise(layers[:-1]):
        (pool,) = (node for node in graph.nodes if before in node.inputs)
        assert isinstance(pool.operator, Pool)
        assert after.inputs == (pool,)
        scale = np.exp(rng.uniform(-SPREAD, SPREAD, before.shape[1]))
        before.operator.weight[:] *= scale[:, None, None, None]
        before.operator.bias[:] *= scale
        after.operator.weight[:] /= scale[None, :, None, None]
    return graph


@pytest.fixture(scope="module")
def case():
    """The tiny student with uneven channels, log-mels to calibrate on, and validation windows of eight patients."""
    run, student, _ = trained()
    graph = uneven(read_graph(student, run.listening.frames, run.listening.logmel.n_mels))
    heard, calibration = (sound(run.listening, seeds) for seeds in (range(20, 28), range(1, 9)))
    features, ranges = (normalised_logmel(run.listening, one.pcm).astype(np.float32) for one in (heard, calibration))
    return run, student, graph, heard, features, ranges


@pytest.fixture(scope="module")
def learnt(case):
    *_, graph, _, _, ranges = case
    return aware_tflite(graph, ranges, Aware(epochs=12))


def verdict(case, model: bytes) -> dict:
    run, student, _, heard, features, _ = case
    runtime = LiteRT(model, "reference", 1)
    with torch.no_grad():
        exact = student(torch.from_numpy(features)[:, None]).double().numpy()
    int8 = runtime.output.dequantize(runtime.run(runtime.input.quantize(features)))
    return gate(run.listening, run.thresholds, {"float": exact, "litert_reference": int8}, heard)


def test_the_graph_computes_what_the_network_does(case):
    _, student, graph, _, features, _ = case
    x = torch.from_numpy(features)[:, None]
    with torch.no_grad():
        due = student(x).numpy()
    np.testing.assert_allclose(unchanged(GraphNetwork(graph), x), due, rtol=1e-4, atol=1e-4)


def test_it_repairs_what_measured_ranges_lose(case, learnt):
    *_, graph, _, _, ranges = case
    float_model = write_graph(graph)
    measured = calibrate(float_model, ranges)
    before = verdict(case, int8_tflite(corrected_biases(float_model, measured, ranges), measured))
    assert before["verdict"] == FAILED
    assert any("sensitivity wheeze" in reason for reason in before["reasons"])
    after = verdict(case, learnt[0])
    assert after["verdict"] in (PASSED, UNPROVEN)
    fall = {fall["figure"]: fall["fall"] for fall in after["falls"]}
    assert max(fall["sensitivity wheeze"], fall["sensitivity crackle"]) <= 0.01


def test_learnt_ranges_are_the_scales_of_the_file(learnt):
    model, ranges = learnt
    seen = 0
    for tensor in Structure(model).graph.tensors:
        if (name := tensor.name.decode()) in ranges:
            low, high = ranges[name]
            assert float(tensor.quantization.scale[0]) == pytest.approx((high - low) / 255, rel=1e-6)
            assert int(tensor.quantization.zeroPoint[0]) == round(-128 - 255 * low / (high - low))
            seen += 1
    assert seen == len(ranges) > 10
