"""A device's integers in Python, against float64: the transform by itself, and levels of sound of every kind."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungsound.errors import InputError
from lungsound.fixed_point.tables import Line, Tables
from lungsound.logmel import SPECS, log_mel
from lungsound.recording_mean import level_step, levels, lowest_logmel

NOISE = 8
"""Of an amplitude of the transform, in its units: three standard deviations of what is rounded, bin 0 apart."""


def tables(n_fft):
    spec = replace(SPECS["device_4k"], n_fft=n_fft, window=n_fft, hop=n_fft, n_mels=2)
    return Tables.of(spec, Line(0.0, 1.0, 0.05, 0))


@pytest.mark.parametrize("n_fft", [8, 16, 32, 40, 64, 128, 160, 200, 256, 400, 512, 800, 1024])
@pytest.mark.parametrize("loudest", [2**24, 2**28, 2**30 - 1])
def test_the_power_spectrum_is_that_of_a_float_transform(n_fft, loudest):
    rng = np.random.default_rng(n_fft)
    samples = rng.integers(-loudest, loudest + 1, (n_fft, 5))
    samples[:, 1] = loudest  # all in one bin
    samples[:, 2] = loudest * (-1) ** np.arange(n_fft)
    samples[:, 3] = np.rint(loudest * np.sin(2 * np.pi * 3 * np.arange(n_fft) / n_fft))
    power, exponent = tables(n_fft).fft.power(np.stack([samples[0::2], samples[1::2]]))
    wanted = np.abs(np.fft.rfft(samples, axis=0))
    found = np.sqrt(power.astype(float)) * 2.0**exponent
    assert power.shape == wanted.shape
    assert (np.abs(found - wanted) <= 4 * NOISE * 2.0**exponent).all()
    loud = wanted.max(axis=0) > 2**31
    assert (np.sqrt(power.astype(float)).max(axis=0)[loud] > 2**26).all()  # no more is shifted out than must be


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["device_4k", "device_4k_16ms", "device_8k_32ms"]),
    st.sampled_from(["ln", "db"]),
    st.integers(0, 2**32),
    st.lists(st.sampled_from([0, 0.4, 3, 50, 1000, 9000, 60000]), min_size=1, max_size=4),
)
def test_levels_are_the_log_mel_but_for_rounding(name, log, seed, loudness):
    """Of noise, whatever the jumps of its loudness: within a thousandth of half a level."""
    spec = replace(SPECS[name], normalisation="recording", log=log)
    heights = np.repeat(loudness, 1000) * np.random.default_rng(seed).normal(size=1000 * len(loudness))
    pcm = np.clip(np.rint(heights), -32768, 32767).astype(np.int16)
    exact = (log_mel(spec, pcm / 32768.0) - lowest_logmel(spec)) / level_step(spec)
    assert np.abs(levels(spec, pcm) - exact).max() <= 0.51


def test_a_frame_has_the_same_levels_in_every_stream():
    spec = replace(SPECS["device_4k_32ms"], normalisation="recording")
    pcm = np.random.default_rng(0).integers(-3000, 3000, 64 * 1000).astype(np.int16)
    whole = levels(spec, pcm)
    np.testing.assert_array_equal(levels(spec, pcm[64 * 300 :]), whole[300:])
    np.testing.assert_array_equal(
        levels(spec, pcm.reshape(4, -1)), np.stack([whole[i : i + 249] for i in (0, 250, 500, 750)])
    )


@pytest.mark.parametrize(("change", "said"), [({"n_fft": 300}, "n_fft = 300 is not"), ({"floor": 1e3}, "a floor of")])
def test_what_a_device_cannot_compute_is_refused(change, said):
    spec = replace(SPECS["device_4k"], normalisation="recording", **change)
    with pytest.raises(InputError, match=said):
        levels(spec, np.zeros(1000, np.int16))
