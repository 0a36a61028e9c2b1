import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from random_student import features_for, listening_of, random_student

from export.tflite.activations import activations
from export.tflite.float_model import float_tflite
from export.tflite.int8_model import int8_tflite
from export.tflite.ranges import calibrate

LISTENING = listening_of(40, 32)
FEATURES = features_for(LISTENING, 3)


def test_float_tensors_are_what_torch_computes():
    student = random_student(LISTENING, heads=2)
    seen = list(activations(float_tflite(student, LISTENING), FEATURES, ""))
    with torch.no_grad():
        feature_map = student.features(torch.from_numpy(FEATURES)[:, None]).numpy()
    got = np.concatenate([values["trunk/conv_block4/avg_pool2d"] for values in seen])
    np.testing.assert_allclose(got.transpose(0, 3, 1, 2), feature_map, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(np.stack([values["logmel"][0, :, :, 0] for values in seen]), FEATURES)
    assert not any(name.endswith(("/weight", "/bias", "/shape")) for name in seen[0])


def test_int8_tensors_are_dequantized_and_the_output_is_the_interpreters():
    float_model = float_tflite(random_student(LISTENING, heads=2), LISTENING)
    model = int8_tflite(float_model, calibrate(float_model, FEATURES))
    interpreter = Interpreter(
        model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    given, wanted = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    for window, values in zip(FEATURES, activations(model, FEATURES, ""), strict=True):
        scale, zero = given["quantization"]
        np.testing.assert_allclose(values["logmel"][0, :, :, 0], window, atol=scale * 0.51)
        codes = np.rint(values["logmel"] / scale + zero).astype(np.int8)
        interpreter.set_tensor(given["index"], codes)
        interpreter.invoke()
        scale, zero = wanted["quantization"]
        expected = (interpreter.get_tensor(wanted["index"]).astype(np.float32) - zero) * scale
        np.testing.assert_allclose(values["logits"], expected, rtol=1e-6)
