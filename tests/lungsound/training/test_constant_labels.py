"""Where a label does not vary on validation, epoch and thresholds are chosen by the others, and the run says so."""

from dataclasses import replace

import numpy as np
import pytest
from small_sprsound import small_sprsound

from distill.losses import LossWeights
from distill.training import distill
from lungsound.errors import InputError
from lungsound.scores.metrics import choose_threshold, choose_thresholds
from lungsound.scores.watch import watchable
from lungsound.training.runs import Run

BOTH = ("crackle", "wheeze")


@pytest.mark.parametrize("value", [0, 1])
def test_the_threshold_of_a_label_that_does_not_vary_is_0_and_the_other_ones_is_its_own(value):
    draw = np.random.default_rng(0)
    truth = np.column_stack([draw.integers(0, 2, 40), np.full(40, value)])
    logits = draw.normal(size=(40, 2)) + 2 * truth - 3
    crackle, wheeze = choose_thresholds(truth, logits, BOTH)
    assert wheeze == 0

    def balanced(threshold):
        given = logits[:, 0] >= threshold
        return given[truth[:, 0] == 1].mean() + (~given)[truth[:, 0] == 0].mean()

    assert balanced(crackle) == max(map(balanced, logits[:, 0]))


def test_without_normal_windows_each_label_is_chosen_by_itself():
    draw = np.random.default_rng(1)
    crackle = draw.integers(0, 2, 40)
    truth = np.column_stack([crackle, 1 - crackle])
    logits = draw.normal(size=(40, 2)) + truth
    assert choose_thresholds(truth, logits, BOTH) == tuple(choose_threshold(truth[:, i], logits[:, i]) for i in (0, 1))


def test_an_epoch_is_chosen_by_what_is_defined(capsys):
    varied, constant = np.array([[0, 1], [1, 0], [1, 1]]), np.array([[0, 1], [0, 1], [0, 1]])
    half = np.array([[0, 1], [0, 0]])
    assert watchable("val_auroc", "max", BOTH, varied) == ("val_auroc", "max")
    assert watchable("val_auroc", "max", BOTH, half) == ("val_auroc", "max")
    assert watchable("val_auroc_wheeze", "max", BOTH, half) == ("val_auroc_wheeze", "max")
    assert capsys.readouterr().err == ""
    assert watchable("val_auroc", "max", BOTH, constant) == ("val_loss", "min")
    assert "val_loss chooses the epoch" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"--watch val_auroc_crackle: .*alike in crackle; watch another"):
        watchable("val_auroc_crackle", "max", BOTH, half)


def test_it_is_said_before_training_and_in_the_run(small_settings, place, tmp_path, capsys):
    root = small_sprsound(place / "corpus", tmp_path / "sprsound")
    for file in root.glob("train2022_json/*.json"):
        file.write_text(file.read_text().replace("Stridor", "Rhonchi"))
    options = replace(small_settings.data, data=(f"sprsound:{root}",), labels=("stridor", "rhonchi"))
    alone = replace(small_settings, data=options, losses=LossWeights(logits=0, embedding=0), epochs=1, teacher_run=None)
    run = distill(alone, tmp_path / "run", place / "cache")
    told = capsys.readouterr().err
    sentence = "no window of the validation part has stridor: no say in the epoch, and 0 for a threshold"
    assert sentence in run.notes
    assert told.index(sentence) < told.index("epoch 1/1")
    assert run.thresholds[0] == 0
    assert Run.load(run.path).notes == run.notes
    with pytest.raises(InputError, match="--watch val_auroc_stridor"):
        distill(replace(alone, watch="val_auroc_stridor"), tmp_path / "other", place / "cache")
    assert not (tmp_path / "other").exists()
