"""Runs of things that decide nothing."""

from dataclasses import replace

import pytest
import torch

from lungsound.errors import InputError
from lungsound.training.runs import WEIGHTS_FILE, Run, newest_run
from lungsound.training.weights import save_weights


@pytest.fixture
def encoder_run(small_teacher, tmp_path):
    """What a pre-training would leave: an encoder alone, without thresholds."""
    from teachers.teacher import Teacher

    teacher = Teacher.load(small_teacher.model, small_teacher.weights)
    run = replace(
        small_teacher,
        path=tmp_path / "encoder",
        kind="encoder",
        model={"encoder": small_teacher.model["encoder"]},
        thresholds=(),
        validation={},
        teacher=small_teacher.teacher | {"name": "pre-trained", "licence": "CC BY 4.0"},
    )
    run.path.mkdir()
    save_weights(teacher.encoder, run.path / WEIGHTS_FILE)
    run.save()
    return run


def test_thresholds_may_be_missing(encoder_run):
    run = Run.load(encoder_run.path)
    assert run == encoder_run
    assert newest_run(encoder_run.path.parent, "encoder") == run
    with pytest.raises(InputError, match=r"this encoder has no thresholds, so it cannot decide; .*--from-run"):
        run.decisive()


def test_whoever_needs_a_decision_says_so(encoder_run, small_settings, place):
    from auscult.ledger.classifier import open_classifier
    from distill.taught import teacher_runs_of
    from export.command import export_run

    with pytest.raises(InputError, match="no thresholds"):
        open_classifier(encoder_run.path, "xnnpack")
    with pytest.raises(InputError, match="the run of an encoder"):
        export_run(encoder_run, place / "never")
    with pytest.raises(InputError, match="fine-tune it first"):
        teacher_runs_of(replace(small_settings, teacher_run=str(encoder_run.path)))


def test_a_teacher_starts_from_an_encoder(encoder_run, small_teacher, small_options, place, tmp_path):
    from teachers.settings import FinetuneSettings
    from teachers.start import start_of
    from teachers.teacher import Teacher

    start = start_of(FinetuneSettings(from_run=str(encoder_run.path), layers=(3,), data=small_options, freeze=True))
    before = Teacher.load(small_teacher.model, small_teacher.weights).encoder.state_dict()
    after = start.teacher.encoder.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert start.teacher.fusion.layers == (3,)
    assert start.logmel == encoder_run.listening.logmel
    assert start.credit["licence"] == "CC BY 4.0"
    assert start.credit["from_run"] == str(encoder_run.path)
