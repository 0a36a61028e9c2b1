"""Bands less their mean over the recording: against a formula in float64, and the same on every way to a window."""

import math
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lungsound.errors import InputError
from lungsound.features import heard_windows, prepare
from lungsound.files.record import read_values
from lungsound.front_end import codes_of, front_end, normalised_logmel
from lungsound.listening import Listening
from lungsound.logmel import SPECS, LogMelSpec, log_mel
from lungsound.quantization import Quantization
from lungsound.recording_mean import HeardRecording, frames_remembered, level_step, levels, running_mean, whole_mean
from lungsound.training.data import DataOptions

SPEC = replace(SPECS["device_4k_32ms"], normalisation="recording")
REMEMBERED = 8


def float_means(heard, remembered):
    """The plain mean of what was heard, then each new frame with the weight of one in `remembered`; silence apart."""
    mean, count, means = np.zeros(heard.shape[1]), 0, []
    for frame in heard.astype(float):
        if frame.any():
            count += 1
            mean = mean + (frame - mean) / min(count, remembered)
        means.append(mean)
    return np.array(means)


@settings(max_examples=40)
@given(arrays(np.int64, st.tuples(st.integers(1, 60), st.just(3)), elements=st.integers(0, 1500)))
def test_the_running_mean_is_the_formula_but_for_rounding(heard):
    """By half a level at first. Once the memory is full every frame takes off a mean rounded by half a level at most,
    one in eight of which stays: together, and with the rounding of the answer, by a level."""
    distance = np.abs(running_mean(heard, REMEMBERED) - float_means(heard, REMEMBERED))
    assert distance[:REMEMBERED].max() <= 0.5 + 1e-9
    assert distance.max() <= 1 + 1e-9


def test_rounding_does_not_add_up():
    heard = np.random.default_rng(0).integers(300, 340, (5_000, 4))
    distance = running_mean(heard, 512) - float_means(heard, 512)
    assert np.abs(distance).max() <= 1
    assert abs(distance[1000:].mean()) < 0.05


@settings(max_examples=40)
@given(arrays(np.int64, st.tuples(st.integers(1, 20), st.just(2)), elements=st.integers(0, 3)), st.integers(0, 20))
def test_silence_leaves_the_mean(heard, at):
    at = min(at, len(heard))
    longer = np.insert(heard, at, 0, axis=0)
    np.testing.assert_array_equal(
        np.delete(running_mean(longer, REMEMBERED), at, axis=0), running_mean(heard, REMEMBERED)
    )
    np.testing.assert_array_equal(whole_mean(longer), whole_mean(heard))


@pytest.mark.parametrize("name", [name for name in SPECS if name.startswith("device")])
def test_sixteen_seconds_are_remembered_and_a_level_is_an_eighth_of_a_decibel(name):
    spec = SPECS[name]
    assert frames_remembered(spec) * spec.hop / spec.sample_rate == pytest.approx(16, rel=0.05)
    assert 10 * math.log10(math.e) * level_step(spec) == pytest.approx(0.13, abs=0.01)
    assert level_step(replace(spec, log="db")) == 0.125


def noise(seconds, seed=0, deviation=800):
    pcm = np.random.default_rng(seed).normal(0, deviation, round(seconds * 4000))
    return np.rint(pcm * np.geomspace(0.5, 2, len(pcm))).astype(np.int16)


@pytest.mark.parametrize("log", ["ln", "db"])
def test_levels_are_the_log_mel_above_silence(log):
    spec = replace(SPEC, log=log)
    pcm = noise(1.0)
    silence = log_mel(spec, np.zeros(spec.n_fft))
    distance = levels(spec, pcm) * level_step(spec) - (log_mel(spec, pcm / 32768.0) - silence)
    assert np.abs(distance).max() <= level_step(spec) * 0.5001
    assert not levels(spec, np.zeros(4000, np.int16)).any()


def test_a_gain_and_a_response_vanish():
    pcm = noise(3.0, deviation=300)
    plain = HeardRecording(SPEC, pcm).of_stream(0, 100)
    louder = HeardRecording(SPEC, 8 * pcm).of_stream(0, 100)
    assert np.abs(plain - louder).max() <= 3 * level_step(SPEC)
    assert (levels(SPEC, 8 * pcm) - levels(SPEC, pcm)).min() * level_step(SPEC) > 4


@pytest.fixture
def windows(tmp_path):
    """Three windows of a stream and a cycle of one recording, and a stream of one shorter than the window."""
    soundfile.write(tmp_path / "long.wav", noise(9.0), 4000)
    soundfile.write(tmp_path / "short.wav", noise(1.5, 1), 4000)
    rows = [("long", "stream", 4.0, 6.0), ("short", "stream", 0.0, 1.5), ("long", "cycles", 3.0, 4.2)]
    rows += [("long", "stream", 0.0, 2.0), ("long", "stream", 6.992, 8.992)]
    columns = ["path", "protocol", "start", "end"]
    return pd.DataFrame([(str(tmp_path / f"{name}.wav"), *rest) for name, *rest in rows], columns=columns)


