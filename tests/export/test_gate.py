"""Figures of int8 beside float, from models whose answers are known, and the gate's verdict on them."""

import numpy as np
import pandas as pd
import pytest

from export.bundle.golden import golden_pcm
from export.gate import (
    FAILED,
    PASSED,
    UNMEASURED,
    UNPROVEN,
    Strictness,
    Validation,
    gate,
    refuse,
    validation_figures,
    validation_logits,
)
from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS, log_mel
from lungsound.quantization import Quantization

LISTENING = Listening.with_whole_hop(SPECS["device_4k"], 1.0, 0.5)
INPUT = Quantization(0.2, 50)
SOUND = np.concatenate([golden_pcm(LISTENING, seed) for seed in range(20)])  # more than a batch
XNNPACK = "litert_xnnpack"


class Loudness:
    """A model that answers with the mean of its input, and the mean turned round."""

    input = output = None
    values, labels = LISTENING.frames * 64, 2

    def __init__(self, off: float = 0.0) -> None:
        self.off = off

    def run(self, windows):
        loudness = windows.mean(axis=(1, 2)) + self.off
        return np.stack([loudness, -loudness], axis=1).astype(np.float32)


def figures(int8: Loudness) -> dict:
    labels = np.tile([[0, 0], [1, 0], [0, 1], [1, 1]], (len(SOUND) // 4, 1))
    logits = validation_logits(LISTENING, INPUT, Loudness(), {"tested": int8}, Validation(SOUND, labels))
    return validation_figures(LISTENING, (-8.0, 8.0), logits, labels)


def test_a_model_like_float_has_no_error_but_that_of_its_input():
    found = figures(Loudness())
    scores = found["int8"]["tested"]
    assert found["windows"] == len(SOUND)
    assert 0 < scores["mean_error"] <= scores["max_error"] < 0.03
    assert scores["differing_decisions"] == 0
    assert scores["score"] == found["float"]["score"]


def test_errors_and_decisions_are_counted():
    off = 3.0
    scores = figures(Loudness(off))["int8"]["tested"]
    exact = log_mel(LISTENING.logmel, SOUND / 32768).mean(axis=(1, 2))
    differing = (exact >= -8) != (exact + off >= -8), (-exact >= 8) != (-exact - off >= 8)
    assert scores["differing_decisions"] == pytest.approx(np.mean(differing), abs=0.02)
    error = np.abs(1 / (1 + np.exp(-exact)) - 1 / (1 + np.exp(-exact - off)))
    assert scores["max_error"] == pytest.approx(error.max(), abs=0.03)


def judged(truth: np.ndarray, logits: dict[str, np.ndarray], patients: list[str] | None) -> dict:
    windows = None if patients is None else pd.DataFrame({"corpus": "c", "patient": patients, "recording": patients})
    heard = Validation(np.zeros((len(truth), 1), np.int16), truth, windows=windows)
    return gate(LISTENING, (0.0, 0.0), logits, heard)


def of_patients(patients: int, lost: int, windows: int = 20) -> dict:
    """The verdict where every patient has crackles, wheezes and neither, and int8 loses `lost` crackles of each."""
    truth = np.tile(np.repeat([[1, 0], [0, 1], [0, 0]], windows, axis=0), (patients, 1))
    exact = np.where(truth, 1.0, -1.0)
    int8 = exact.copy().reshape(patients, -1, 2)
    int8[:, :lost, 0] = -1.0
    who = np.repeat([f"p{i}" for i in range(patients)], 3 * windows)
    return judged(truth, {"float": exact, XNNPACK: int8.reshape(-1, 2)}, who.tolist())


@pytest.mark.parametrize(
    ("patients", "lost", "verdict"),
    [
        (10, 0, PASSED),
        (10, 1, FAILED),  # 5 points of crackle
        (4, 0, UNPROVEN),  # too few to tell
        (4, 1, UNPROVEN),
    ],
)
def test_the_verdict(patients, lost, verdict):
    found = of_patients(patients, lost)
    assert found["verdict"] == verdict
    assert found["patients"] == patients
    assert bool(found["reasons"]) == (verdict != PASSED)


def test_the_class_that_lost_is_named_and_what_to_try():
    found = of_patients(10, 2)
    with pytest.raises(InputError) as refused:
        refuse(found, Strictness.USUAL)
    said = str(refused.value)
    assert "sensitivity crackle 1.000 in float, 0.900 in int8 (falls by 10.0 points" in said
    assert "wheeze" not in said
    assert "--calibration" in said
    assert "--force" in said
    refuse(found, Strictness.FORCE)


def test_what_chance_explains_is_unproven_and_strict_refuses_it():
    """One patient of ten loses all: a fall of ten points that seven draws of ten show, and the others do not."""
    found = of_patients(10, 0)
    truth = np.tile(np.repeat([[1, 0], [0, 1], [0, 0]], 20, axis=0), (10, 1))
    exact = np.where(truth, 1.0, -1.0)
    int8 = exact.copy()
    int8[:20, 0] = -1.0
    found = judged(truth, {"float": exact, XNNPACK: int8}, np.repeat([f"p{i}" for i in range(10)], 60).tolist())
    assert found["verdict"] == UNPROVEN
    (crackle,) = (fall for fall in found["falls"] if fall["figure"] == "sensitivity crackle")
    assert crackle["fall"] == pytest.approx(0.1)
    assert crackle["interval"][0] == 0
    refuse(found, Strictness.USUAL)
    with pytest.raises(InputError, match=r"validation cannot show .* sensitivity crackle"):
        refuse(found, Strictness.STRICT)


@pytest.mark.parametrize(
    ("windows", "differing", "fails"),
    [(50, 0, False), (50, 5, False), (50, 6, True), (50, 100, True), (4, 1, False), (4, 2, True)],
)
def test_without_patients_few_other_decisions_pass(windows, differing, fails):
    exact = np.ones((windows, 2))
    int8 = exact.ravel().copy()
    int8[:differing] = -1
    found = judged(np.ones((windows, 2), int), {"float": exact, XNNPACK: int8.reshape(-1, 2)}, None)
    assert found["verdict"] == (FAILED if fails else UNMEASURED)
    if fails:
        with pytest.raises(InputError, match="decides otherwise than float"):
            refuse(found, Strictness.USUAL)
