"""Sound to decision: real recordings through the C of a bundle, against what `auscult evaluate` makes of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from exported_student import exported_student
from tiny_bundle import sound, tiny_bundle, trained

from auscult.int8_bundle import Int8Bundle
from auscult.ledger.classifier import open_classifier
from auscult.ledger.evaluation import evaluate
from auscult.ledger.stored import store_evaluation
from export.bundle.golden import golden_pcm
from export.making import Origin, write_bundle
from firmware_bridge.bench_target import BENCH
from firmware_bridge.device.qemu import build, run
from firmware_bridge.folder.golden import litert_outputs
from firmware_bridge.folder.writing import write_sources
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.model import Model
from lungsound.audio import read_pcm
from lungsound.corpora.registry import open_corpus
from lungsound.corpora.selection import Selection
from lungsound.corpora.splits import ALL
from lungsound.features import pcm_windows
from lungsound.files.plain_json import dumps
from lungsound.front_end import decide, normalised_logmel
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from lungsound.scores.evaluation import decision_columns, logit_columns
from lungsound.windows import stream

HERE = Path(__file__).parent / "support"


@pytest.fixture(scope="module")
def bundle(shared, tmp_path_factory):
    """The tiny bundle, with thresholds amid what it makes of real recordings, whatever its training came to."""
    tiny = tiny_bundle(tmp_path_factory)
    windows = pd.concat(real_windows(shared, tiny.manifest.listening, 10))
    logits, _ = Int8Bundle(tiny.path, "double").decide(windows)
    thresholds = tuple((logits.min(axis=0) + logits.max(axis=0)) / 2)
    run, student, features = trained()
    folder = tmp_path_factory.mktemp("whole_way") / "bundle"
    parity = sound(run.listening, range(20, 24))
    return write_bundle(folder, Origin.of_run(replace(run, thresholds=thresholds)), student, features, parity)


def real_windows(shared, listening, recordings):
    corpus = open_corpus("icbhi2017", shared / "data" / "icbhi2017_native")
    windows = stream(corpus, listening.seconds, listening.hop_seconds)
    return [table for _, table in windows.groupby("recording", sort=True)][:recordings]


def firmware(folder, model, target, main, *, rounding="double", push_limit=0, overlapping=True, defines=(), flags=()):
    """Build a model's firmware with the target's best kernels and a main of the tests."""
    footprint = Footprint(model, model.plan(target.kernels, rounding, push_limit), overlapping)
    sources = [folder / name for name in write_sources(folder, footprint)]
    built = build([*sources, main], target, folder / "build", include=[folder], defines=defines, flags=flags)
    assert built.warnings == ""
    return footprint, built


@pytest.fixture(scope="module", params=["double", "single"])
def evaluated(request, shared, bundle, tmp_path_factory):
    """A rounding, and what `auscult evaluate --rounding` stores for every window of the real recordings."""
    classifier = open_classifier(bundle.path, request.param)
    data = [f"icbhi2017:{shared / 'data' / 'icbhi2017_native'}"]
    selection = Selection.open(data, drop_shared=False, validation=0.2, seed=0)
    evaluation = evaluate(classifier, selection, ALL, "stream")
    return request.param, pd.read_csv(
        store_evaluation(evaluation, tmp_path_factory.mktemp("evaluated")).with_suffix(".csv")
    )


def test_real_recordings_are_decided_on_a_cortex_m4_as_evaluate_stores_it(installed, tmp_path, bundle, evaluated):
    """Without a limit on pushes and, in the other rounding, with one."""
    rounding, stored = evaluated
    push_limit = {"double": 0, "single": 20_000}[rounding]
    labels = bundle.manifest.listening.labels
    target, rate = installed("cortex-m4"), bundle.manifest.listening.logmel.sample_rate
    footprint, built = firmware(
        tmp_path, Model.open(bundle.path), target, HERE / "whole_way.c", rounding=rounding, push_limit=push_limit
    )
    for path, windows in stored.groupby("path"):
        pcm = read_pcm(Path(path), rate)
        done = run(built, inputs={"pcm.bin": pcm.tobytes()}, outputs=["scores.bin", "decisions.bin"])
        scores, decisions = (
            np.frombuffer(done.files[f"{name}.bin"], np.int8).reshape(len(windows), -1)
            for name in ("scores", "decisions")
        )
        np.testing.assert_array_equal(decisions, windows[decision_columns(labels)])
        logits = bundle.manifest.output.dequantize(scores)
        np.testing.assert_allclose(logits, windows[logit_columns(labels)], rtol=1e-12)
        assert done.values["listener_bytes"] == footprint.ram["networks"] + footprint.ram["front_end"]  # noqa: PD011
    assert set(np.unique(stored[decision_columns(labels)])) == {0, 1}


def test_the_network_makes_every_byte_of_its_own_front_ends_codes(installed, shared, tmp_path, bundle):
    listening = bundle.manifest.listening
    (windows,) = real_windows(shared, listening, 1)
    pcm = pcm_windows(windows.iloc[:5], listening.logmel.sample_rate, listening.seconds)
    model, target = Model.open(bundle.path), installed("cortex-m4")
    _, built = firmware(tmp_path, model, target, BENCH, overlapping=False, defines=["BENCH_FILES"])
    done = run(built, inputs={"samples.bin": pcm.tobytes()}, outputs=["codes.bin", "outputs.bin"])
    codes, outputs = (np.frombuffer(done.files[f"{name}.bin"], np.int8).reshape(5, -1) for name in ("codes", "outputs"))
    wanted = litert_outputs(bundle.contents["model_int8.tflite"], "double", codes)
    np.testing.assert_array_equal(outputs, wanted)
    _, decisions = Int8Bundle(bundle.path, "double").decide(windows.iloc[:5])
    np.testing.assert_array_equal(decide(outputs, bundle.manifest.threshold_codes), decisions)


@pytest.mark.parametrize("seconds", [1.0, 2.5, 3.0])
@pytest.mark.parametrize("push_limit", [0, 20_000])
def test_windows_that_follow_each_other_are_each_decided_as_if_cut_out(installed, tmp_path, seconds, push_limit):
    """Of lengths that are no whole number of the front end's hops."""
    content, _ = exported_student(1 / 16, 2, seconds)
    listening = Listening.with_whole_hop(SPECS["device_4k"], seconds, 1.0)
    logmel = normalised_logmel(listening, sound(listening, range(2)).pcm)
    listening = replace(listening, logmel=listening.logmel.with_statistics(logmel.mean(), logmel.std()))
    (tmp_path / "net.tflite").write_bytes(content)
    hears = {"listening": listening.to_dict(), "thresholds": [0.0, 0.0]}
    (tmp_path / "hears.json").write_text(dumps(hears))
    model = Model.open(tmp_path / "net.tflite", tmp_path / "hears.json")
    sounds = golden_pcm(listening)[[2, 7, 4, 5, 6]]
    wanted = litert_outputs(content, "double", model.interface.codes(sounds))
    assert len(np.unique(wanted, axis=0)) == len(sounds)
    _, built = firmware(
        tmp_path,
        model,
        installed("host"),
        HERE / "whole_way.c",
        push_limit=push_limit,
        overlapping=False,
        flags=["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    )
    pcm = np.concatenate([*sounds, sounds[0][:999]])
    done = run(built, inputs={"pcm.bin": pcm.tobytes()}, outputs=["scores.bin"])
    assert done.status == 0, done.text
    np.testing.assert_array_equal(np.frombuffer(done.files["scores.bin"], np.int8).reshape(-1, 2), wanted)
