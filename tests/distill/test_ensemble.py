"""Several teachers: the mean of their logits, one projection for each embedding, and all of them credited."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from distill import training
from distill.losses import LossWeights
from distill.module import DistillModule
from distill.settings import DistillSettings
from distill.start import run_name
from distill.store import TeacherOutputs
from distill.taught import mean_logits, outputs_of, teacher_runs_of
from distill.training import distill
from export.making import Origin
from lungsound.errors import InputError
from lungsound.features import prepare
from lungsound.logmel import SPECS
from lungsound.training.data import prepare_training
from lungsound.training.optimisation import Optimisation
from lungsound.training.runs import WEIGHTS_FILE, Run
from lungsound.training.settings import load_settings
from lungsound.training.weights import save_weights
from lungsound.training.window_dataset import network_input
from students.student import Student, StudentConfig
from teachers.encoder import find
from teachers.teacher import Teacher, TeacherConfig


@pytest.fixture(scope="module")
def cnn(small_teacher, tmp_path_factory):
    """The run of a teacher of another family that hears another log-mel and tells the labels in another order."""
    listening = replace(
        small_teacher.listening,
        logmel=SPECS["device_4k_32ms"].with_statistics(-9.0, 2.5),
        labels=small_teacher.listening.labels[::-1],
    )
    torch.manual_seed(3)
    kind, _ = find("cnn6")
    teacher = Teacher(TeacherConfig(kind.scratch_config("0.125", listening), (4,), pooling="mean", classes=2))
    path = tmp_path_factory.mktemp("teachers") / "cnn"
    path.mkdir()
    save_weights(teacher, path / WEIGHTS_FILE)
    card = {"name": "cnn6-small", "licence": "CC BY 4.0", "paper": "Kong et al. 2020", "weights": "Cnn6.pth"}
    run = replace(small_teacher, path=path, model=teacher.config.to_dict(), listening=listening, teacher=card)
    run.save()
    return Run.load(path)


@pytest.fixture(scope="module")
def three(small_teacher, cnn, small_student):
    """An M2D, a CNN and a student, each with ears of its own."""
    return [small_teacher, cnn, small_student]


@pytest.fixture(scope="module")
def part(small_options, place):
    return prepare_training(small_options, place / "cache").train


def said_by(run, part, cache):
    """The logits of a run's network, by the student's labels, in float64."""
    windows = prepare(part.windows, run.listening.logmel, run.listening.seconds, cache)
    x = torch.from_numpy(network_input(run.listening.logmel, np.array(windows)))
    network = Student if run.kind == "student" else Teacher
    with torch.inference_mode():
        logits = network.load(run.model, run.weights).eval()(x)
    logits = (logits if run.kind == "student" else logits.logits).double().numpy()
    return logits[:, [run.listening.labels.index(label) for label in ("crackle", "wheeze")]]


def test_a_student_of_three_learns_from_the_mean_of_what_each_says(three, part, small_settings, place, monkeypatch):
    settings = replace(small_settings, teacher_run=tuple(str(run.path) for run in three), epochs=1)
    stored = []

    class Dataset(training.WindowDataset):
        def __init__(self, labels, features, logmel, given=None):
            stored.append(given)
            super().__init__(labels, features, logmel, given)

    monkeypatch.setattr(training, "WindowDataset", Dataset)
    before = {folder.name for folder in (place / "cache" / "teacher_outputs").iterdir()}
    run = distill(settings, place / "runs" / "of-three", place / "cache")
    entries = {folder.name for folder in (place / "cache" / "teacher_outputs").iterdir()}
    each = np.mean([said_by(teacher, part, place / "cache") for teacher in three], axis=0)
    np.testing.assert_allclose(stored[0]["logits"], each, rtol=0, atol=1e-4)
    assert before <= entries
    assert len(entries - before) <= 4  # training and validation of two; those of the small student's are there

    assert load_settings(run.path, DistillSettings) == settings
    assert [card["run"] for card in run.teachers] == [str(teacher.path) for teacher in three]
    assert [card["name"] for card in run.teachers] == [
        "m2d-tiny-from-scratch", "cnn6-small", "cnn6-from-m2d-tiny-from-scratch"
    ]  # fmt: skip
    assert run.teacher["name"] == "m2d-tiny-from-scratch+cnn6-small+cnn6-from-m2d-tiny-from-scratch"
    bundled = Origin.of_run(run).teacher
    assert bundled["licence"] == "Apache-2.0; CC BY 4.0"
    assert bundled["paper"] == "this project; Kong et al. 2020"
    assert run_name(settings) == "cnn6-from-3-teachers"


def test_one_teacher_is_stored_as_it_always_was(small_student, small_settings):
    assert small_student.teachers == ()
    alone = replace(small_settings, teacher_run=(small_settings.teacher_run,))
    assert (alone, alone.teacher_runs) == (small_settings, (small_settings.teacher_run,))
    assert replace(small_settings, teacher_run=()).teacher_run is None


@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_the_mean_is_the_formula_in_any_order(seed, count):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 10, (count, 6, 3)).astype(np.float32)
    said = [TeacherOutputs(one, one) for one in logits]
    together = mean_logits(said)
    np.testing.assert_allclose(together, sum(one.astype(np.float64) for one in logits) / count, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(mean_logits([said[place] for place in rng.permutation(count)]), together, rtol=1e-6)
    np.testing.assert_array_equal(mean_logits(said[:1] * count), logits[0])
    assert mean_logits(said[:1]) is said[0].logits


def test_two_teachers_of_equal_weights_say_what_one_says(small_teacher, part, small_settings, place, tmp_path):
    shutil.copytree(small_teacher.path, tmp_path / "copy")
    settings = replace(small_settings, teacher_run=(str(small_teacher.path), str(tmp_path / "copy")))
    runs = teacher_runs_of(settings)
    both = [outputs_of(run, part, settings.data.labels, place / "cache") for run in runs]
    np.testing.assert_array_equal(mean_logits(both), both[0].logits)


def test_each_embedding_has_a_projection_and_all_count_alike():
    torch.manual_seed(0)
    student = Student(StudentConfig(width=0.0625, heads=1))
    nothing = nn.Identity()
    module = DistillModule(student, (3, 50), LossWeights(logits=0), Optimisation(1e-3, 0.0), nothing, nothing).eval()
    x, near, far = torch.randn(4, 1, 64, 64), torch.randn(4, 3), 1000 * torch.randn(4, 50)
    batch = {"x": x, "labels": torch.zeros(4, 2), "embedding_1": near, "embedding_2": far}
    with torch.no_grad():
        loss = module.losses(batch)["embedding"]
        pooled = student.pool(student.features(x)).double().numpy()
    weight, bias = (value.detach().double().numpy() for value in module.projector.parameters())
    distances = []
    for rows, theirs in ((slice(0, 3), near), (slice(3, 53), far)):
        ours, theirs = pooled @ weight[rows].T + bias[rows], theirs.double().numpy()
        lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
        distances.append((1 - (ours * theirs).sum(1) / lengths).mean())
    assert float(loss) == pytest.approx(np.mean(distances), rel=1e-5)


def test_teachers_that_do_not_go_together(small_teacher, cnn, small_settings, tmp_path):
    def refused(*runs):
        with pytest.raises(InputError) as error:
            teacher_runs_of(replace(small_settings, teacher_run=tuple(str(run) for run in runs)))
        return str(error.value)

    other = replace(cnn, path=tmp_path / "other", listening=replace(cnn.listening, labels=("crackle", "rhonchus")))
    shutil.copytree(cnn.path, other.path)
    other.save()
    said = refused(small_teacher.path, other.path)
    assert said.startswith(f"{other.path}: the teacher tells crackle, rhonchus, not wheeze")
    more = replace(other, listening=replace(cnn.listening, labels=("crackle", "wheeze", "rhonchus")))
    replace(more, thresholds=(0.0, 0.0, 0.0)).save()
    said = refused(small_teacher.path, other.path)
    assert said == (
        f"{other.path}: tells crackle, wheeze, rhonchus, and {small_teacher.path} tells crackle, wheeze; teachers that "
        "teach together tell the same labels"
    )
    assert "named twice" in refused(small_teacher.path, small_teacher.path / ".." / small_teacher.path.name)
    assert "no finished run here" in refused(small_teacher.path, tmp_path)
