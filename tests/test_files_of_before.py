"""Runs and bundles that an earlier state of the project wrote still load, and still say the same."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from distill.settings import DistillSettings
from export.bundle.opening import Bundle
from export.check import check
from firmware_bridge.plan.model import Model
from lungsound.training.data import DataOptions
from lungsound.training.runs import WEIGHTS_FILE, Run
from lungsound.training.settings import load_settings
from students.student import Student
from teachers.settings import FinetuneSettings
from teachers.teacher import Teacher

BEFORE = Path(__file__).parent / "data" / "before"


def test_a_bundle_replays_its_golden_vectors():
    found = check(Bundle.open(BEFORE / "bundle"))
    assert found["front_end"]["differing_codes"] == 0
    assert found["runtimes"]["litert_reference"]["differing_bytes"] == 0


def test_a_bundle_becomes_firmware():
    model = Model.open(BEFORE / "bundle")
    assert model.interface is not None
    assert model.interface.listening.labels == ("crackle", "wheeze")
    assert model.plan("dsp8", "double").memory.total > 0


def test_a_student_gives_the_logits_that_its_bundle_has():
    run, bundle = Run.load(BEFORE / "student"), Bundle.open(BEFORE / "bundle")
    student = Student.load(run.model, run.weights).eval()
    values = bundle.manifest.input.dequantize(bundle.golden.codes).astype(np.float32)
    with torch.inference_mode():
        logits = student(torch.from_numpy(values)[:, None]).numpy()
    assert np.abs(logits - bundle.golden.outputs["onnxruntime_float"]).max() < 1e-4
    assert run.thresholds == bundle.manifest.thresholds
    assert DataOptions.of_run(run).seconds == 2.0


def test_a_teacher_loads(tmp_path):
    folder = tmp_path / "teacher"
    shutil.copytree(BEFORE / "teacher", folder)
    shapes = json.loads((folder / "shapes.json").read_text())
    draw = np.random.default_rng(0)
    save_file({name: draw.random(shape, np.float32) for name, shape in shapes.items()}, folder / WEIGHTS_FILE)
    run = Run.load(folder)
    teacher = Teacher.load(run.model, run.weights).eval()
    listening = run.listening
    with torch.inference_mode():
        assert teacher(torch.zeros(1, 1, listening.frames, listening.logmel.n_mels)).logits.shape == (1, 2)


@pytest.mark.parametrize(("kind", "settings"), [("student", DistillSettings), ("teacher", FinetuneSettings)])
def test_settings_of_an_interrupted_training_are_read(kind, settings):
    read = load_settings(BEFORE / kind, settings)
    assert read.data.data == ("icbhi2017:/data/corpus",)
