"""Every family of students with random weights: beside torch as float, int8 and ONNX, beside LiteRT as C."""

import numpy as np
import pytest
from beside_litert import Case, differing_on_core, differing_on_host
from exported_families import HEARD, LISTENING, UNSEEN, exported, student_of

from export.bundle.runtimes import probabilities
from export.onnx.models import onnx_float, onnx_int8
from export.onnx.runtime import OnnxRuntime
from export.tflite.runtime import LiteRT

pytestmark = pytest.mark.slow

FAMILIES = ("cnn10", "cnn14", "resnet22", "mobilenetv1", "mobilenetv2", "mobilenetv3")
"""Those beside CNN6 and stream, which other tests take everywhere."""


def case_of(family: str, windows: int) -> Case:
    """Its int8 .tflite; windows of noise that is heard, and one of extremes."""
    content = exported(family)[1]
    source = LiteRT(content).input
    assert source is not None
    extremes = np.random.default_rng(3).choice(np.asarray([-128, 127], np.int8), (1, *UNSEEN.shape[1:]))
    return content, np.concatenate([source.quantize(UNSEEN[1:windows]), extremes])[..., None]


def assert_close(got: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(got, expected, rtol=0, atol=3e-5 * max(1.0, np.abs(expected).max()))


def off(got: np.ndarray, expected: np.ndarray) -> float:
    """The largest error of a probability."""
    return float(np.abs(probabilities(got) - probabilities(expected)).max())


@pytest.mark.parametrize("family", FAMILIES)
def test_float_tflite_is_torch(family):
    model, _, expected = exported(family)
    assert_close(LiteRT(model).run(UNSEEN), expected)


def test_int8_and_onnx_are_near_torch():
    """One family is enough: ONNX has its own export and calibration, which take their time."""
    _, tflite, expected = exported("resnet22")
    runtime = LiteRT(tflite, "reference")
    assert runtime.input is not None
    assert runtime.output is not None
    assert off(runtime.output.dequantize(runtime.run(runtime.input.quantize(UNSEEN))), expected) <= 0.08
    model = onnx_float(student_of("resnet22"), LISTENING)
    assert_close(OnnxRuntime(model.SerializeToString()).run(UNSEEN), expected)
    assert off(OnnxRuntime(onnx_int8(model, HEARD).SerializeToString()).run(UNSEEN), expected) <= 0.16


def test_the_c_makes_every_value_of_the_reference_kernels(tmp_path):
    cases = [case_of(family, 4) for family in FAMILIES]
    assert differing_on_host(cases, tmp_path) == [0] * len(FAMILIES)
    for content, windows in cases:
        assert len(np.unique(LiteRT(content, "reference").run(windows))) > 4


@pytest.mark.parametrize(
    ("target", "kernels", "families"),
    [("cortex-m4", "dsp8", FAMILIES), ("cortex-m55", "mve", ("mobilenetv3",))],
)
def test_a_core_makes_every_value_of_the_reference_kernels(target, kernels, families, installed, tmp_path):
    cases = [(content, windows[:1]) for content, windows in (case_of(family, 2) for family in families)]
    assert differing_on_core(cases, installed(target), kernels, tmp_path) == [0] * len(families)
