import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from tiny_bundle import sound, trained

from export.tflite.activations import activations
from export.tflite.bias import corrected_biases
from export.tflite.float_model import float_tflite
from export.tflite.int8_model import LOGIT_LIMIT, int8_tflite
from export.tflite.ranges import calibrate
from lungsound.front_end import normalised_logmel


@pytest.fixture(scope="module")
def student_and_models():
    """A trained student, its float model, the same with corrected biases, the ranges of both."""
    run, student, features = trained()
    float_model = float_tflite(student, run.listening)
    ranges = calibrate(float_model, features)
    return run, float_model, corrected_biases(float_model, ranges, features), ranges


def buffers(model):
    content = schema.ModelT.InitFromPackedBuf(model)
    graph = content.subgraphs[0]
    return {
        t.name.decode(): np.asarray(content.buffers[t.buffer].data, np.uint8).tobytes()
        for t in graph.tensors
        if t.buffer
    }


def test_nothing_but_biases_changes(student_and_models):
    _, float_model, corrected, _ = student_and_models
    before, after = buffers(float_model), buffers(corrected)
    assert before.keys() == after.keys()
    changed = {name for name in before if before[name] != after[name]}
    assert changed
    assert all(name.endswith("/bias") for name in changed)


def test_means_and_logits_of_unseen_sound_come_nearer_to_float(student_and_models):
    run, float_model, corrected, ranges = student_and_models
    unseen = normalised_logmel(run.listening, sound(run.listening, range(10, 14)).pcm).astype(np.float32)
    watched = ("trunk/conv_block4/conv1", "head/convolution", "logits")

    def stacked(model):
        runs = list(activations(model, unseen, ""))
        return {name: np.concatenate([values[name] for values in runs]) for name in watched}

    exact, plain, better = (
        stacked(m) for m in (float_model, int8_tflite(float_model, ranges), int8_tflite(corrected, ranges))
    )
    for name in watched[:2]:
        axes = tuple(range(exact[name].ndim - 1))
        shift = [np.abs((model[name] - exact[name]).mean(axes)).mean() for model in (plain, better)]
        assert shift[1] < shift[0], name
    inside = np.abs(exact["logits"]) < LOGIT_LIMIT
    error = [np.sqrt(np.square(model["logits"] - exact["logits"])[inside].mean()) for model in (plain, better)]
    assert error[1] < error[0]
