"""A small distillation from end to end: what is stored, what is reused, what a resumption gives."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from distill.losses import LossWeights
from distill.settings import DistillSettings
from distill.store import teacher_outputs
from distill.training import distill
from lungsound.errors import InputError
from lungsound.training.data import prepare_training
from lungsound.training.runs import Run
from lungsound.training.settings import load_settings, save_settings
from lungsound.training.trainer import TellEachEpoch
from lungsound.training.window_dataset import predict
from students.student import Student, StudentConfig
from teachers.m2d.encoder import M2DEncoder
from teachers.m2d.names import SIZES, M2DName
from teachers.settings import FinetuneSettings
from teachers.teacher import Teacher
from teachers.training import finetune, finetuned


def test_a_finished_run_tells_what_it_is(small_student, small_teacher, small_options):
    run = Run.load(small_student.path)
    assert run == small_student
    assert run.split["hash"] == small_teacher.split["hash"]
    assert run.teacher["licence"] == "Apache-2.0"
    assert run.protocols == ("stream",)
    assert set(run.validation) >= {"sp", "se", "score", "auroc", "n"}


def test_statistics_are_those_of_the_training_part(small_student, small_options, place):
    data = prepare_training(small_options, place / "cache")
    spec = small_student.listening.logmel
    values = np.asarray(data.train.features, dtype=np.float64)
    assert (spec.mean, spec.std) == pytest.approx((values.mean(), values.std()), rel=1e-9)


def test_no_patient_of_validation_is_heard_in_training(small_options, place):
    data = prepare_training(small_options, place / "cache")
    assert not set(data.train.windows["patient"]) & set(data.validation.windows["patient"])


def test_stored_weights_give_the_figures_of_the_run(small_student, small_options, place):
    part = prepare_training(small_options, place / "cache").validation
    model = Student.load(small_student.model, small_student.weights).eval()
    logits = predict(model, part.features, small_student.listening.logmel)
    decided = logits >= np.asarray(small_student.thresholds)
    normal = ~part.labels.any(axis=1)
    assert small_student.validation["sp"] == pytest.approx((~decided[normal].any(axis=1)).mean())


def test_teacher_outputs_are_those_of_the_teacher(small_student, small_teacher, small_options, place):
    part = prepare_training(small_options, place / "cache").train
    model = Teacher.load(small_teacher.model, small_teacher.weights).eval()
    stored = teacher_outputs(model, small_teacher.listening, part, place / "cache")
    spec = small_teacher.listening.logmel
    rows = [0, len(part.windows) // 2, len(part.windows) - 1]
    x = torch.from_numpy(((part.features[rows] - spec.mean) / spec.std).astype(np.float32))[:, None]
    with torch.inference_mode():
        said = model(x)
    np.testing.assert_allclose(stored.logits[rows], said.logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(stored.embedding[rows], said.embedding, rtol=1e-4, atol=1e-4)


def test_a_second_student_does_not_run_the_teacher(small_student, small_settings, place, monkeypatch):
    def forbidden(*_):
        pytest.fail("the teacher ran again")

    monkeypatch.setattr(Teacher, "forward", forbidden)
    other = replace(small_settings, student=StudentConfig(width=0.125, heads=1), epochs=1)
    assert distill(other, place / "runs" / "second", place / "cache").model["heads"] == 1


def test_a_killed_training_resumes_to_the_same_weights(small_student, small_settings, place, monkeypatch):
    folder = place / "runs" / "killed"

    class Killed(Exception):
        pass

    def die(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(TellEachEpoch, "on_train_epoch_end", die)
        with pytest.raises(Killed):
            distill(small_settings, folder, place / "cache")
    assert not (folder / "run.json").exists()
    with pytest.raises(InputError, match="no finished run"):
        Run.load(folder)

    resumed = distill(load_settings(folder, DistillSettings), folder, place / "cache")
    expected, got = load_file(small_student.weights), load_file(resumed.weights)
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    assert resumed.thresholds == small_student.thresholds


def test_without_teacher_losses_no_teacher_runs(small_settings, place, monkeypatch):
    monkeypatch.setattr(Teacher, "forward", lambda *_: pytest.fail("the teacher ran"))
    alone = replace(small_settings, losses=LossWeights(logits=0, embedding=0), epochs=1)
    assert distill(alone, place / "runs" / "alone", place / "cache").options["losses"]["labels"] == 1


def test_a_teacher_with_another_window_is_refused(small_settings, place, small_options):
    longer = replace(small_settings, data=replace(small_options, seconds=4.0))
    with pytest.raises(InputError, match=r"listens to 2\.0 s"):
        distill(longer, place / "runs" / "longer", place / "cache")
    assert not (place / "runs" / "longer").exists()


def test_a_teacher_of_the_same_settings_is_not_trained_twice(small_teacher, place, small_options, monkeypatch):
    monkeypatch.setattr("teachers.training._trained", lambda *_: pytest.fail("trained again"))
    settings = FinetuneSettings(data=small_options, epochs=1, layers=(2, 4))
    assert finetuned(settings, place / "runs", place / "cache") == small_teacher


@pytest.mark.parametrize("damage", ["{", "[]", '{"format": 1}', '{"format": 2}'])
def test_a_damaged_run_is_one_sentence(small_student, tmp_path, damage):
    shutil.copytree(small_student.path, tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(damage)
    with pytest.raises(InputError, match=r"run\.json"):
        Run.load(tmp_path / "run")


def test_settings_survive_json(small_settings, tmp_path):
    save_settings(small_settings, tmp_path, "0f" * 32)
    assert load_settings(tmp_path, DistillSettings) == small_settings
    (tmp_path / "settings.json").write_text(json.dumps({"data": 1}))
    with pytest.raises(InputError, match="no settings to resume from"):
        load_settings(tmp_path, DistillSettings)


def test_published_weights_start_a_teacher(place, small_options, tmp_path, monkeypatch):
    """An encoder of the published layout, but narrow, is fine-tuned and credited by its folder's name."""
    monkeypatch.setitem(SIZES, "base", (32, 12, 2))
    name = "m2d_vit_base-80x208p16x16-221006-mr7"
    (tmp_path / name).mkdir()
    encoder = M2DEncoder(M2DName.parse(name).config)
    torch.save(encoder.state_dict(), tmp_path / name / "checkpoint-300.pth")
    chosen = replace(small_options, logmel="m2d")
    settings = FinetuneSettings(
        weights=str(tmp_path / name / "checkpoint-300.pth"), data=chosen, epochs=1, layers=(12,), batch_size=8
    )
    run = finetune(settings, tmp_path / "run", place / "cache")
    assert run.teacher["name"] == name
    assert "non-commercial" in run.teacher["licence"]
    assert (run.listening.logmel.mean, run.listening.logmel.std) == pytest.approx((-7.1, 4.2))


