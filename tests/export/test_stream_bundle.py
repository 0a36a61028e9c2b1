"""A student of `stream`, trained and exported: windows cut out of a sound, and the sound as a whole."""

from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tiny_bundle import sound, trained

from export.bundle.manifest import TFLITE_FILE
from export.bundle.opening import Int8Format
from export.check import check
from export.command import export_run
from export.making import Origin, write_bundle
from export.tflite.beginnings import Beginnings
from export.tflite.structure import Structure
from firmware_bridge.plan.model import Model
from firmware_bridge.plan.waiting import held_whole
from lungsound.errors import InputError
from lungsound.front_end import front_end
from students.student import Student, StudentConfig

STREAM = StudentConfig(trunk="stream", width=1 / 8, heads=2, depth=4)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Trained for seconds, and through the gate."""
    run, student, features = trained(STREAM)
    folder, validation = tmp_path_factory.mktemp("stream") / "bundle", sound(run.listening, range(20, 24))
    return write_bundle(folder, Origin.of_run(run), student, features, validation, [Int8Format.TFLITE])


class Rows:
    """The trunk and the head's first layer of a bundle, on LiteRT's reference kernels and log-mels of any length."""

    def __init__(self, model: bytes, kind: str) -> None:
        structure = Structure(model)
        self.steps = structure.steps
        self.first = next(n for n, step in enumerate(self.steps) if structure.name(step.output).startswith("head"))
        assert self.steps[self.first].kind == kind
        self.interpreter = Interpreter(
            model_content=Beginnings(structure).as_far_as(self.steps[self.first]),
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        )

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        source = self.interpreter.get_input_details()[0]["index"]
        self.interpreter.resize_tensor_input(source, (1, *codes.shape, 1), strict=False)
        self.interpreter.allocate_tensors()
        self.interpreter.set_tensor(source, codes[None, ..., None])
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.interpreter.get_output_details()[0]["index"])[0]


def test_scores_of_windows_at_every_row_are_those_of_the_whole_sound(bundle):
    listening = bundle.manifest.listening
    pcm = sound(listening, range(30, 32)).pcm.ravel()
    rows = Rows(bundle.contents[TFLITE_FILE], "CONV_2D")
    whole = replace(listening, seconds=len(pcm) / listening.logmel.sample_rate)
    of_whole = rows(front_end(whole, bundle.manifest.input, pcm))
    hop = 8 * listening.logmel.hop
    for number, first in enumerate(range(0, len(pcm) - listening.samples + 1, hop)):
        codes = front_end(listening, bundle.manifest.input, pcm[first : first + listening.samples])
        of_window = rows(codes)
        assert of_window.shape == (3, 4, 4)  # rows, mels, labels * heads
        np.testing.assert_array_equal(of_window, of_whole[number : number + 3])
    assert number > 100
    assert len(set(of_whole.ravel().tolist())) > 20  # rows of a network that always says the same would be equal, too


def test_every_layer_before_the_head_is_a_convolution_without_padding(bundle):
    rows = Rows(bundle.contents[TFLITE_FILE], "CONV_2D")
    trunk = rows.steps[: rows.first + 1]
    assert [step.kind for step in trunk] == ["CONV_2D", *["DEPTHWISE_CONV_2D", "CONV_2D"] * 4, "CONV_2D"]
    valid = 1
    assert all(step.options.padding == valid or step.options.strideH == 1 for step in trunk)
    assert all(step.options.padding == valid for step in trunk if step.kind == "DEPTHWISE_CONV_2D")


def test_nothing_before_the_head_waits_for_all_of_time(bundle):
    network = Model.open(bundle.path).plan("dsp8", "double")
    held = held_whole(network.program, network.schedule.slots)
    waiting = [network.program.streams[item.stream].name for item in held]
    assert waiting[0] == "head/convolution"
    assert all(name.startswith("head") for name in waiting)


def test_golden_vectors_replay(bundle):
    report = check(bundle)
    assert report["runtimes"]["litert_reference"]["differing_bytes"] == 0
    assert bundle.manifest.student["depth"] == 4


def test_a_run_whose_hop_is_no_whole_number_of_rows_is_not_exported(tmp_path, monkeypatch):
    run, student, _ = trained(STREAM)
    monkeypatch.setattr(Student, "load", lambda *_: student)
    other = replace(run, listening=replace(run.listening, hop_seconds=15 * 0.032))
    with pytest.raises(InputError, match=r"15 frames \(0\.48 s\) is no whole number of output rows of stream"):
        export_run(other, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
