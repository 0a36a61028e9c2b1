"""Thresholds for an aim, held against what they promise on the windows that they were chosen on."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from lungsound.scores.aims import Aim, alarms_an_hour, thresholds_for
from lungsound.scores.metrics import choose_thresholds

LISTENING = Listening.with_whole_hop(SPECS["device_4k"], 2.0, 1.024)


def drawn(seed: int, windows: int = 120):
    rng = np.random.default_rng(seed)
    truth = (rng.random((windows, 2)) < 0.3).astype(np.int64)
    logits = np.round(truth + rng.normal(0, 1, truth.shape), 1)  # with ties
    table = pd.DataFrame({"protocol": rng.choice(["cycles", "stream"], windows)})
    return truth, logits, table


def chosen(aim: str, seed: int):
    truth, logits, table = drawn(seed)
    return thresholds_for(Aim.parse(aim), truth, logits, table, LISTENING), truth, logits, table


def test_the_best_score_is_what_it_was():
    thresholds, truth, logits, _ = chosen("score", 0)
    assert thresholds == choose_thresholds(truth, logits, LISTENING.labels)


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_no_label_is_below_the_sensitivity_and_none_gives_more_than_it_must(seed, least):
    thresholds, truth, logits, _ = chosen(f"sensitivity={least}", seed)
    best = choose_thresholds(truth, logits, LISTENING.labels)
    for label, threshold in enumerate(thresholds):
        positives = logits[truth[:, label] == 1, label]
        assert np.mean(positives >= threshold) >= least - 1e-9
        if threshold != best[label]:  # the next higher logit would be too high
            higher = positives[positives >= threshold].min()
            assert np.mean(positives > higher) < least


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.floats(0, 2000))
def test_alarms_are_not_above_the_limit(seed, most):
    thresholds, truth, logits, table = chosen(f"alarms={most}", seed)
    found = alarms_an_hour(thresholds, truth, logits, table, LISTENING)
    assert found <= most + 1e-6
    best = choose_thresholds(truth, logits, LISTENING.labels)
    if alarms_an_hour(best, truth, logits, table, LISTENING) <= most:
        assert thresholds == best


def test_an_alarm_is_a_decision_of_a_stream_without_labels():
    truth = np.array([[0, 0], [0, 0], [0, 0], [1, 0], [0, 0]])
    logits = np.array([[1.0, -1], [1, 1], [-1, -1], [1, 1], [1, 1]])
    table = pd.DataFrame({"protocol": ["stream"] * 4 + ["cycles"]})
    found = alarms_an_hour((0.0, 0.0), truth, logits, table, LISTENING)
    assert found == pytest.approx(2 / (3 * LISTENING.hop_seconds / 3600))


def test_a_label_that_never_occurs_keeps_its_threshold():
    truth, logits, table = drawn(1)
    truth[:, 1] = 0
    thresholds = thresholds_for(Aim.parse("sensitivity=0.9"), truth, logits, table, LISTENING)
    assert thresholds[1] == choose_thresholds(truth, logits, LISTENING.labels)[1]


def test_alarms_without_a_stream_are_refused():
    truth, logits, table = drawn(2)
    with pytest.raises(InputError, match="no window of a stream"):
        thresholds_for(Aim.parse("alarms=1"), truth, logits, table.assign(protocol="cycles"), LISTENING)


@pytest.mark.parametrize(
    "text", ["", "best", "sensitivity", "sensitivity=1.1", "alarms=-1", "alarms=inf", "alarms=nan"]
)
def test_what_is_no_aim_is_refused(text):
    with pytest.raises(InputError, match="write score, sensitivity=X"):
        Aim.parse(text)
