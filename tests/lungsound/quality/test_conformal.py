"""Conformal thresholds: what they promise, on draws of patients that they were not calibrated on."""

import json

import numpy as np
import pytest

from lungsound.errors import InputError
from lungsound.front_end import decide
from lungsound.quality.abstention import Abstention, calibrate, with_certainty
from lungsound.quality.check import Reason, SignalCheck
from lungsound.quality.conformal import Certainty, certainty
from lungsound.quality.features import FEATURES, Signal


def patients(random, count, windows=5):
    """Codes, labels and patients: each patient has a mean of their own."""
    who = np.repeat(np.arange(count), windows)
    there = random.random(count)[who] < 0.5
    code = np.where(there, 25, -25) + random.normal(0, 25, count)[who] + random.normal(0, 20, len(who))
    return np.clip(np.rint(code), -128, 127).astype(np.int8)[:, None], there[:, None].astype(int), who.astype(str)


def test_each_class_is_wrong_as_often_as_was_allowed():
    random, wrong = np.random.default_rng(0), []
    for _ in range(60):
        found = certainty(*patients(random, 60), [0], error=0.2)
        codes, labels, _ = patients(random, 200)
        there = labels[:, 0] == 1
        absent = (codes[:, 0] < found.absent_below[0])[there].mean()
        wrong.append([absent, (codes[:, 0] >= found.present_from[0])[~there].mean()])
    assert (np.mean(wrong, axis=0) < 0.2).all()
    assert (np.mean(wrong, axis=0) > 0.14).all()  # of 30 patients a class one more counts as wrong


def test_a_smaller_error_leaves_more_open():
    values = patients(np.random.default_rng(1), 100)
    open_ = [certainty(*values, [0], error=error).uncertain(values[0]).mean() for error in (0.02, 0.05, 0.1, 0.2)]
    assert open_ == sorted(open_, reverse=True)
    assert open_[0] > open_[-1] + 0.2


def test_by_hand():
    codes = np.array([[10], [20], [30], [40], [-10], [0], [15], [5]], np.int8)
    labels = np.array([[1]] * 4 + [[0]] * 4)
    found = certainty(
        codes, labels, list("abcdefgh"), [10], error=0.4
    )  # of 5 each, one's own among them, one may be wrong
    assert found == Certainty((6,), (20,))
    assert codes[found.uncertain(codes), 0].tolist() == [10, 15]


def test_too_few_patients_leave_everything_open():
    codes, labels = np.array([[100], [-100]], np.int8), np.array([[1], [0]])
    assert certainty(codes, labels, ["a", "b"], [0], error=0.1) == Certainty((-128,), (128,))


def test_impossible_values_are_refused():
    with pytest.raises(InputError, match="error rate"):
        certainty(np.zeros((1, 1), np.int8), np.zeros((1, 1), int), ["a"], [0], error=0.0)
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
