"""Five labels from training to firmware, on synthetic sound in the layout of SPRSound."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_sprsound import small_sprsound

import auscult
from firmware_bridge.device.qemu import build, run
from firmware_bridge.device.targets import find_target
from firmware_bridge.folder.writing import write_sources
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.model import Model
from lungsound.audio import read_pcm
from lungsound.scores.evaluation import decision_columns
from lungsound.scores.metrics import choose_threshold
from lungsound.training.runs import Run

LABELS = ("fine crackle", "coarse crackle", "wheeze", "rhonchi", "stridor")
HEARS = Path(auscult.__file__).parents[1] / "tests" / "firmware_bridge" / "support" / "whole_way.c"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def corpus(small_options, place):
    return f"sprsound:{small_sprsound(place / 'corpus', place / 'sprsound')}"


@pytest.fixture(scope="module")
def run_of_five(small_settings, corpus, place):
    """A student of five labels, from labels alone."""
    from dataclasses import replace

    from distill.losses import LossWeights
    from distill.training import distill

    data = replace(small_settings.data, data=(corpus,), labels=LABELS, protocols=("cycles", "stream"))
    alone = LossWeights(logits=0, embedding=0)
    settings = replace(small_settings, teacher_run=None, losses=alone, data=data, epochs=2)
    return distill(settings, place / "five" / "student", place / "cache")


@pytest.fixture(scope="module")
def bundle_of_five(run_of_five, place):
    from export.command import export_run

    return export_run(run_of_five, place / "five" / "bundle")


@pytest.fixture
def evaluated(auscult, corpus, tmp_path):
    """What `auscult evaluate` says of a run or a bundle, and what it complains of."""

    def call(target, *words):
        told = ["--split", "inter", "--output", tmp_path / target.name, *words]
        code, said, complaint = auscult("evaluate", target, "--data", corpus, *told)
        assert code == 0, complaint
        return said, complaint

    return call


def test_the_run_carries_its_labels(run_of_five):
    assert run_of_five.listening.labels == LABELS
    assert run_of_five.model["classes"] == len(run_of_five.thresholds) == 5
    assert run_of_five.validation["auroc"].keys() == {*LABELS, "any"}
    assert "score" not in run_of_five.validation
    with next((run_of_five.path / "log").rglob("metrics.csv")).open() as file:
        assert {f"val_auroc_{label}" for label in LABELS} <= set(file.readline().strip().split(","))


def test_thresholds_are_those_of_the_best_balanced_accuracy(run_of_five, evaluated):
    """Chosen on the validation windows of both protocols together."""
    said, _ = evaluated(run_of_five.path, "--split", "validation", "--validation", 0.34, "--json")
    answer = json.loads(said)
    assert answer["labels"] == list(LABELS)
    tables = pd.concat([pd.read_csv(answer[name]["predictions"]) for name in ("cycles", "stream")])
    for label, threshold in zip(LABELS, answer["thresholds"], strict=True):
        assert choose_threshold(tables[label], tables[f"logit_{label}"]) == pytest.approx(threshold, abs=1e-6)


def test_every_task_of_the_challenge_is_scored(run_of_five, bundle_of_five, evaluated):
    for target in (run_of_five.path, bundle_of_five.path):
        said, complaint = evaluated(target, "--json")
        answer = json.loads(said)
        assert {"task_1-1", "task_1-2"} <= answer["cycles"].keys()
        assert {"task_2-1", "task_2-2"} <= answer["stream"].keys()
        assert "left_out" not in answer["cycles"]
        assert "left out" not in complaint
        windows = answer["stream"]["windows"]
        assert windows["sensitivity"].keys() == {*LABELS, "any"}
        table = pd.read_csv(answer["stream"]["predictions"])
        heard = table.loc[table["rhonchi"] == 1, "decided_rhonchi"]
        assert windows["sensitivity"]["rhonchi"] == pytest.approx(heard.mean())
        low, high = answer["stream"]["by_patient"]
        assert low <= windows["balanced_accuracy"] <= high


def test_the_table_names_every_label(bundle_of_five, evaluated):
    said, _ = evaluated(bundle_of_five.path, "--protocol", "cycles")
    assert all(f"{figure} {label}" in said for label in LABELS for figure in ("AUROC", "sensitivity", "F1"))
    assert re.search(r"balanced accuracy, 95 % interval over \d+ patients", said)
    assert "SPRSound task 1-2: SP" in said
    assert "Se any" not in said


def test_the_card_names_every_label(bundle_of_five):
    card = (bundle_of_five.path / "README.md").read_text()
    assert "a logit each for fine crackle, coarse crackle, wheeze, rhonchi and stridor." in card
    assert "| balanced accuracy |" in card
    assert all(f"- {label} is given at logit" in card for label in LABELS)


def test_the_picture_has_a_row_for_every_label(run_of_five, place):
    from auscult.pictures.student import draw, richest_recording
    from lungsound.training.data import DataOptions
    from students.student import Student

    selection = DataOptions.of_run(run_of_five).select()
    listening = run_of_five.listening
    recording = richest_recording(selection.windows("inter", ["stream"], listening), LABELS)
    events = selection.corpora[0].events
    student = Student.load(run_of_five.model, run_of_five.weights).eval()
    file = place / "five" / "picture.png"
    draw(student, listening, run_of_five.thresholds, Path(recording), events[events["path"] == recording], file, "five")
    height = int.from_bytes(file.read_bytes()[20:24], "big")
    assert height > 110 * 11


def test_firmware_decides_as_evaluate_stores_it(bundle_of_five, evaluated, tmp_path):
    if not shutil.which("gcc"):
        pytest.skip("needs gcc")
    said, _ = evaluated(bundle_of_five.path, "--protocol", "stream", "--rounding", "double", "--json")
    stored = pd.read_csv(json.loads(said)["stream"]["predictions"])
    model, target = Model.open(bundle_of_five.path), find_target("host")
    footprint = Footprint(model, model.plan(target.kernels, "double", 0), True)
    sources = [tmp_path / name for name in write_sources(tmp_path, footprint)]
    built = build([*sources, HEARS], target, tmp_path / "build", include=[tmp_path])
    header = (tmp_path / "auscult_config.h").read_text()
    assert "AUSCULT_LABEL_COARSE_CRACKLE = 1, /* coarse crackle */" in header
    decided = stored[decision_columns(LABELS)].to_numpy()
    assert set(np.unique(decided)) == {0, 1}
    for path, windows in stored.groupby("path"):
        pcm = read_pcm(Path(path), model.interface.listening.logmel.sample_rate)
        done = run(built, inputs={"pcm.bin": pcm.tobytes()}, outputs=["scores.bin", "decisions.bin"])
        found = np.frombuffer(done.files["decisions.bin"], np.int8).reshape(len(windows), 5)
        np.testing.assert_array_equal(found, windows[decision_columns(LABELS)])


def test_a_corpus_without_the_labels_is_refused_with_what_it_offers(auscult, run_of_five, place, tmp_path):
    code, _, complaint = auscult("evaluate", run_of_five.path, "--data", f"icbhi2017:{place / 'corpus'}")
    assert code == 1
    lacking = "fine crackle, coarse crackle, rhonchi, stridor"
    assert f"icbhi2017: not annotated with {lacking}; it offers crackle, wheeze" in complaint
    words = ["--label", "cough", "--teacher", "none", "--runs", tmp_path]
    code, _, complaint = auscult("distill", "--data", f"icbhi2017:{place / 'corpus'}", *words)
    assert (code, "not annotated with cough; it offers crackle, wheeze" in complaint) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_a_teacher_of_two_labels_teaches_them_alone(auscult, small_teacher, corpus, place, tmp_path):
    data = ["--data", corpus, "--protocol", "stream", "--seconds", 2, "--validation", 0.34, "--epochs", 1]
    words = ["--teacher-run", small_teacher.path, "--width", 0.0625, "--runs", tmp_path, "--json"]
    code, _, complaint = auscult("distill", *data, *words, "--label", "stridor", "--label", "wheeze")
    assert (code, "tells crackle, wheeze, not stridor" in complaint) == (1, True)
    code, said, complaint = auscult("distill", *data, *words, "--label", "wheeze")
    assert code == 0, complaint
    run = Run.load(Path(json.loads(said)["run"]))
    assert run.listening.labels == ("wheeze",)
    assert run.model["classes"] == 1
