"""The int8 model that an earlier state wrote of a student: today's has the same operators, weights and answers."""

from pathlib import Path

import numpy as np
import pytest
from random_student import features_for

from export.bundle.opening import Bundle
from export.tflite.float_model import float_tflite
from export.tflite.int8_model import int8_tflite
from export.tflite.ranges import calibrate
from export.tflite.runtime import LiteRT
from export.tflite.structure import Structure
from lungsound.training.runs import Run
from students.student import Student

BEFORE = Path(__file__).parents[2] / "data" / "before"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.open(BEFORE / "bundle")


@pytest.fixture(scope="module")
def earlier(bundle) -> Structure:
    return Structure(bundle.contents["model_int8.tflite"])


@pytest.fixture(scope="module")
def today() -> Structure:
    """The same student, with ranges of other sound than then."""
    run = Run.load(BEFORE / "student")
    model = float_tflite(Student.load(run.model, run.weights), run.listening)
    return Structure(int8_tflite(model, calibrate(model, features_for(run.listening, 8))))


def test_operators_shapes_and_options_are_the_same(earlier, today):
    assert [step.kind for step in today.steps] == [step.kind for step in earlier.steps]
    for now, then in zip(today.steps, earlier.steps, strict=True):
        shapes = [
            [tuple(model.graph.tensors[tensor].shape) for tensor in (*step.inputs, step.output)]
            for model, step in ((today, now), (earlier, then))
        ]
        assert shapes[0] == shapes[1]
        if now.kind != "RESHAPE":  # its option repeats its input
            assert vars(now.options or now) == vars(then.options or now)


def test_weights_are_the_same_codes_with_the_same_scales(earlier, today):
    compared = 0
    for now, then in zip(today.steps, earlier.steps, strict=True):
        if now.kind == "CONV_2D":
            np.testing.assert_array_equal(today.buffer(now.inputs[1]).data, earlier.buffer(then.inputs[1]).data)
            scales = [m.graph.tensors[s.inputs[1]].quantization.scale for m, s in ((today, now), (earlier, then))]
            np.testing.assert_allclose(*scales, rtol=1e-6)
            compared += 1
    assert compared == 6


def test_with_the_scales_and_biases_of_then_every_golden_byte_is_the_same(earlier, today, bundle):
    for now, then in zip(today.steps, earlier.steps, strict=True):
        for new, old in zip((*now.inputs, now.output), (*then.inputs, then.output), strict=True):
            today.graph.tensors[new].quantization = earlier.graph.tensors[old].quantization
        if now.kind == "CONV_2D":
            today.buffer(now.inputs[2]).data = earlier.buffer(then.inputs[2]).data
    model = today.to_bytes()
    for name in ("xnnpack", "reference"):
        np.testing.assert_array_equal(
            LiteRT(model, name).run(bundle.golden.codes), bundle.golden.outputs[f"litert_{name}"]
        )
