"""Figures that may choose the epoch are those that a training logs."""

import csv

import pytest

from distill.losses import LossWeights
from distill.training import logged_losses
from lungsound.errors import InputError
from lungsound.labels import LABELS
from lungsound.scores.watch import watched
from teachers.finetune import LOSSES


def logged(run):
    with next((run.path / "log").rglob("metrics.csv")).open() as file:
        names = csv.DictReader(file).fieldnames or []
    return {name for name in names if name.startswith(("train_", "val_"))}


@pytest.mark.parametrize("kind", ["teacher", "student"])
def test_every_figure_that_is_logged_may_be_watched_and_no_other(kind, small_teacher, small_student):
    run, losses = {
        "teacher": (small_teacher, LOSSES),
        "student": (small_student, logged_losses(LossWeights())),
    }[kind]
    names = logged(run)
    assert {name: watched(name, LABELS, losses) for name in names} == {
        name: "max" if "auroc" in name else "min" for name in names
    }
    with pytest.raises(InputError) as caught:
        watched("val_nonsense", LABELS, losses)
    assert set(str(caught.value).rpartition("choose one of ")[2].split(", ")) == names


def test_a_loss_that_does_not_count_is_not_logged():
    with pytest.raises(InputError, match="--watch train_embedding: never logged"):
        watched("train_embedding", LABELS, logged_losses(LossWeights(embedding=0)))
