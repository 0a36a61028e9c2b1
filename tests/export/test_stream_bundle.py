"""A student of `stream`, trained and exported: windows cut out of a recording, and the recording as a whole."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from distill.losses import LossWeights
from distill.settings import DistillSettings
from distill.training import distill
from export.bundle.manifest import TFLITE_FILE
from export.check import check
from export.command import export_run
from export.tflite.structure import Structure
from lungsound.audio import read_pcm
from lungsound.errors import InputError
from lungsound.front_end import front_end
from lungsound.training.runs import Run
from students.student import StudentConfig

HOP_FRAMES = 16

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(small_options, place):
    """Trained on labels alone, on the windows of a stream."""
    student = StudentConfig(trunk="stream", width=1 / 8, heads=2, depth=4)
    data = replace(small_options, hop_seconds=HOP_FRAMES * 0.032)
    settings = DistillSettings(None, data, student, LossWeights(1.0, 0.0, 0.0), epochs=2, learning_rate=1e-2)
    return distill(settings, place / "runs" / "stream", place / "cache")


@pytest.fixture(scope="module")
def bundle(run):
    return export_run(run, run.path / "bundle", calibration=64)


class Rows:
    """The trunk and the head's first layer of a bundle, on LiteRT's reference kernels and log-mels of any length."""

    def __init__(self, model: bytes, kind: str) -> None:
        structure = Structure(model)
        self.steps = structure.steps
        self.first = next(n for n, step in enumerate(self.steps) if structure.name(step.output).startswith("head"))
        assert self.steps[self.first].kind == kind
        self.interpreter = Interpreter(
            model_content=structure.as_far_as(self.steps[self.first]),
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        )

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        source = self.interpreter.get_input_details()[0]["index"]
        self.interpreter.resize_tensor_input(source, (1, *codes.shape, 1), strict=False)
        self.interpreter.allocate_tensors()
        self.interpreter.set_tensor(source, codes[None, ..., None])
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.interpreter.get_output_details()[0]["index"])[0]


def test_trunk_and_scores_of_the_windows_are_those_of_the_whole_recording(bundle, small_options):
    listening = bundle.manifest.listening
    assert (listening.frames, listening.hop_frames) == (61, HOP_FRAMES)
    paths = small_options.select().windows("test", ("stream",), listening)["path"].unique()
    rows = Rows(bundle.contents[TFLITE_FILE], "CONV_2D")
    compared, seen = 0, set()
    for path in paths[:2]:
        pcm = read_pcm(path, listening.logmel.sample_rate)
        whole = replace(listening, seconds=len(pcm) / listening.logmel.sample_rate)
        of_whole = rows(front_end(whole, bundle.manifest.input, pcm))
        for number in range((len(pcm) - listening.samples) // listening.hop_samples + 1):
            first = number * listening.hop_samples
            codes = front_end(listening, bundle.manifest.input, pcm[first : first + listening.samples])
            of_window = rows(codes)
            assert of_window.shape == (3, 4, 4)  # rows, mels, labels * heads
            np.testing.assert_array_equal(of_window, of_whole[2 * number : 2 * number + 3])
            compared += 1
        seen |= set(of_whole.ravel().tolist())
    assert compared > 40
    assert len(seen) > 20  # codes; rows of a network that says the same of everything would be equal, too


def test_every_layer_before_the_head_is_a_convolution_without_padding(bundle):
    rows = Rows(bundle.contents[TFLITE_FILE], "CONV_2D")
    trunk = rows.steps[: rows.first + 1]
    assert [step.kind for step in trunk] == ["CONV_2D", *["DEPTHWISE_CONV_2D", "CONV_2D"] * 4, "CONV_2D"]
    valid = 1
    assert all(step.options.padding == valid or step.options.strideH == 1 for step in trunk)
    assert all(step.options.padding == valid for step in trunk if step.kind == "DEPTHWISE_CONV_2D")


def test_golden_vectors_replay(bundle):
    report = check(bundle)
    assert report["runtimes"]["litert_reference"]["differing_bytes"] == 0
    assert bundle.manifest.student["depth"] == 4


def test_a_run_whose_hop_is_no_whole_number_of_rows_is_not_exported(run, tmp_path):
    stored = json.loads((run.path / "run.json").read_text())
    listening = replace(run.listening, hop_seconds=15 * 0.032)
    assert stored["kind"] == "student"
    with pytest.raises(InputError, match=r"15 frames \(0\.48 s\) is no whole number of output rows of stream"):
        export_run(replace(Run.load(run.path), listening=listening), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
