"""The check of the signal: its levels against a filter in float64, its reasons on sound that anybody would know."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from lungsound.errors import InputError
from lungsound.quality.abstention import listen_again
from lungsound.quality.bands import BANDS, STEPS, block_levels, logarithm
from lungsound.quality.check import LinearScore, Reason, SignalCheck
from lungsound.quality.features import FEATURES, check_window, signal

RATE = 4000


def windows(*sounds):
    return np.stack([np.clip(np.rint(sound), -32768, 32767).astype(np.int16) for sound in sounds])


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).normal(0, 1, 4 * RATE)


@given(st.integers(0, 2**40))
def test_logarithms_lie_within_two_steps(value):
    exact = STEPS * np.log2(value + 1)
    found = logarithm(np.array([value]))[0]
    assert exact - 1.9 <= found <= exact + 0.5


def test_levels_are_those_of_the_filters_in_float(noise):
    pcm = windows(noise * 3000)
    levels, peaks = block_levels(pcm, RATE)
    rest, exact = pcm[0].astype(np.float64), []
    for _ in range(BANDS - 1):
        exact.append(np.abs(lfilter([1, -3, 3, -1], 1, rest)[::2]))
        rest = lfilter([1, 3, 3, 1], 1, rest)[::2] / 4
    sums = np.stack([band.reshape(125, -1).sum(axis=1) for band in [*exact, np.abs(rest)]], axis=1)
    assert np.abs(levels[0] - STEPS * np.log2(sums + 1)).max() <= 2
    assert peaks.tolist() == [np.abs(pcm[0].astype(int)).reshape(125, 128).max(axis=1).tolist()]


@pytest.mark.parametrize(("hertz", "band"), [(1400, 0), (700, 1), (350, 2), (180, 3), (90, 4), (20, 5)])
def test_a_tone_is_loudest_in_its_octave(hertz, band):
    tone = 8000 * np.sin(2 * np.pi * hertz * np.arange(RATE * 4) / RATE)
    assert signal(windows(tone), RATE).features[0, :BANDS].argmax() == band


@given(st.integers(-7, 7))
def test_a_gain_changes_levels_alone(power):
    sound = np.random.default_rng(1).normal(0, 40, 4 * RATE) * 4
    quiet, loud = signal(windows(sound * 4, sound * 4 * 2.0 ** (power / 2)), RATE).features
    changes = np.abs(quiet - loud)
    assert (changes[:BANDS] >= abs(power) * 60).all()
    assert changes[BANDS:].max() < 200  # rounding and clipping: three steps of which an octave has 16


def test_other_rates_hear_the_same_octaves(noise):
    low = np.repeat(noise, 4) * 2000  # 4 kHz held for four samples: what lies below 2 kHz is the same
    one, four = signal(windows(noise * 2000), RATE), signal(windows(low), 4 * RATE)
    assert np.abs(one.features - four.features)[0, 2 : 2 * BANDS].max() < 16 * 8


def test_silence_clipping_and_hum_are_told(noise):
    time = np.arange(4 * RATE) / RATE
    hum = 6000 * np.sin(2 * np.pi * 50 * time) + 3000 * np.sin(2 * np.pi * 150 * time) + 20 * noise
    found = SignalCheck.shipped().reasons(windows(0 * noise, noise * 1e6, hum), RATE)
    assert found.tolist() == [Reason.SILENT, Reason.CLIPPED, Reason.HUM]


def test_the_surroundings_are_not_breath(shared):
    from lungsound.audio import read_pcm

    check = SignalCheck.shipped()
    for name in ("noise/places_cafe", "noise/transport_airplane", "speech/theo"):
        pcm = read_pcm(shared / "data" / f"{name}.flac", RATE)[: 5 * 4 * RATE].reshape(5, -1)
        found = check.reasons(pcm, RATE)
        assert set(found.tolist()) <= {Reason.NONE, Reason.HUM, Reason.NOISE, Reason.VOICE, Reason.CONTACT}
        assert (found == Reason.NONE).mean() <= 0.2


@given(st.binary(min_size=2, max_size=400), st.sampled_from([4000, 8000, 16000, 32000]))
def test_any_samples_have_features_that_a_score_holds(content, rate):
    pcm = np.resize(np.frombuffer(content[: len(content) // 2 * 2], "<i2"), (2, rate * 2))
    features = signal(pcm, rate).features
    assert features.shape == (2, FEATURES)
    assert features.min() >= 0
    assert features.max() < 2**13


@pytest.mark.parametrize(("samples", "rate"), [(2175, 4000), (40000, 11025), (40000, 2000), (400000, 64000)])
def test_windows_that_cannot_be_checked_are_refused(samples, rate):
    with pytest.raises(InputError, match=r"too short|is not checked"):
        check_window(samples, rate)


def test_impossible_checks_are_refused():
    values = json.loads(json.dumps(SignalCheck.shipped().to_dict()))
    assert SignalCheck.from_dict(values) == SignalCheck.shipped()
    for wrong in (
        {"hum": -1},
        {"most_quiet": 257},
        {"noise": {"weights": [1], "threshold": 0}},
        {"voice": {"weights": [2**15] + [0] * (FEATURES - 1), "threshold": 0}},
        {"contact": {"weights": [30000] * FEATURES, "threshold": 0}},
        {"contact": {"weights": [1.5] * FEATURES, "threshold": 0}},
        {"clipped_peak": "loud"},
    ):
        with pytest.raises(InputError):
            SignalCheck.from_dict(values | wrong)


def test_most_windows_decide_a_recording():
    reasons = np.array([0, 0, 5, 6, 6, 0, 3], np.uint8)
    assert listen_again(reasons, ["a", "a", "a", "b", "b", "b", "c"]) == {"a": False, "b": True, "c": True}


def test_a_score_is_its_sum():
    features = np.arange(FEATURES)[None]
    assert LinearScore((2,) * FEATURES, 0).of(features).tolist() == [FEATURES * (FEATURES - 1)]
