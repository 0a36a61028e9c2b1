"""Scores in which rows count several times, against the scores of the rows written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungsound.scores.metrics import label_scores
from lungsound.scores.paired import intervals, patient_draws, patient_weights
from lungsound.scores.sprsound import sprsound_scores
from lungsound.scores.weighted import weighted_label_scores, weighted_sprsound_scores

LABELS = {("crackle", "wheeze"), ("crackle", "cough", "snore")}


def flat(scores, before=""):
    """Figures by their dotted names."""
    found = {}
    for name, value in scores.items():
        found |= flat(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value}
    return found


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from(sorted(LABELS)))
def test_a_draw_is_scored_as_its_rows_written_out(seed, rows, labels):
    rng = np.random.default_rng(seed)
    truth, said = rng.integers(0, 2, (2, rows, len(labels)))
    logits, weights = rng.integers(0, 5, truth.shape) / 4, rng.integers(0, 3, (3, rows))
    weights[:, 0] += 1  # no draw is empty
    found = flat(weighted_label_scores(truth, logits, said, labels, weights.astype(float)))
    for draw, counts in enumerate(weights):
        repeated = np.repeat(np.arange(rows), counts)
        wanted = flat(label_scores(truth[repeated], logits[repeated], said[repeated], labels))
        del wanted["n"]
        assert {name: value[draw] for name, value in found.items()} == pytest.approx(wanted, nan_ok=True)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_a_task_is_scored_as_its_rows_written_out(seed, rows):
    rng = np.random.default_rng(seed)
    truth, said = rng.integers(0, 4, (2, rows))
    weights = rng.integers(0, 3, (3, rows))
    found = weighted_sprsound_scores(truth, said, (1,), weights.astype(float))
    for draw, counts in enumerate(weights):
        repeated = np.repeat(np.arange(rows), counts)
        wanted = sprsound_scores(truth[repeated], said[repeated], (1,))
        assert {name: value[draw] for name, value in found.items()} == pytest.approx(wanted, nan_ok=True)


def test_blocks_of_draws_are_the_draws(monkeypatch):
    patients = [f"p{number % 7}" for number in range(30)]
    whole = patient_weights(patients, 50)
    monkeypatch.setattr("lungsound.scores.paired._AT_ONCE", 30 * 8)
    blocks = list(patient_draws(patients, 50))
    assert [len(block) for block in blocks] == [8] * 6 + [2]
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    values = np.random.default_rng(0).random(30)
    found = intervals(lambda weights: {"mean": {"of": weights @ values / weights.sum(axis=1)}}, patients, 50)
    assert found["mean"]["of"] == pytest.approx(np.quantile(whole @ values / whole.sum(axis=1), [0.025, 0.975]))
