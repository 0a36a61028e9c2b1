"""Students that start from published weights: what a run keeps of them, and which files are refused."""

from dataclasses import replace

import pytest
import torch
from published_panns import published_file

from distill.losses import LossWeights
from distill.settings import DistillSettings
from distill.start import note_another_logmel, start_of
from distill.training import distill
from export.making import Origin
from lungsound.errors import InputError
from lungsound.training.settings import load_settings
from lungsound.training.weights import sha256_of
from students.student import Student, StudentConfig

WIDTHS = (8, 8, 16, 32)
"""Of a student of width 1/16, as if PANNs had published one."""


@pytest.fixture
def weights(tmp_path):
    """Such a file."""
    path = tmp_path / "Cnn6_mAP=0.343.pth"
    published_file(path, widths=WIDTHS)
    return path


@pytest.fixture
def settings(small_options, weights):
    """A training of one epoch on labels alone that starts from it."""
    student = StudentConfig(width=1 / 16, heads=2)
    alone = LossWeights(logits=0, embedding=0)
    return DistillSettings(None, small_options, student, alone, epochs=1, student_weights=str(weights))


def test_a_run_keeps_file_licence_and_sha256(settings, weights, place, tmp_path, capsys):
    run = distill(settings, tmp_path / "run", place / "cache")
    assert (
        "were trained on the log-mel panns_32k (32000 Hz, 64 mels from 50 to 14000 Hz every 10 ms), this student "
        in (said := " ".join(capsys.readouterr().err.split()))
    )
    assert said.count("note:") == 1
    digest = sha256_of(weights)
    kept = {"student_weights": str(weights), "student_weights_sha256": digest}
    assert kept.items() <= run.options.items()
    assert (run.teacher["weights"], run.teacher["weights_sha256"]) == (weights.name, digest)

    bundled = Origin.of_run(run).teacher
    assert bundled["licence"] == "Apache-2.0; CC BY 4.0 (weights), MIT (code)"
    assert bundled["paper"].startswith("labels alone; started from PANNs CNN6, AudioSet (Kong et al. 2020")

    again = load_settings(run.path, DistillSettings)
    assert kept.items() <= vars(again).items()
    resumed = distill(again, run.path, place / "cache")
    before, after = (Student.load(r.model, r.weights).state_dict() for r in (run, resumed))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_resumed_training_takes_no_other_file(settings, weights):
    began = replace(settings, student_weights_sha256=sha256_of(weights))
    assert start_of(began).credit == start_of(settings).credit
    published_file(weights, widths=WIDTHS, **{"bn0.bias": torch.ones(64)})
    with pytest.raises(InputError, match="not the file that this training began with, its sha256 is another; restore"):
        start_of(began)
    weights.unlink()
    with pytest.raises(InputError, match=r"missing; get Cnn6_mAP=0\.343\.pth from https://zenodo"):
        start_of(began)


def test_weights_that_hear_the_same_say_nothing(settings, capsys):
    start = start_of(settings)
    note_another_logmel(start, replace(settings, data=replace(settings.data, logmel="panns_32k")))
    assert capsys.readouterr().err == ""
