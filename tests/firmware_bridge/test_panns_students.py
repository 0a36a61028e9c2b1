"""Students of PANNs' families with random weights: float, int8 and ONNX beside torch, the C beside LiteRT."""

from pathlib import Path

import numpy as np
import pytest
from host import run_on_host
from one_op_tflite import litert
from random_student import features_for, float_logits, listening_of, random_student

from export.bundle.runtimes import probabilities
from export.graph.read import read_graph
from export.onnx.models import onnx_float, onnx_int8
from export.onnx.runtime import OnnxRuntime
from export.tflite.bias import corrected_biases
from export.tflite.float_model import write_graph
from export.tflite.int8_model import int8_tflite
from export.tflite.ranges import calibrate
from export.tflite.runtime import LiteRT
from firmware_bridge.plan.network import plan_network
from firmware_bridge.tflite.reader import parse_tflite

pytestmark = pytest.mark.slow

LISTENING = listening_of(70, 33)
"""Odd enough that halvings leave rows and columns out."""
HEARD, UNSEEN = features_for(LISTENING, 8, 5), features_for(LISTENING, 6, 77)


@pytest.mark.parametrize("family", ["cnn14", "mobilenetv1"])
def test_float_tflite_is_torch(family):
    student = random_student(LISTENING, trunk=family, head="linear")
    expected = float_logits(student, UNSEEN)
    got = LiteRT(write_graph(read_graph(student, 70, 33))).run(UNSEEN)
    np.testing.assert_allclose(got, expected, rtol=0, atol=3e-5 * max(1.0, np.abs(expected).max()))


def off(got: np.ndarray, expected: np.ndarray) -> float:
    """The largest error of a probability."""
    return float(np.abs(probabilities(got) - probabilities(expected)).max())


@pytest.mark.parametrize(("family", "error"), [("resnet22", 0.08), ("mobilenetv2", 0.45)])
def test_the_whole_way_to_c(family: str, error: float, tmp_path: Path):
    """How far int8 may be off: see the bounds of other networks with random weights, deep thin ones above all."""
    student = random_student(LISTENING, trunk=family, heads=2)
    expected = float_logits(student, UNSEEN)
    close = {"rtol": 0, "atol": 3e-5 * max(1.0, np.abs(expected).max())}
    float_model, onnx_model = write_graph(read_graph(student, 70, 33)), onnx_float(student, LISTENING)
    np.testing.assert_allclose(LiteRT(float_model).run(UNSEEN), expected, **close)
    np.testing.assert_allclose(OnnxRuntime(onnx_model.SerializeToString()).run(UNSEEN), expected, **close)

    ranges = calibrate(float_model, HEARD)
    tflite = int8_tflite(corrected_biases(float_model, ranges, HEARD), ranges)
    runtime = LiteRT(tflite, "reference")
    assert runtime.input is not None
    assert runtime.output is not None
    windows = runtime.input.quantize(UNSEEN)
    assert off(runtime.output.dequantize(runtime.run(windows)), expected) <= error
    if family == "resnet22":  # one is enough: ONNX has its own calibration, which takes its time
        assert off(OnnxRuntime(onnx_int8(onnx_model, HEARD).SerializeToString()).run(UNSEEN), expected) <= 2 * error

    network = plan_network(parse_tflite(family, tflite))
    made = run_on_host(network, windows[..., None], tmp_path, ("-O1",))
    assert (made.outputs != litert(tflite, windows[..., None])[network.graph.outputs[0]]).sum() == 0
    assert len(np.unique(made.outputs)) > 4