def test_a_run_names_what_its_student_loses(small_student, small_teacher, small_options, place):
    """Counted anew from the weights of both, on windows whose recordings the run does not tell."""
    part = prepare_training(small_options, place / "cache").validation
    said = []
    for run, model in ((small_teacher, Teacher), (small_student, Student)):
        network = model.load(run.model, run.weights).eval()
        forward = network if model is Student else lambda x, network=network: network(x).logits
        said.append(predict(forward, part.features, run.listening.logmel) >= np.asarray(run.thresholds))
    taught, student = said
    for column, label in enumerate(small_student.listening.labels):
        (found,) = (flip for flip in small_student.flips if flip["class"] == label)
        had = (part.labels[:, column] == 1) & taught[:, column]
        lost = had & ~student[:, column]
        assert (found["had"], found["lost"]) == (had.sum(), lost.sum())
        assert {of["recording"] for of in found["recordings"]} == set(part.windows["recording"][lost])


def test_a_sensitive_student_is_trained_otherwise(small_student, small_settings, place):
    losses = LossWeights(positives=3.0, misses=False)
    settings = replace(small_settings, losses=losses, aim="sensitivity=0.95", epochs=1)
    run = distill(settings, place / "runs" / "sensitive", place / "cache")
    assert run.options["losses"]["positives"] == 3.0
    assert run.options["aim"] == "sensitivity=0.95"
    assert all(run.validation["sensitivity"][label] >= 0.95 for label in run.listening.labels)
