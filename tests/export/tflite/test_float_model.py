import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from hypothesis import given, settings
from hypothesis import strategies as st
from random_student import features_for, float_logits, listening_of, random_student

from export.tflite.float_model import float_tflite
from lungsound.errors import InputError


def run(model, features, reference=False):
    resolver = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    interpreter = Interpreter(model_content=model, num_threads=1, experimental_op_resolver_type=resolver)
    runner = interpreter.get_signature_runner("serving_default")
    return np.concatenate([runner(logmel=x[None, :, :, None])["logits"] for x in features])


@settings(max_examples=12, deadline=None)
@given(
    heads=st.sampled_from([1, 2, 4, 6, 8]),
    classes=st.integers(1, 4),
    frames=st.integers(16, 70),
    mels=st.integers(16, 40),
    lam=st.floats(0, 2),
    seed=st.integers(0, 1000),
)
def test_equals_torch(heads, classes, frames, mels, lam, seed):
    listening = listening_of(frames, mels)
    student = random_student(listening, seed, heads=heads, classes=classes, lam=lam)
    features = features_for(listening, 2, seed)
    expected = float_logits(student, features)
    got = run(float_tflite(student, listening), features)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("frames", "mels"), [(124, 64), (249, 64), (251, 64), (401, 80)])
@pytest.mark.parametrize("reference", [False, True])
def test_windows_in_use(frames, mels, reference):
    listening = listening_of(frames, mels)
    student = random_student(listening, heads=6)
    features = features_for(listening, 1)
    expected = float_logits(student, features)
    got = run(float_tflite(student, listening), features, reference)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_other_temperatures():
    listening = listening_of(48, 32)
    student = random_student(listening, heads=4, temperatures=(99.0, 1.0, 2.5, 99.0))
    features = features_for(listening, 2)
    np.testing.assert_allclose(
        run(float_tflite(student, listening), features), float_logits(student, features), rtol=1e-5, atol=1e-5
    )


def test_operators_and_names():
    listening = listening_of(124, 64)
    interpreter = Interpreter(model_content=float_tflite(random_student(listening, heads=4), listening))
    kinds = [operator["op_name"] for operator in interpreter._get_ops_details() if operator["op_name"] != "DELEGATE"]
    assert kinds[:8] == ["CONV_2D", "AVERAGE_POOL_2D"] * 4
    assert kinds.count("TRANSPOSE") == 1
    assert kinds.count("BATCH_MATMUL") == 1
    assert interpreter.get_signature_list() == {"serving_default": {"inputs": ["logmel"], "outputs": ["logits"]}}
    assert [d["name"] for d in interpreter.get_input_details()] == ["logmel"]
    assert [d["name"] for d in interpreter.get_output_details()] == ["logits"]
    assert interpreter.get_input_details()[0]["shape"].tolist() == [1, 124, 64, 1]
    names = [d["name"] for d in interpreter.get_tensor_details() if d["name"]]
    assert len(names) == len(set(names))


def test_the_same_student_gives_the_same_bytes():
    listening = listening_of(32, 32)
    student = random_student(listening)
    assert float_tflite(student, listening) == float_tflite(student, listening)


def test_a_window_too_small_for_the_trunk():
    listening = listening_of(15, 32)
    with pytest.raises(InputError, match="15 frames"):
        float_tflite(random_student(listening_of(32, 32)), listening)
