"""Conformal thresholds: what they promise, on draws of patients that they were not calibrated on."""

import json

import numpy as np
import pytest

from lungsound.errors import InputError
from lungsound.front_end import decide
from lungsound.quality.abstention import Abstention, answer_figures, calibrate, with_certainty
from lungsound.quality.check import Reason, SignalCheck
from lungsound.quality.conformal import Certainty, certainty
from lungsound.quality.features import FEATURES, Signal


def patients(random, count, windows=5):
    """Codes, labels and patients: each patient has a mean of their own."""
    who = np.repeat(np.arange(count), windows)
    there = random.random(count)[who] < 0.5
    code = np.where(there, 25, -25) + random.normal(0, 25, count)[who] + random.normal(0, 20, len(who))
    return np.clip(np.rint(code), -128, 127).astype(np.int8)[:, None], there[:, None].astype(int), who.astype(str)


def test_another_patient_is_told_what_was_promised():
    random, wrong, promised = np.random.default_rng(0), [], []
    for _ in range(60):
        found, missed, false = certainty(*patients(random, 60), [5], share=0.6)
        codes, labels, _ = patients(random, 200)
        there = labels[:, 0] == 1
        absent = (codes[:, 0] < found.absent_below[0])[there].mean()
        wrong.append([absent, (codes[:, 0] >= found.present_from[0])[~there].mean()])
        promised.append([*missed, *false])
    assert (np.mean(wrong, axis=0) < np.mean(promised, axis=0) + 0.01).all()
    assert (np.mean(wrong, axis=0) > np.mean(promised, axis=0) - 0.05).all()  # of 30 patients one more counts as wrong


def test_fewer_errors_leave_more_open():
    values = patients(np.random.default_rng(1), 100)
    found = [certainty(*values, [0], share=share) for share in (0.1, 0.3, 0.6, 1.0)]
    open_ = [certain.uncertain(values[0]).mean() for certain, _, _ in found]
    assert open_ == sorted(open_, reverse=True)
    assert open_[0] > 0.2
    assert open_[-1] == 0


def test_by_hand():
    codes = np.array([[10], [20], [30], [40], [-10], [0], [15], [5]], np.int8)
    labels = np.array([[1]] * 4 + [[0]] * 4)
    whole = certainty(codes, labels, list("abcdefgh"), [10], share=1.0)  # of 5 each, one more among them, who is wrong
    assert whole == (Certainty((10,), (10,)), (0.2,), (0.4,))
    found, missed, false = certainty(codes, labels, list("abcdefgh"), [10], share=0.5)
    assert (found, missed, false) == (Certainty((-128,), (16,)), (0.1,), (0.2,))
    assert codes[found.uncertain(codes), 0].tolist() == [10, -10, 0, 15, 5]


def test_two_windows_of_a_patient_count_as_one():
    codes, labels = np.array([[0], [0], [9], [20], [-9]], np.int8), np.array([[1], [1], [1], [1], [0]])
    _, missed, _ = certainty(codes, labels, ["a", "a", "a", "b", "c"], [5], share=1.0)
    assert missed == (pytest.approx((2 / 3 + 1) / 3),)


def test_impossible_values_are_refused():
    with pytest.raises(InputError, match="share of 0"):
        certainty(np.zeros((1, 1), np.int8), np.zeros((1, 1), int), ["a"], [0], share=0.0)
    for values in ({"absent_below": [3], "present_from": [2]}, {"absent_below": [3], "present_from": [4, 5]}):
        with pytest.raises(InputError):
            Certainty.from_dict(values)


def test_calibration_spends_what_it_may():
    random = np.random.default_rng(2)
    codes, labels, who = patients(random, 300, windows=4)
    features = random.integers(400, 900, (len(codes), FEATURES))
    heard = Signal(features, np.full((len(codes), 124), 3000))
    found = calibrate(heard, codes, labels, who, who, [0], most=0.05)
    assert 0.03 < found.listen_again <= 0.05
    assert (found.recordings, found.patients) == (300, 300)
    assert found.signal.contact.threshold >= SignalCheck.shipped().contact.threshold
    assert Abstention.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    reasons = with_certainty(found.signal.reasons_of(heard), found.certain, codes)
    assert set(reasons.tolist()) <= {Reason.NONE, Reason.NOISE, Reason.VOICE, Reason.CONTACT, Reason.UNCERTAIN}
    wrong = decide(codes, [0]) != labels
    assert wrong[reasons == Reason.NONE].mean() < wrong.mean()


def test_answers_are_counted_by_hand():
    truth = np.array([[1, 0], [0, 0], [0, 1], [1, 1]])
    decisions = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], bool)
    reasons = np.array([Reason.NONE, Reason.NOISE, Reason.NONE, Reason.NONE], np.uint8)
    found = answer_figures(truth, decisions, reasons)
    assert (found["windows"], found["answered"], found["error"]) == (4, 0.75, 0.5)
    assert found["error_answered"] == pytest.approx(1 / 3)
    assert found["reasons"]["noise"] == 0.25
    assert sum(found["reasons"].values()) == 0.25
    assert answer_figures(truth, decisions, reasons * 0 + Reason.HUM)["error_answered"] is None
