"""Falls of sensitivity and Score, against counts by hand and a bootstrap written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.falls import falls
from lungsound.labels import classes_from_labels
from lungsound.scores.metrics import icbhi_scores, label_scores

FOUR = ("crackle", "wheeze")
OTHER = ("cough", "snore", "murmur")


def drawn(seed: int, labels: int, windows: int = 60, patients: int = 7):
    rng = np.random.default_rng(seed)
    truth = (rng.random((windows, labels)) < 0.4).astype(np.int64)
    exact, int8 = ((truth == 1) ^ (rng.random(truth.shape) < share) for share in (0.2, 0.3))
    return truth, exact, int8, [f"p{i}" for i in rng.integers(0, patients, windows)]


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.sampled_from([FOUR, OTHER]))
def test_figures_are_those_of_the_scores(seed, labels):
    truth, exact, int8, patients = drawn(seed, len(labels))
    found = {fall.figure: fall for fall in falls(truth, {"float": exact, "a": int8}, patients, labels)}
    before, after = (label_scores(truth, np.where(given, 1.0, -1.0), given, labels) for given in (exact, int8))
    due = {f"sensitivity {label}": label for label in (*labels, "any")}
    for figure, label in due.items():
        assert found[figure].float_value == pytest.approx(before["sensitivity"][label])
        assert found[figure].int8_value == pytest.approx(after["sensitivity"][label])
    rest = ("se", "score") if labels == FOUR else ("balanced_accuracy",)
    assert set(found) == {*due, *rest}
    for figure in rest:
        assert found[figure].fall == pytest.approx(before[figure] - after[figure])


def test_the_interval_is_that_of_patients_drawn_together():
    truth, exact, int8, patients = drawn(3, 2)
    found = {fall.figure: fall for fall in falls(truth, {"float": exact, "a": int8}, patients, FOUR)}
    names, rng, differences = sorted(set(patients)), np.random.default_rng(0), []
    windows = {name: np.flatnonzero(np.asarray(patients) == name) for name in names}
    for draw in rng.integers(0, len(names), (1000, len(names))):
        chosen = np.concatenate([windows[names[i]] for i in draw])
        classes, *said = (classes_from_labels(given[chosen]) for given in (truth, exact, int8))
        before, after = (icbhi_scores(classes, given)["se"] for given in said)
        differences.append(before - after)
    assert found["se"].interval == pytest.approx(np.nanquantile(differences, [0.025, 0.975]))


def test_what_nobody_has_has_no_figure():
    truth = np.array([[1, 0], [0, 0]] * 5)
    found = falls(truth, {"float": truth == 1, "a": truth == 1}, [f"p{i}" for i in range(10)], FOUR)
    assert {fall.figure for fall in found} == {"sensitivity crackle", "sensitivity any", "se", "score"}
    assert all(fall.fall == 0 and fall.shown and not fall.lost for fall in found)
