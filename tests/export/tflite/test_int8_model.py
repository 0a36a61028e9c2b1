import os

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_quantizer import quantizer
from made_once import made_once
from random_student import features_for, listening_of, random_student

from export.tflite.bias import corrected_biases
from export.tflite.float_model import float_tflite
from export.tflite.int8_model import LOGIT_LIMIT, int8_tflite
from export.tflite.ranges import calibrate
from lungsound.errors import InputError

LISTENING = listening_of(60, 48)
FEATURES = features_for(LISTENING, 12)
KERNELS = {"reference": OpResolverType.BUILTIN_REF, "xnnpack": OpResolverType.BUILTIN}
FIRMWARE = {
    *("CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D", "RESHAPE", "TRANSPOSE", "MUL", "ADD", "SOFTMAX", "BATCH_MATMUL"),
}


def opened(model, kernels="reference"):
    interpreter = Interpreter(model_content=model, num_threads=1, experimental_op_resolver_type=KERNELS[kernels])
    interpreter.allocate_tensors()
    return interpreter


def logits(model, features, kernels="reference"):
    interpreter = opened(model, kernels)
    given, wanted = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = []
    for window in features:
        values = window[None, :, :, None]
        if given["dtype"] is np.int8:
            scale, zero = given["quantization"]
            values = np.clip(np.rint(values / scale) + zero, -128, 127).astype(np.int8)
        interpreter.set_tensor(given["index"], values)
        interpreter.invoke()
        scale, zero = wanted["quantization"] if wanted["dtype"] is np.int8 else (1.0, 0)
        found.append((interpreter.get_tensor(wanted["index"])[0].astype(np.float64) - zero) * scale)
    return np.array(found)


def tensors(model):
    """Tensors of the file by name; kernels add scratch buffers of their own."""
    details = opened(model).get_tensor_details()
    return {d["name"]: d for d in details if d["name"] and not d["name"].endswith("scratch_buffer")}


@pytest.fixture(params=[1, 2, 4, 6])
def models(request):
    return both(request.param)


@made_once
def both(heads):
    float_model = float_tflite(random_student(LISTENING, heads=heads, lam=0.3), LISTENING)
    ranges = calibrate(float_model, FEATURES)
    return float_model, int8_tflite(corrected_biases(float_model, ranges, FEATURES), ranges)


def test_no_float_is_left(models):
    kinds = {detail["dtype"] for detail in opened(models[1]).get_tensor_details()}
    assert kinds == {np.int8, np.int32}


def test_the_quantizer_says_nothing_on_stderr(models, monkeypatch, capfd):
    """LiteRT notes its delegate below Python, and once a process: here at the same place."""
    quantize = quantizer.Quantizer.quantize

    def noting(*words, **options):
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
        return quantize(*words, **options)

    monkeypatch.setattr(quantizer.Quantizer, "quantize", noting)
    int8_tflite(models[0], calibrate(models[0], FEATURES[:2]))
    assert capfd.readouterr().err == ""


def test_operators_are_those_of_the_firmware(models):
    kinds = [operator["op_name"] for operator in opened(models[1])._get_ops_details()]
    assert set(kinds) <= FIRMWARE
    assert kinds[:8] == ["CONV_2D", "AVERAGE_POOL_2D"] * 4
    assert kinds.count("TRANSPOSE") == 1


def test_weights_are_per_channel_and_every_scale_positive(models):
    for name, detail in tensors(models[1]).items():
        scales = detail["quantization_parameters"]["scales"]
        assert np.isfinite(scales).all(), name
        assert (scales > 0).all(), name
        if name.endswith("/weight"):
            assert len(scales) == detail["shape"][0], name
            assert detail["quantization_parameters"]["quantized_dimension"] == 0
        elif not name.endswith("/bias"):
            assert len(scales) == (detail["dtype"] is np.int8), name


def test_the_input_covers_what_it_was_calibrated_on(models):
    scale, zero = tensors(models[1])["logmel"]["quantization"]
    assert (-128 - zero) * scale <= FEATURES.min() + scale
    assert (127 - zero) * scale >= FEATURES.max() - scale


@pytest.mark.parametrize("kernels", KERNELS)
def test_logits_are_near_float(models, kernels):
    float_model, int8 = models
    expected = logits(float_model, FEATURES)
    step = tensors(int8)["logits"]["quantization"][0]
    error = logits(int8, FEATURES, kernels) - expected
    assert np.abs(error).max() < 0.25 * np.ptp(expected) + step
    assert np.sqrt((error**2).mean()) < 0.1 * np.ptp(expected)


def test_constants_of_the_attention_are_whole_codes(models):
    details = tensors(models[1])
    positions = details["head/convolution/transpose"]["shape"][-1]
    share = 1 / positions / details["head/add"]["quantization"][0]
    assert share == pytest.approx(round(share), rel=1e-5)
    assert share >= 1
    largest = details["head/softmax"]["quantization"][0] * 0.3
    assert details["head/mul_2"]["quantization"][0] == pytest.approx(largest, rel=1e-5)


def test_logits_saturate_rather_than_coarsen_the_rest():
    student = random_student(LISTENING, heads=8, lam=5.0)
    float_model = float_tflite(student, LISTENING)
    expected = logits(float_model, FEATURES)
    assert np.abs(expected).max() > 2 * LOGIT_LIMIT
    model = int8_tflite(float_model, calibrate(float_model, FEATURES))
    step = tensors(model)["logits"]["quantization"][0]
    assert step <= 2 * LOGIT_LIMIT / 255 * 1.001
    got = logits(model, FEATURES)
    assert np.abs(got[np.abs(expected) > 1.2 * LOGIT_LIMIT]).min() > LOGIT_LIMIT - 4 * step
    np.testing.assert_array_equal(np.sign(got[np.abs(expected) > 1]), np.sign(expected[np.abs(expected) > 1]))


@pytest.mark.parametrize(
    "config", [{"heads": 4, "lam": 0.0}, {"heads": 1, "temperatures": (99.0,)}, {"heads": 2, "classes": 1}]
)
def test_unusual_heads(config):
    student = random_student(LISTENING, **config)
    float_model = float_tflite(student, LISTENING)
    model = int8_tflite(float_model, calibrate(float_model, FEATURES))
    expected = logits(float_model, FEATURES)
    assert np.abs(logits(model, FEATURES) - expected).max() < 0.5 * np.ptp(expected)
    assert all((d["quantization_parameters"]["scales"] > 0).all() for d in tensors(model).values())


def test_the_same_ranges_give_the_same_bytes():
    float_model, _ = both(1)
    ranges = calibrate(float_model, FEATURES[:4])
    first, second = (int8_tflite(corrected_biases(float_model, ranges, FEATURES[:4]), ranges) for _ in range(2))
    assert first == second


def test_ranges_of_another_model():
    float_model, _ = both(1)
    with pytest.raises(InputError, match="no range for"):
        int8_tflite(float_model, {"logmel": (0.0, 1.0)})


def test_logits_all_beyond_the_limit_still_have_a_scale():
    float_model, _ = both(4)
    ranges = calibrate(float_model, FEATURES) | {"logits": (-30.0, -20.0), "head/bmm": (-30.0, -20.0)}
    assert tensors(int8_tflite(float_model, ranges))["logits"]["quantization"][0] > 0
