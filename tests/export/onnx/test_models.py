"""ONNX models against torch, on a student that learned something."""

import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from tiny_bundle import sound, trained
from torch import nn

from export.bundle.runtimes import probabilities
from export.onnx.models import input_quantization, onnx_float, onnx_int8
from export.onnx.runtime import OnnxRuntime
from lungsound.errors import InputError
from lungsound.front_end import normalised_logmel
from lungsound.quantization import Quantization


@pytest.fixture(scope="module")
def exact():
    run, student, _ = trained()
    return onnx_float(student, run.listening)


@pytest.fixture(scope="module")
def int8(exact):
    return onnx_int8(exact, trained()[2])


@pytest.fixture(scope="module")
def heard():
    """Log-mels the student has not seen, and torch's logits."""
    run, student, _ = trained()
    features = normalised_logmel(run.listening, sound(run.listening, range(30, 34)).pcm).astype(np.float32)
    with torch.inference_mode():
        return features, student(torch.from_numpy(features)[:, None]).numpy()


def shape_of(value) -> list[int]:
    return [size.dim_value for size in value.type.tensor_type.shape.dim]


def test_float_gives_torchs_logits(exact, heard):
    features, logits = heard
    np.testing.assert_allclose(OnnxRuntime(exact.SerializeToString()).run(features), logits, rtol=1e-4, atol=1e-4)


def test_exporting_leaves_the_student_in_training_mode():
    run, student, _ = trained()
    student.train()
    try:
        onnx_float(student, run.listening)
        assert student.training
    finally:
        student.eval()


@pytest.mark.parametrize("model", ["exact", "int8"])
def test_one_window_in_and_one_logit_a_label_out(model, request):
    graph = request.getfixturevalue(model).graph
    listening = trained()[0].listening
    assert [value.name for value in graph.input] == ["logmel"]
    assert [value.name for value in graph.output] == ["logits"]
    assert shape_of(graph.input[0]) == [1, 1, listening.frames, listening.logmel.n_mels]
    assert shape_of(graph.output[0]) == [1, 2]


@pytest.mark.parametrize("model", ["exact", "int8"])
def test_nothing_of_this_machine_travels_with_a_model(model, request):
    content = request.getfixturevalue(model).SerializeToString()
    assert os.path.expanduser("~").encode() not in content  # noqa: PTH111
    assert os.getcwd().encode() not in content  # noqa: PTH109
    assert b".py" not in content


def test_what_a_depthwise_convolution_hears_has_one_range():
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 16, 3), nn.ReLU6(), nn.Conv2d(16, 16, 3, groups=16), nn.ReLU6(), nn.Conv2d(16, 2, 1)]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    features = trained()[2][:8]
    exact = onnx_float(network, trained()[0].listening)
    int8 = onnx_int8(exact, features)
    arrays = {array.name: onnx.numpy_helper.to_array(array) for array in int8.graph.initializer}
    heard = [node for node in int8.graph.node if node.op_type == "QuantizeLinear" and node.input[0] not in arrays]
    assert [arrays[node.input[1]].size for node in heard] == [1] * len(heard)
    near, logits = (OnnxRuntime(model.SerializeToString()).run(features) for model in (int8, exact))
    np.testing.assert_allclose(near, logits, atol=0.05 * np.ptp(logits))


def test_int8_stays_near_float(int8, heard):
    features, logits = heard
    found = OnnxRuntime(int8.SerializeToString()).run(features)
    error = np.abs(probabilities(found) - probabilities(logits))
    assert error.max() < 0.1
    assert error.mean() < 0.01


def test_convolutions_are_int8_with_a_scale_a_channel(int8):
    constants = {constant.name: onnx.numpy_helper.to_array(constant) for constant in int8.graph.initializer}
    made = {output: node for node in int8.graph.node for output in node.output}
    convolutions = [node for node in int8.graph.node if node.op_type == "Conv"]
    assert convolutions
    for convolution in convolutions:
        data, weight = (made[name] for name in convolution.input[:2])
        assert data.op_type == weight.op_type == "DequantizeLinear"
        values, scales = (constants[name] for name in weight.input[:2])
        assert values.dtype == np.int8
        assert scales.size == len(values)


def test_the_input_scale_is_read_from_the_model(int8, heard):
    quantization = input_quantization(int8)
    features, _ = heard
    snapped = quantization.dequantize(quantization.quantize(features)).astype(np.float32)
    runtime = OnnxRuntime(int8.SerializeToString())
    np.testing.assert_array_equal(runtime.run(features), runtime.run(snapped))


def test_the_input_range_is_the_windows_extremes(int8):
    quantization, features = input_quantization(int8), trained()[2]
    low, high = quantization.dequantize(np.array([-128, 127]))
    assert low == pytest.approx(features.min(), abs=quantization.scale)
    assert high == pytest.approx(features.max(), abs=quantization.scale)


def test_a_percentile_narrows_the_range(exact, int8):
    narrow = input_quantization(onnx_int8(exact, trained()[2], 95.0))
    assert narrow.scale < input_quantization(int8).scale
    assert isinstance(narrow, Quantization)


def test_a_float_model_has_no_input_scale(exact):
    with pytest.raises(InputError, match="does not quantize its input"):
        input_quantization(exact)


@pytest.mark.parametrize(
    ("windows", "percentile", "said"),
    [
        ((0, 61, 64), None, r"got \[0, 61, 64\]"),
        ((4, 60, 64), None, r"need log-mels \[N, 61, 64\]"),
        ((4, 61), None, r"got \[4, 61\]"),
        ((4, 61, 64), 50.0, "percentile"),
        ((4, 61, 64), 101.0, "percentile"),
    ],
)
def test_unusable_calibration_is_refused(exact, windows, percentile, said):
    with pytest.raises(InputError, match=said):
        onnx_int8(exact, np.zeros(windows, np.float32), percentile)


def test_features_that_are_not_finite_are_refused(exact):
    features = trained()[2][:2].copy()
    features[1, 3, 3] = np.nan
    with pytest.raises(InputError, match="not finite"):
        onnx_int8(exact, features)


def test_nothing_is_printed_where_json_goes(exact, capfd):
    onnx_int8(exact, trained()[2][:2])
    assert capfd.readouterr().out == ""


@pytest.mark.slow
def test_quantizing_leaves_no_identifier_behind(exact, tmp_path):
    """NNCF's telemetry would write one into the home folder; under pytest it does not, so ask another process."""
    (tmp_path / "float.onnx").write_bytes(exact.SerializeToString())
    code = "import numpy, onnx; from export.onnx.models import onnx_int8; "
    code += "onnx_int8(onnx.load('float.onnx'), numpy.ones((1, 61, 64), 'f'))"
    environment = os.environ | {"HOME": str(tmp_path), "PYTHONPATH": os.getcwd()}  # noqa: PTH109
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != ".cache") == ["float.onnx"]
