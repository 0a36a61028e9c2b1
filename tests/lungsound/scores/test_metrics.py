"""Scores against counts done by hand and formulas written out."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, precision_recall_fscore_support

from lungsound.labels import classes_from_labels
from lungsound.scores.metrics import (
    auroc,
    choose_threshold,
    choose_thresholds,
    icbhi_scores,
    label_scores,
)
from lungsound.scores.no_sound import NoSound

LABELS = ("crackle", "wheeze")
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
    thresholds = choose_thresholds(truth, logits, LABELS)
    chosen = label_scores(truth, logits, logits >= thresholds, LABELS)["score"]
    assert chosen >= label_scores(truth, logits, logits >= 0, LABELS)["score"] - 1e-12


@given(st.integers(0, 10_000))
def test_thresholds_do_not_depend_on_the_order_of_crackle_and_wheeze(seed):
    rng = np.random.default_rng(seed)
    truth = np.eye(2, dtype=int)[rng.integers(0, 2, 60)] * rng.integers(0, 2, (60, 1))
    logits = truth + rng.normal(0, 1, (60, 2)) - 0.5
    for order in ([0, 1], [1, 0]):
        labels = [LABELS[place] for place in order]
        found = label_scores(truth[:, order], logits[:, order], logits[:, order] >= 0, labels)
        expected = icbhi_scores(classes_from_labels(truth), classes_from_labels(logits >= 0))
        assert {key: found[key] for key in expected} == expected


@given(st.integers(0, 10_000))
def test_other_labels_get_the_threshold_of_the_best_balanced_accuracy_each(seed):
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.eye(3, dtype=int), rng.integers(0, 2, (30, 3))])
    logits = truth + rng.normal(0, 1, (33, 3))
    thresholds = choose_thresholds(truth, logits, ("cough", "snore", "murmur"))
    assert np.isfinite(thresholds).all()
    for column, threshold in enumerate(thresholds):
        there = truth[:, column] == 1
        decided = logits[:, column] >= logits[:, column, None]  # a row for every threshold that tells windows apart
        every = (decided[:, there].mean(axis=1) + (~decided[:, ~there]).mean(axis=1)) / 2
        given = logits[:, column] >= threshold
        assert balanced_accuracy_score(truth[:, column], given) == pytest.approx(max(every))


def test_a_threshold_lies_midway_between_two_logits():
    truth, logits = np.array([1, 0, 1, 0]), np.array([4.0, 1.0, 2.0, -3.0])
    assert choose_threshold(truth, logits) == 1.5
    one_step = np.array([1.0, np.nextafter(1.0, 2)])
    assert choose_threshold(np.array([0, 1]), one_step) == one_step[1]


def test_a_label_that_nothing_has_keeps_the_threshold_0():
    truth, logits = np.array([[0, 1], [0, 0]]), np.array([[3.0, 2.0], [4.0, 1.0]])
    assert choose_thresholds(truth, logits, ("cough", "snore")) == (0.0, 1.5)


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_figures_of_every_label_are_scikit_learns(seed, count):
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.zeros((1, count), int), np.ones((1, count), int), rng.integers(0, 2, (20, count))])
    logits = rng.normal(0, 1, truth.shape)
    decided = (logits >= 0).astype(int)
    labels = [f"sound {number}" for number in range(count)]
    found = label_scores(truth, logits, decided, labels)
    assert not {"sp", "se", "score"} & found.keys()
    columns = {label: (truth[:, i], decided[:, i]) for i, label in enumerate(labels)}
    columns["any"] = truth.max(axis=1), decided.max(axis=1)
    for name, (true, said) in columns.items():
        _, recall, f1, _ = precision_recall_fscore_support(true, said, labels=[0, 1], zero_division=math.nan)
        assert found["sensitivity"][name] == pytest.approx(recall[1])
        assert found["specificity"][name] == pytest.approx(recall[0])
        assert found["f1"][name] == pytest.approx(f1[1], nan_ok=True)
    balanced = [balanced_accuracy_score(*columns[label]) for label in labels]
    assert found["balanced_accuracy"] == pytest.approx(np.mean(balanced))


def test_figures_of_a_label_counted_by_hand():
    # cough: 2 of 3 heard, 1 false alarm among 2; snore: never there
    truth, decided = [[1, 0], [1, 0], [1, 0], [0, 0], [0, 0]], [[1, 0], [1, 0], [0, 1], [1, 0], [0, 0]]
    found = label_scores(truth, np.array(decided) - 0.5, decided, ("cough", "snore"))
    assert found["sensitivity"]["cough"] == 2 / 3
    assert found["specificity"] == {"cough": 1 / 2, "snore": 4 / 5, "any": 1 / 2}
    assert found["f1"]["cough"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert found["sensitivity"]["any"] == 1
    assert math.isnan(found["sensitivity"]["snore"])
    assert math.isnan(found["auroc"]["snore"])
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_youden_threshold_separates_what_is_separable():
    truth, logits = np.array([0, 0, 1, 1]), np.array([-2.0, 0.1, 0.3, 4.0])
    assert (logits >= choose_threshold(truth, logits)).astype(int).tolist() == truth.tolist()


def test_length_alone_decides_where_length_is_the_label():
    def windows(seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        crackle = rng.integers(0, 2, 200)
        seconds = np.where(crackle, 0.7, 1.5) * rng.uniform(0.9, 1.1, 200)
        return pd.DataFrame({"start": 1.0, "end": 1.0 + seconds, "crackle": crackle, "wheeze": 0})

    scores = NoSound.fit(windows(0), LABELS).scores(windows(1), LABELS)
    assert scores["auroc"]["crackle"] == 1.0
    assert scores["score"] > 0.98
    assert scores["binary"]["score"] > 0.98


def test_length_is_fitted_for_every_label():
    rng = np.random.default_rng(5)
    cough = rng.integers(0, 2, 300)
    table = pd.DataFrame({"start": 0.0, "end": np.where(cough, 0.5, 2.0) * rng.uniform(0.9, 1.1, 300), "cough": cough})
    table["snore"], table["murmur"] = 1 - cough, rng.integers(0, 2, 300)
    labels = ("cough", "snore", "murmur")
    found = NoSound.fit(table[:150], labels).scores(table[150:], labels)
    assert found["auroc"]["cough"] == found["auroc"]["snore"] == 1.0
    assert abs(found["auroc"]["murmur"] - 0.5) < 0.2
    assert min(found["sensitivity"]["snore"], found["specificity"]["cough"]) > 0.95


def test_length_that_says_nothing_scores_like_chance():
    rng = np.random.default_rng(3)
    table = pd.DataFrame(
        {"start": 0.0, "end": rng.uniform(1, 3, 2000), "crackle": rng.integers(0, 2, 2000), "wheeze": 0}
    )
    scores = NoSound.fit(table[:1000], LABELS).scores(table[1000:], LABELS)
    assert abs(scores["auroc"]["crackle"] - 0.5) < 0.06
