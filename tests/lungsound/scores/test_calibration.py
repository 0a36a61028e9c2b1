"""Calibration against torchmetrics, scikit-learn and scipy's own minimum."""

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before torchmetrics, which imports torchvision

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.functional.classification import binary_calibration_error

from lungsound.scores.calibration import BINS, calibration, fitted_temperature, sigmoid, weighted_calibration

LABELS = ("crackle", "wheeze")


def made(seed, rows=300, sharpness=1.0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (rows, 2))
    return (rng.random(logits.shape) < sigmoid(logits)).astype(int), logits * sharpness


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 3.0])
def test_errors_are_those_of_torchmetrics_and_scikit_learn(sharpness):
    truth, logits = made(0, sharpness=sharpness)
    found = calibration(truth, logits, LABELS)
    sides = [(truth[:, 0], logits[:, 0]), (truth[:, 1], logits[:, 1]), (truth.max(axis=1), logits.max(axis=1))]
    for name, (has, logit) in zip((*LABELS, "any"), sides, strict=True):
        said = 1 / (1 + np.exp(-logit))
        wanted = binary_calibration_error(torch.tensor(said), torch.tensor(has), n_bins=BINS)
        assert found[name]["ece"] == pytest.approx(float(wanted), abs=1e-6)
        assert found[name]["brier"] == pytest.approx(brier_score_loss(has, said))
        bins = found[name]["bins"]
        assert sum(one["n"] for one in bins) == len(has)
        gaps = sum(one["n"] * abs(one["said"] - one["found"]) for one in bins) / len(has)
        assert found[name]["ece"] == pytest.approx(gaps)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_a_draw_is_calibrated_as_its_rows_written_out(seed):
    truth, logits = made(seed, rows=25)
    weights = np.random.default_rng(seed).integers(0, 3, (2, 25)) + np.eye(2, 25, dtype=int)
    found = weighted_calibration(truth, logits, LABELS, weights.astype(float))
    for draw, counts in enumerate(weights):
        repeated = np.repeat(np.arange(25), counts)
        wanted = calibration(truth[repeated], logits[repeated], LABELS)
        for name, errors in found.items():
            assert {figure: value[draw] for figure, value in errors.items()} == pytest.approx(
                {figure: wanted[name][figure] for figure in ("brier", "ece")}
            )


@pytest.mark.parametrize("sharpness", [0.25, 1.0, 4.0])
def test_the_temperature_has_the_least_cross_entropy(sharpness):
    truth, logits = made(1, rows=2000, sharpness=sharpness)
    temperature = fitted_temperature(truth, logits)
    assert temperature == pytest.approx(sharpness, rel=0.1)

    def loss(divisor):
        return log_loss(truth.ravel(), sigmoid(logits / divisor).ravel())

    assert loss(temperature) <= min(loss(temperature * 1.01), loss(temperature / 1.01))
    raw, tempered = (calibration(truth, logits / divisor, LABELS)["crackle"]["ece"] for divisor in (1, temperature))
    assert tempered <= raw + 0.01


def test_perfect_and_useless_logits_have_a_temperature_of_a_number():
    truth = np.array([[0, 1], [1, 0]])
    assert 0 < fitted_temperature(truth, 2.0 * truth - 1) < 0.1
    assert np.isfinite(fitted_temperature(truth, 1.0 - 2 * truth))
