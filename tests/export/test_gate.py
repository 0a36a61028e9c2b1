"""Figures of int8 beside float, from models whose answers are known."""

import numpy as np
import pytest

from export.bundle.golden import golden_pcm
from export.gate import Validation, refuse_other_decisions, validation_figures
from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS, log_mel
from lungsound.quantization import Quantization

LISTENING = Listening.with_whole_hop(SPECS["device_4k"], 1.0, 0.5)
INPUT = Quantization(0.2, 50)
SOUND = np.concatenate([golden_pcm(LISTENING, seed) for seed in range(20)])  # more than a batch


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
    validation = Validation(SOUND, labels)
    return validation_figures(LISTENING, (-8.0, 8.0), INPUT, Loudness(), {"tested": int8}, validation)


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


@pytest.mark.parametrize(
    ("windows", "differing", "refused"),
    [
        (100, 0.0, False),
        (100, 0.05, False),
        (100, 0.055, True),
        (100, 1.0, True),
        (8, 1 / 16, False),
        (8, 2 / 16, True),
    ],
)
def test_the_gate_lets_few_other_decisions_pass(windows, differing, refused):
    found = {"windows": windows, "int8": {"litert_xnnpack": {"differing_decisions": differing}}}
    if not refused:
        refuse_other_decisions(found, 2)
        return
    with pytest.raises(InputError, match="decides otherwise than float"):
        refuse_other_decisions(found, 2)
