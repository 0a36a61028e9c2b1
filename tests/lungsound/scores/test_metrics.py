"""Scores against counts done by hand and formulas written out."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungsound.labels import classes_from_labels
from lungsound.scores.metrics import (
    auroc,
    choose_threshold,
    choose_thresholds,
    icbhi_scores,
    label_scores,
    sprsound_events,
    sprsound_records,
    sprsound_scores,
)
from lungsound.scores.no_sound import no_sound_scores

four_classes = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


def test_classes_and_labels_are_the_same_thing():
    assert classes_from_labels([[0, 0], [1, 0], [0, 1], [1, 1]]).tolist() == [0, 1, 2, 3]


def test_icbhi_scores_of_a_confusion_counted_by_hand():
    # 4 normals (3 right), 3 crackles (1 right, 1 called both, 1 called normal), 2 wheezes (1 right, 1 called crackle)
    truth = [0, 0, 0, 0, 1, 1, 1, 2, 2]
    said = [0, 0, 0, 1, 1, 3, 0, 2, 1]
    scores = icbhi_scores(truth, said)
    assert scores["sp"] == 3 / 4
    assert scores["se"] == 2 / 5
    assert scores["se_any"] == 4 / 5
    assert scores["score"] == (3 / 4 + 2 / 5) / 2
    assert scores["score_any"] == (3 / 4 + 4 / 5) / 2


@given(four_classes)
def test_any_abnormal_sensitivity_is_never_below_exact(pairs):
    truth, said = map(list, zip(*pairs, strict=True))
    scores = icbhi_scores(truth, said)
    if any(truth):
        assert scores["se_any"] >= scores["se"]
        correct = sum(t == s for t, s in pairs if t) / sum(t != 0 for t in truth)
        assert scores["se"] == pytest.approx(correct)
    else:
        assert math.isnan(scores["se"])


def test_sprsound_scores_follow_the_formulas():
    truth = [0, 0, 0, 1, 1, 1, 1, 1]
    said = [0, 0, 1, 1, 1, 1, 1, 0]
    sp, se = 2 / 3, 4 / 5
    average, harmonic = (sp + se) / 2, 2 * sp * se / (sp + se)
    scores = sprsound_scores(truth, said)
    assert scores == pytest.approx(
        {"sp": sp, "se": se, "as": average, "hs": harmonic, "score": (average + harmonic) / 2}
    )


def test_poor_quality_counts_in_neither_sensitivity_nor_specificity():
    names = ["Normal", "Poor Quality", "CAS", "DAS", "CAS & DAS", "CAS"]
    labels = [[0, 0], [1, 1], [0, 1], [1, 0], [1, 1], [1, 0]]
    scores = sprsound_records(names, labels)
    assert scores["2-1"]["sp"] == 1
    assert scores["2-1"]["se"] == 1  # ternary: any adventitious class is one class
    assert scores["2-2"]["se"] == 3 / 4  # the last CAS was called DAS


def test_task_1_1_takes_any_label_as_adventitious():
    scores = sprsound_events(["Normal", "Rhonchi", "Fine Crackle"], [[0, 0], [1, 0], [0, 0]])
    assert (scores["sp"], scores["se"]) == (1.0, 0.5)


@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=40))
def test_auroc_is_the_share_of_ordered_pairs(rows):
    truth = np.array([row[0] for row in rows])
    score = np.array([row[1] for row in rows], dtype=float)
    if truth.all() or not truth.any():
        assert math.isnan(auroc(truth, score))
        return
    gaps = score[truth][:, None] - score[~truth][None, :]
    assert auroc(truth, score) == pytest.approx(((gaps > 0) + 0.5 * (gaps == 0)).mean())


@given(st.integers(0, 10_000))
def test_chosen_thresholds_are_at_least_as_good_as_zero(seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, (50, 2))
    logits = truth + rng.normal(0, 1, (50, 2)) - 0.5
    thresholds = choose_thresholds(truth, logits)
    chosen = label_scores(truth, logits, logits >= thresholds)["score"]
    assert chosen >= label_scores(truth, logits, logits >= 0)["score"] - 1e-12


def test_youden_threshold_separates_what_is_separable():
    truth, logits = np.array([0, 0, 1, 1]), np.array([-2.0, 0.1, 0.3, 4.0])
    assert (logits >= choose_threshold(truth, logits)).astype(int).tolist() == truth.tolist()


def test_length_alone_decides_where_length_is_the_label():
    def windows(seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        crackle = rng.integers(0, 2, 200)
        seconds = np.where(crackle, 0.7, 1.5) * rng.uniform(0.9, 1.1, 200)
        return pd.DataFrame({"start": 1.0, "end": 1.0 + seconds, "crackle": crackle, "wheeze": 0})

    scores = no_sound_scores(windows(0), windows(1))
    assert scores["auroc"]["crackle"] == 1.0
    assert scores["score"] > 0.98
    assert scores["binary"]["score"] > 0.98


def test_length_that_says_nothing_scores_like_chance():
    rng = np.random.default_rng(3)
    table = pd.DataFrame(
        {"start": 0.0, "end": rng.uniform(1, 3, 2000), "crackle": rng.integers(0, 2, 2000), "wheeze": 0}
    )
    scores = no_sound_scores(table[:1000], table[1000:])
    assert abs(scores["auroc"]["crackle"] - 0.5) < 0.06
