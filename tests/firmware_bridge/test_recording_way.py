"""A bundle that knows the recording: what is evaluated of each window is what the C decides of a stream."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from make_folder import made
from tiny_bundle import sound, trained

from auscult.int8_bundle import Int8Bundle
from export.bundle.opening import Int8Format
from export.check import check
from export.gate import Validation
from export.making import Origin, write_bundle
from firmware_bridge.bench_target import bench_target
from firmware_bridge.device.qemu import build, run
from firmware_bridge.folder.writing import write_folder, write_sources
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.model import Model
from lungsound.front_end import decide, normalised_logmel
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from students.student import Student, StudentConfig

MAIN = Path(__file__).parent / "support" / "whole_way.c"
RATE = 4000


STUDENTS = {
    "cnn6": StudentConfig(width=1 / 16, dropout=0.0),
    "stream": StudentConfig(trunk="stream", width=1 / 8, heads=2, depth=4, dropout=0.0),
}


@pytest.fixture(scope="module")
def bundle_of(tmp_path_factory):
    """A function from a family and a hop to a bundle of random weights, which tell windows apart as well."""

    @functools.cache
    def of(family, hop_seconds=0.512):
        torch.manual_seed(0)
        student = Student(STUDENTS[family])
        spec = replace(SPECS["device_4k_32ms"], normalisation="recording")
        listening = Listening.with_whole_hop(spec, 1.024, hop_seconds)
        pcm = sound(listening, range(2)).pcm
        features = normalised_logmel(listening, pcm)
        listening = replace(listening, logmel=spec.with_statistics(features.mean(), features.std()))
        features = normalised_logmel(listening, pcm).astype(np.float32)
        with torch.no_grad():
            for _ in range(30):  # running statistics of its batch normalisation
                student.train()(torch.from_numpy(features)[:, None])
        validation = Validation(sound(listening, range(2, 3)).pcm, None)
        origin = replace(Origin.of_run(trained()[0]), listening=listening, student=student.config.to_dict())
        folder = tmp_path_factory.mktemp("recording") / "bundle"
        return write_bundle(folder, origin, student.eval(), features, validation, [Int8Format.TFLITE])

    return of


@pytest.fixture(scope="module")
def bundle(bundle_of):
    return bundle_of("cnn6")


def swelling(seconds):
    samples = round(seconds * RATE)
    rising = np.geomspace(3, 9000, samples) * np.random.default_rng(5).normal(size=samples)
    return np.clip(np.rint(rising), -32768, 32767).astype(np.int16)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "hop_seconds", "overlapping", "core"),
    [
        ("cnn6", 0.512, True, "host"),
        ("cnn6", 0.512, False, "host"),
        ("stream", 0.256, True, "cortex-m4"),  # of two rows of its trunk
    ],
)
def test_what_is_evaluated_is_what_runs(bundle_of, installed, tmp_path, family, hop_seconds, overlapping, core):
    """A trunk that windows share hears each row once, with the mean of its moment: the one that evaluation gave it."""
    bundle, pcm = bundle_of(family, hop_seconds), swelling(20)
    soundfile.write(tmp_path / "recording.wav", pcm, RATE)
    listening = bundle.manifest.listening
    hop = listening.hop_samples if overlapping else listening.samples
    start = np.arange(0, len(pcm) - listening.samples + 1, hop) / RATE
    table = pd.DataFrame({"path": str(tmp_path / "recording.wav"), "protocol": "stream", "start": start})
    logits, decisions = Int8Bundle(bundle.path, "double").decide(table.assign(end=start + listening.seconds))
    assert len(np.unique(logits, axis=0)) > len(start) / 3
    model, target = Model.open(bundle.path), installed(core)
    footprint = Footprint(model, model.plan(target.kernels, "double", 0), overlapping)
    assert bool(footprint.network.split) == (family == "stream")
    sources = [tmp_path / name for name in write_sources(tmp_path, footprint)]
    built = build([*sources, MAIN], target, tmp_path / "build", include=[tmp_path])
    done = run(built, inputs={"pcm.bin": pcm.tobytes()}, outputs=["scores.bin", "decisions.bin"])
    assert done.status == 0, done.text
    scores = np.frombuffer(done.files["scores.bin"], np.int8).reshape(-1, 2)
    np.testing.assert_allclose(bundle.manifest.output.dequantize(scores), logits, rtol=1e-12)
    said = np.frombuffer(done.files["decisions.bin"], np.int8).reshape(-1, 2)
    np.testing.assert_array_equal(said, decisions)
    np.testing.assert_array_equal(decide(scores, bundle.manifest.threshold_codes), decisions)
    if core != "host":
        planned = sum(footprint.ram[part] for part in ("networks", "front_end"))
        assert done.values["listener_bytes"] == planned  # noqa: PD011


@pytest.mark.slow
@pytest.mark.parametrize("overlapping", [True, False])
def test_a_written_folder_tests_itself(bundle, installed, tmp_path, overlapping):
    """Golden windows are one stream, and so are the listener's; the benchmark compares both."""
    model, target = Model.open(bundle.path), installed("host")
    footprint = Footprint(model, model.plan(target.kernels, "double", 0), overlapping)
    write_folder(tmp_path, footprint, target)
    found = made(tmp_path) | made(tmp_path, "bench")
    assert found["front_end_differing_codes"] == 0
    assert {value for name, value in found.items() if name.endswith("differing_bytes")} == {0}
    assert "call that when another recording begins" in (tmp_path / "README.md").read_text()


@pytest.mark.slow
def test_golden_vectors_replay(bundle):
    assert check(bundle)["front_end"] == {"differing_codes": 0}
    assert "each band less its mean over the recording" in bundle.contents["README.md"].decode()


@pytest.mark.slow
@pytest.mark.parametrize(("family", "hop_seconds"), [("cnn6", 0.512), ("stream", 0.384)])
@pytest.mark.parametrize("overlapping", [True, False])
def test_the_benchmark_compares_a_stream(bundle_of, family, hop_seconds, overlapping):
    found = bench_target(bundle_of(family, hop_seconds).path, "host", overlapping=overlapping)
    assert found["differing_bytes"] == found["differing_codes"] == 0
    assert found["codes"] >= 5 * bundle_of(family, hop_seconds).golden.codes[0].size
