"""Students that learn from labels alone, from a run of their own, or from another student."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from published_panns import published_file

from distill.losses import LossWeights
from distill.start import describe, run_name, start_of
from distill.store import teacher_outputs
from distill.taught import StudentAsTeacher, credit
from distill.training import distill
from export.command import export_run
from lungsound.errors import InputError
from lungsound.training.data import prepare_training
from lungsound.training.runs import Run
from students.student import Student, StudentConfig

ALONE = LossWeights(logits=0, embedding=0)


@pytest.fixture(scope="module")
def alone(small_settings, place, tmp_path_factory):
    """A student trained on labels alone, with no teacher's run anywhere."""
    settings = replace(small_settings, teacher_run=None, losses=ALONE, epochs=2, watch="val_loss")
    return distill(settings, tmp_path_factory.mktemp("runs") / "labels-alone", place / "cache")


def test_its_run_says_that_there_was_no_teacher(alone):
    assert Run.load(alone.path).teacher | {"note": ""} == {
        "name": "none",
        "licence": "Apache-2.0",
        "paper": "labels alone",
        "note": "",
        "weights": "trained from scratch",
    }


def test_its_bundle_says_so_too(alone, tmp_path):
    bundle = export_run(alone, tmp_path / "bundle")
    assert bundle.manifest.teacher == {"name": "none", "licence": "Apache-2.0", "paper": "labels alone"}
    card = (bundle.path / "README.md").read_text()
    assert "- Teacher: none (labels alone)." in card
    assert "- Licence that goes with this student: Apache-2.0." in card


def test_the_watched_figure_chooses_the_epoch(alone):
    with next((alone.path / "log").rglob("metrics.csv")).open() as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file) if row["val_loss"]]
    best = torch.load(alone.path / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["epoch"] == int(np.argmin(losses))


def test_a_teacher_that_counts_must_be_there(small_settings, place):
    with pytest.raises(InputError, match="need a teacher's run"):
        distill(replace(small_settings, teacher_run=None), place / "runs" / "never", place / "cache")
    assert not (place / "runs" / "never").exists()


def test_a_student_goes_on_from_its_run(alone, small_settings, place):
    settings = replace(small_settings, teacher_run=None, losses=ALONE, epochs=1, from_run=str(alone.path))
    start = start_of(settings)
    before = Student.load(alone.model, alone.weights).state_dict()
    assert all(torch.equal(before[name], value) for name, value in start.student.state_dict().items())
    run = distill(settings, place / "runs" / "continued", place / "cache")
    assert run.options["from_run"] == str(alone.path)
    assert run.teacher["paper"] == "labels alone; started from cnn6-labels-alone (labels alone)"
    assert run.teacher["licence"] == "Apache-2.0"
    assert run.listening.logmel == alone.listening.logmel


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"student": StudentConfig(width=0.25, heads=2)}, "train the same on"),
        ({"student": StudentConfig(width=0.125, heads=4)}, "train the same on"),
    ],
)
def test_another_student_than_the_runs_is_refused(alone, small_settings, change, said):
    with pytest.raises(InputError, match=said):
        start_of(replace(small_settings, from_run=str(alone.path), **change))


def test_a_teacher_is_no_students_start(small_settings, small_teacher, small_options):
    with pytest.raises(InputError, match="name a student's"):
        start_of(replace(small_settings, from_run=str(small_teacher.path)))


def test_another_logmel_than_the_runs_is_refused(alone, small_settings, small_options):
    other = replace(small_settings, from_run=str(alone.path), data=replace(small_options, logmel="m2d"))
    with pytest.raises(InputError, match="give --logmel device_4k"):
        start_of(other)


def test_a_student_with_other_labels_takes_all_but_the_head(alone, small_settings, tmp_path):
    student = Student(StudentConfig(width=0.125, heads=2, classes=3))
    other = replace(
        alone,
        path=tmp_path / "other",
        listening=replace(alone.listening, labels=("cough", "snore", "murmur")),
        thresholds=(0.0, 0.0, 0.0),
        model=student.config.to_dict(),
    )
    other.path.mkdir()
    student.save_weights(other.weights)
    other.save()
    state = start_of(replace(small_settings, from_run=str(other.path))).student.state_dict()
    before = student.state_dict()
    assert all(torch.equal(before[name], state[name]) for name in state if name.startswith("trunk."))
    assert state["head.score.weight"].shape != before["head.score.weight"].shape


def test_published_weights_start_a_student_and_their_licence_goes_with_it(small_settings, tmp_path):
    state = published_file(tmp_path / "Cnn6.pth", widths=(64, 128, 256, 512))
    wide = replace(
        small_settings,
        student=StudentConfig(width=1, heads=2),
        student_weights=str(tmp_path / "Cnn6.pth"),
        losses=ALONE,
    )
    start = start_of(wide)
    assert torch.equal(start.student.state_dict()["trunk.conv_block1.conv1.weight"], state["conv_block1.conv1.weight"])
    credited = credit(None, start.credit)
    assert credited["licence"] == "Apache-2.0; CC BY 4.0 (weights), MIT (code)"
    assert "started from PANNs CNN6" in credited["paper"]


def test_a_student_may_teach(small_student, small_settings, small_options, place):
    settings = replace(small_settings, teacher_run=str(small_student.path), epochs=1)
    run = distill(settings, place / "runs" / "second-hand", place / "cache")
    assert run.teacher["name"] == "cnn6-from-m2d-tiny-from-scratch"
    assert run.teacher["run"] == str(small_student.path)
    student = Student.load(small_student.model, small_student.weights).eval()
    part = prepare_training(small_options, place / "cache").train
    stored = teacher_outputs(StudentAsTeacher(student), small_student.listening, part, place / "cache")
    spec = small_student.listening.logmel
    x = torch.from_numpy(((part.features[:3] - spec.mean) / spec.std).astype(np.float32))[:, None]
    with torch.inference_mode():
        np.testing.assert_allclose(stored.logits[:3], student(x), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(stored.embedding[:3], student.embed(x), rtol=1e-4, atol=1e-4)


def test_names_of_runs(small_settings, alone):
    assert run_name(small_settings) == "cnn6-from-m2d-tiny-from-scratch"
    assert run_name(replace(small_settings, teacher_run=str(alone.path))) == "cnn6-from-cnn6-labels-alone"
    without = replace(small_settings, losses=ALONE)
    assert run_name(without) == "cnn6-labels-alone"
    assert "from labels alone" in describe(without)


def test_settings_of_before_still_start(small_settings):
    from dataclasses import asdict

    from distill.settings import DistillSettings
    from lungsound.files.record import read_values

    values = json.loads(json.dumps(asdict(small_settings)))
    for new in ("from_run", "student_weights", "watch"):
        del values[new]
    assert read_values(DistillSettings, values) == small_settings
