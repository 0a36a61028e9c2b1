"""What a teacher's training starts from, and what it is then called."""

from dataclasses import replace

import pytest
import torch
from published_m2d import make_base_narrow, published_m2d

from lungsound.errors import InputError
from lungsound.logmel import SPECS
from lungsound.training.runs import Run
from teachers.m2d.config import NORM_STATS
from teachers.settings import FinetuneSettings, usual_learning_rate, usual_logmel
from teachers.start import describe, run_name, start_of
from teachers.teacher import Teacher, TeacherConfig
from teachers.training import finetune


@pytest.fixture
def again(small_teacher, small_options):
    """Settings that go on from the small teacher."""
    return FinetuneSettings(from_run=str(small_teacher.path), layers=(2, 4), data=small_options, epochs=1)


def test_weights_and_statistics_of_a_run_are_taken(again, small_teacher):
    start = start_of(again)
    before = Teacher.load(small_teacher.model, small_teacher.weights).state_dict()
    assert all(torch.equal(before[name], value) for name, value in start.teacher.state_dict().items())
    assert start.logmel == small_teacher.listening.logmel
    assert start.credit == small_teacher.teacher | {"from_run": str(small_teacher.path)}


def test_a_teacher_with_other_labels_takes_all_but_the_head(again, small_teacher, tmp_path):
    other = replace(
        small_teacher,
        path=tmp_path / "other",
        listening=replace(small_teacher.listening, labels=("cough", "snore", "murmur")),
        thresholds=(0.0, 0.0, 0.0),
        model=small_teacher.model | {"classes": 3},
    )
    torch.manual_seed(1)
    teacher = Teacher(TeacherConfig.from_dict(other.model))
    other.path.mkdir()
    teacher.save_weights(other.weights)
    other.save()
    start = start_of(replace(again, from_run=str(other.path)))
    state, before = start.teacher.state_dict(), teacher.state_dict()
    assert state["head.weight"].shape[0] == 2
    assert all(torch.equal(before[name], state[name]) for name in state if not name.startswith("head."))


def test_a_run_tells_what_it_started_from(again, small_teacher, place, tmp_path):
    run = finetune(replace(again, freeze=True, watch="val_loss"), tmp_path / "run", place / "cache")
    assert run.options["from_run"] == run.teacher["from_run"] == str(small_teacher.path)
    assert run.teacher["licence"] == small_teacher.teacher["licence"]
    assert run.listening.logmel == small_teacher.listening.logmel
    before = Teacher.load(small_teacher.model, small_teacher.weights).encoder.state_dict()
    after = Teacher.load(run.model, run.weights).encoder.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layers": (1,)}, r"fuses layers \(2, 4\)"),
        ({"pooling": "tokens"}, "does the same"),
        ({"learnable": False}, "learnt weights"),
    ],
)
def test_another_fusion_than_the_runs_is_refused(again, change, said):
    with pytest.raises(InputError, match=said):
        start_of(replace(again, **change))


def test_another_logmel_than_the_runs_is_refused(again, small_options):
    with pytest.raises(InputError, match="give --logmel device_4k"):
        start_of(replace(again, data=replace(small_options, logmel="m2d")))


def test_published_weights_hear_their_own_logmel_or_that_of_their_application(small_options, tmp_path, monkeypatch):
    make_base_narrow(monkeypatch)
    file = published_m2d(tmp_path, "m2d_vit_base-80x200p16x4-230529")

    def heard(logmel):
        data = replace(small_options, logmel=logmel)
        return start_of(FinetuneSettings(weights=str(file), layers="last", data=data)).logmel

    statistics = torch.tensor(NORM_STATS).tolist()  # of float32, as the file has them
    assert heard("m2d") == SPECS["m2d"].with_statistics(*statistics)
    assert heard("m2d_db") is None  # mean and deviation of the corpus, which the weights do not know
    for other in ("m2d_32k", "multibreath", "panns_16k"):
        with pytest.raises(InputError, match=r"give --logmel m2d$"):
            heard(other)


def test_mobilenetv3_hears_faster_sound_too(small_options, shared):
    file = shared / "data" / "weights" / "mn04_as_mAP_432.pt"

    def heard(logmel):
        data = replace(small_options, logmel=logmel)
        return start_of(FinetuneSettings(teacher="mn04", weights=str(file), layers="last", data=data)).logmel

    assert heard("efficientat_32k") == SPECS["efficientat_32k"].with_statistics(-4.5, 5.0)
    assert heard("efficientat_16k") is heard("efficientat_8k") is None
    with pytest.raises(InputError, match="give --logmel efficientat_32k"):
        heard("panns_32k")


def test_a_student_is_no_teachers_start(again, small_student):
    with pytest.raises(InputError, match="the run of a student"):
        start_of(replace(again, from_run=str(small_student.path)))


def test_an_encoder_that_knows_nothing_is_not_frozen(small_options):
    with pytest.raises(InputError, match="cannot be frozen; give --size published, --weights or --from-run"):
        start_of(FinetuneSettings(data=small_options, freeze=True))


def test_an_unknown_figure_is_refused_before_anything_is_written(small_options, place, tmp_path):
    settings = FinetuneSettings(data=small_options, watch="val_accuracy")
    with pytest.raises(InputError, match=r"--watch val_accuracy: never logged; choose one of val_auroc, .*train_loss"):
        finetune(settings, tmp_path / "run", place / "cache")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "name", "words"),
    [
        (FinetuneSettings(), "m2d-tiny-from-scratch", "m2d of size tiny from scratch, without the weights of m2dx"),
        (FinetuneSettings("m2d", "small"), "m2d-small-from-scratch", "m2d of size small from scratch, whole"),
        (FinetuneSettings("cnn6", "0.5"), "cnn6-0.5-from-scratch", "cnn6 of size 0.5 from scratch"),
        (FinetuneSettings("cnn6", "published"), "Cnn6_mAP=0.343-fine-tuned", "published weights Cnn6_mAP=0.343"),
        (
            FinetuneSettings(size="published", freeze=True),
            "m2d_vit_base-80x608p16x16p16k-250826-AS+Resp400K-fine-tuned-frozen",
            "fusion and head alone",
        ),
        (
            FinetuneSettings(weights="w/m2d_vit_base-80x608p16x16-mine/checkpoint-1.pth"),
            "m2d_vit_base-80x608p16x16-mine-fine-tuned",
            "/w/m2d_vit_base-80x608p16x16-mine/checkpoint-1.pth, whole",
        ),
    ],
)
def test_a_run_is_named_after_what_it_is(settings, name, words):
    assert run_name(settings) == name
    assert words in describe(settings)


def test_a_continued_run_is_named_after_its_start(again, small_teacher):
    assert small_teacher.path.name.startswith("m2d-tiny-from-scratch-")
    assert run_name(again) == "m2d-tiny-from-scratch-continued"
    assert str(small_teacher.path) in describe(again)


def test_what_is_usual(small_teacher):
    run = Run.load(small_teacher.path)
    assert usual_logmel("m2dx", "tiny", None) == "device_4k"
    assert usual_logmel("m2dx", "published", None) == "m2d"
    assert usual_logmel("cnn6", "published", None) == "panns_32k"
    assert usual_logmel("m2dx", "tiny", None, run.path) == "device_4k"
    rates = [usual_learning_rate("tiny", None), usual_learning_rate("published", None)]
    assert [*rates, usual_learning_rate("tiny", None, run.path)] == [1e-3, 1e-4, 1e-4]