def test_windows_have_the_mean_of_their_moment_and_cycles_that_of_the_whole(windows, tmp_path):
    found = heard_windows(windows, SPEC, 2.0)
    frames = SPEC.frames(8000)
    heard = levels(SPEC, noise(9.0))
    stream = heard - running_mean(heard, frames_remembered(SPEC))
    for row, first in ((0, 250), (3, 0), (4, 437)):
        np.testing.assert_array_equal(found[row] / level_step(SPEC), stream[first : first + frames])
    repeated = levels(SPEC, np.resize(noise(1.5, 1), 8000))
    np.testing.assert_array_equal(
        found[1] / level_step(SPEC), repeated - running_mean(repeated, frames_remembered(SPEC))
    )
    cycle = heard_windows(windows.iloc[[2]], replace(SPEC, normalisation="corpus"), 2.0)[0]
    less = cycle - log_mel(SPEC, noise(9.0) / 32768.0).mean(axis=0)
    assert np.abs(found[2] - less).max() <= 1.5 * level_step(SPEC)
    np.testing.assert_array_equal(heard_windows(windows.iloc[[4, 2]], SPEC, 2.0), found[[4, 2]])
    np.testing.assert_array_equal(prepare(windows, SPEC, 2.0, tmp_path / "cache"), found.astype(np.float32))


def test_a_device_that_hears_windows_one_after_the_other_hears_the_stream(windows):
    listening = Listening(SPEC.with_statistics(-0.4, 1.7), 2.0, 2.0)
    quantization = Quantization(0.05, 3)
    starts = np.arange(0, 8.0, 2.0)
    table = windows.iloc[[0] * 4].assign(start=starts, end=starts + 2)
    wanted = codes_of(listening.logmel, quantization, heard_windows(table, SPEC, 2.0))
    pcm = noise(9.0)[:32000].reshape(4, -1)
    np.testing.assert_array_equal(front_end(listening, quantization, pcm), wanted)
    assert (front_end(listening, quantization, pcm[2]) != wanted[2]).mean() > 0.5
    odd = Listening(listening.logmel, 1.001, 2.0)
    pcm = noise(9.0)[: 4 * odd.samples].reshape(4, -1)
    heard = levels(SPEC, pcm)
    frames = heard.reshape(-1, SPEC.n_mels)
    less = (frames - running_mean(frames, frames_remembered(SPEC))).reshape(heard.shape) * level_step(SPEC)
    np.testing.assert_array_equal(front_end(odd, quantization, pcm), codes_of(odd.logmel, quantization, less))


@settings(max_examples=40)
@given(st.floats(0.01, 0.2), st.integers(-128, 127), st.floats(-2, 2), st.floats(0.5, 4))
def test_integer_codes_are_those_of_the_formula(scale, zero_point, mean, std):
    spec, quantization = SPEC.with_statistics(mean, std), Quantization(scale, zero_point)
    features = np.arange(-600, 1200) * level_step(spec)
    exact = (features - mean) / std / scale + zero_point
    codes = codes_of(spec, quantization, features)
    inside = (codes > -128) & (codes < 127)
    assert np.abs(codes - exact)[inside].max(initial=0) <= 0.5 + 1e-3
    assert (codes[exact < -128.6] == -128).all()
    assert (codes[exact > 127.6] == 127).all()


def test_a_window_that_begins_between_frames_is_named(windows):
    windows.loc[0, "start"] = 4.001
    with pytest.raises(InputError, match=r"long\.wav: a window from sample 16004 begins between frames"):
        heard_windows(windows, SPEC, 2.0)


def test_it_is_told_and_read_and_what_is_usual_is_not_told():
    listening = Listening(SPEC, 2.0, 1.024)
    assert Listening.from_dict(listening.to_dict()) == listening
    assert listening.to_dict()["logmel"]["normalisation"] == "recording"
    assert SPEC.to_dict()["normalisation"] == "recording"
    usual = Listening(SPECS["device_4k"], 2.0, 1.024).to_dict()
    assert "normalisation" not in usual["logmel"]
    assert Listening.from_dict(usual).logmel.normalisation == "corpus"
    with pytest.raises(InputError, match="must be corpus or recording"):
        LogMelSpec.from_dict(SPEC.to_dict() | {"normalisation": "window"})
    with pytest.raises(InputError, match="train on a log-mel without padding, such as device_4k"):
        replace(SPECS["m2d"], normalisation="recording")


def test_a_training_is_told_of_it_and_settings_of_before_are_not():
    told = DataOptions(logmel="device_8k_16ms", normalisation="recording")
    assert told.listening().logmel == replace(SPECS["device_8k_16ms"], normalisation="recording")
    values = {key: value for key, value in asdict(DataOptions()).items() if key != "normalisation"}
    assert read_values(DataOptions, values) == DataOptions()
    with pytest.raises(InputError, match="'normalisation' must be corpus or recording, got 'window'"):
        DataOptions(normalisation="window")
    with pytest.raises(InputError, match="train on a log-mel without padding"):
        DataOptions(logmel="multibreath", normalisation="recording")


def test_the_input_of_training_is_what_the_device_is_evaluated_on(windows):
    """The dequantized codes are the normalised features but for their rounding."""
    listening = Listening(SPEC.with_statistics(-0.4, 1.7), 2.0, 2.0)
    quantization = Quantization(0.05, 3)
    pcm = noise(9.0)[:8000]
    codes, exact = front_end(listening, quantization, pcm), normalised_logmel(listening, pcm)
    assert np.abs(quantization.dequantize(codes) - exact)[np.abs(codes) < 127].max() <= 0.026
