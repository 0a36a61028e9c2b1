"""The log-mel reference and its torch form against formulas, a second library and each other."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import lungsound.cpu_wheels  # noqa: F401  (torchaudio loads after it)
from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS, LogMelSpec, log_mel, mel_power, normalise
from lungsound.mel_bands import mel_edges, mel_filters
from lungsound.networks.logmel import LogMel, piece

FOR_DEVICES = [name for name in SPECS if name.startswith("device")]
every_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)


def noise(spec, seconds, seed=0, shape=()):
    pcm = np.random.default_rng(seed).normal(0, 3000, (*shape, spec.samples(seconds)))
    return np.round(pcm) / 32768


@st.composite
def small_specs(draw):
    n_fft = draw(st.integers(16, 41))
    f_min = draw(st.floats(0, 300))
    return LogMelSpec(
        sample_rate=1000,
        window=draw(st.integers(2, n_fft)),
        hop=draw(st.integers(1, 20)),
        n_fft=n_fft,
        n_mels=draw(st.integers(1, 12)),
        f_min=f_min,
        f_max=draw(st.floats(f_min + 50, 500)),
        mel_scale=draw(st.sampled_from(["slaney", "htk", "kaldi"])),
        area_norm=draw(st.booleans()),
        log=draw(st.sampled_from(["ln", "db"])),
        floor=draw(st.sampled_from([2.0**-23, 1e-10])),
        padding=draw(st.sampled_from(["reflect", "none"])),
        preemphasis=draw(st.sampled_from([0.0, 0.97])),
        hann=draw(st.sampled_from(["periodic", "symmetric"])),
        speed=draw(st.sampled_from([1, 3])),
        spectrum=draw(st.sampled_from(["power", "magnitude"])),
    )


@settings(max_examples=30)
@given(small_specs(), st.integers(42, 90))
def test_mel_power_is_the_written_formula(spec, samples):
    wave = noise(spec, samples / 1000)
    half = spec.n_fft // 2 if spec.padding == "reflect" else 0
    heard = wave
    if spec.preemphasis:
        heard = np.array([wave[n] - spec.preemphasis * wave[n - 1] for n in range(1, len(wave))])
    period = spec.window if spec.hann == "periodic" else spec.window - 1
    exponent = 2 if spec.spectrum == "power" else 1
    padded = [*heard[half:0:-1], *heard, *heard[-2 : -half - 2 : -1]] if half else list(heard)
    left = (spec.n_fft - spec.window) // 2
    expected = []
    for first in range(0, len(padded) - spec.n_fft + 1, spec.hop):
        frame = [
            padded[first + left + n] * math.sin(math.pi * n / period) ** 2 if 0 <= n < spec.window else 0.0
            for n in range(spec.n_fft - left)
        ]
        power = [
            abs(sum(x * np.exp(-2j * math.pi * k * (n + left) / spec.n_fft) for n, x in enumerate(frame))) ** exponent
            for k in range(spec.n_fft // 2 + 1)
        ]
        expected.append([math.fsum(w * p for w, p in zip(row, power, strict=True)) for row in mel_filters(spec)])
    np.testing.assert_allclose(mel_power(spec, wave), expected, rtol=1e-9, atol=1e-15)
    assert len(expected) == spec.frames(samples)


@every_spec
def test_filters_are_those_of_torchaudio(spec):
    from torchaudio.compliance.kaldi import get_mel_banks
    from torchaudio.functional import melscale_fbanks

    heard, spec = spec, spec.played()
    norm = "slaney" if spec.area_norm else None
    bins = spec.n_fft // 2 + 1
    ours = mel_filters(heard)
    if spec.mel_scale == "kaldi":
        band = float(spec.sample_rate), spec.f_min, spec.f_max
        theirs, _ = get_mel_banks(spec.n_mels, spec.n_fft, *band, 100.0, -500.0, 1.0)  # without the Nyquist bin
        theirs = torch.nn.functional.pad(theirs, (0, 1)).T
    else:
        theirs = melscale_fbanks(bins, spec.f_min, spec.f_max, spec.n_mels, spec.sample_rate, norm, spec.mel_scale)
    np.testing.assert_allclose(ours, theirs.T.numpy(), atol=2e-5 * ours.max())


def test_m2d_in_db_is_what_torchaudio_makes_of_the_words_of_its_application():
    from torchaudio.transforms import AmplitudeToDB, MelSpectrogram

    wave = noise(SPECS["m2d_db"], 1.0)
    power = MelSpectrogram(16000, 400, 400, 160, 50.0, 8000.0, n_mels=80).double()(torch.from_numpy(wave))
    theirs = AmplitudeToDB(top_db=None)(power).T.numpy()
    np.testing.assert_allclose(log_mel(SPECS["m2d_db"], wave), theirs, atol=2e-3)


@pytest.mark.parametrize(("name", "rate"), [("efficientat_16k", 16000), ("efficientat_8k", 8000)])
def test_breath_is_heard_as_if_its_samples_were_32_khz(name, rate):
    """The numbers are the published ones, bit for bit, and a whistle at 330 Hz is in the band that says 330 Hz."""
    spec, published = SPECS[name], SPECS["efficientat_32k"]
    breath = noise(spec, 2.0)
    assert np.array_equal(log_mel(spec, breath), log_mel(published, breath))
    np.testing.assert_allclose(mel_edges(spec) * (32000 / rate), mel_edges(published), rtol=1e-15)
    loudest = mel_power(spec, np.sin(2 * np.pi * 330 / rate * np.arange(2 * rate))).mean(axis=0).argmax()
    low, _, high = mel_edges(spec)[loudest : loudest + 3]
    assert low < 330 < high
    assert LogMelSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize("speed", [0, -1, 97])
def test_a_speed_that_cannot_be_is_refused(speed):
    with pytest.raises(InputError, match="absurdly fast, or not at all"):
        replace(SPECS["efficientat_8k"], speed=speed)


def test_a_mean_over_the_recording_of_magnitudes_is_refused():
    with pytest.raises(InputError, match="of the power; train on a log-mel such as device_4k"):
        replace(SPECS["yamnet"], normalisation="recording")


def test_what_came_later_is_stored_where_it_is_not_the_usual():
    assert set(SPECS["efficientat_8k"].to_dict()) - set(SPECS["device_4k"].to_dict()) == {
        "preemphasis",
        "hann",
        "speed",
    }
    listening = Listening(SPECS["device_4k"], 4.0, 2.048)
    assert listening.to_dict()["logmel"] == SPECS["device_4k"].to_dict()


@every_spec
def test_no_band_is_empty(spec):
    assert (mel_filters(spec) > 0).any(axis=1).all()


@pytest.mark.parametrize("name", FOR_DEVICES)
def test_a_devices_bands_are_the_most_that_are_not_made_of_one_another(name):
    spec = SPECS[name]
    more = replace(spec, n_mels=spec.n_mels + 16)
    assert np.linalg.matrix_rank(mel_filters(spec)) == spec.n_mels
    assert np.linalg.matrix_rank(mel_filters(more)) < more.n_mels


@pytest.mark.parametrize("name", FOR_DEVICES)
def test_a_devices_floor_is_the_power_of_rounding_to_16_bits(name):
    spec = SPECS[name]
    rounding = np.random.default_rng(0).uniform(-0.5, 0.5, 2**18) / 32768
    framed = np.lib.stride_tricks.sliding_window_view(rounding, spec.n_fft)[:: spec.hop]
    hann = np.sin(np.pi * np.arange(spec.window) / spec.window) ** 2
    power = np.abs(np.fft.rfft(framed * hann)[:, 1:-1]) ** 2
    assert power.mean() == pytest.approx(spec.floor, rel=0.02)


def test_a_devices_name_says_rate_and_window():
    assert FOR_DEVICES == ["device_4k", "device_4k_32ms", "device_4k_16ms", "device_8k_32ms", "device_8k_16ms"]
    for name in FOR_DEVICES:
        spec = SPECS[name]
        rate, milliseconds = re.fullmatch(r"device_(\d)k(?:_(\d+)ms)?", name).groups(default="64")
        assert spec.sample_rate == 1000 * int(rate)
        assert spec.window == spec.n_fft == 2 * spec.hop == int(milliseconds) * int(rate)
        assert spec.padding == "none"


def test_an_empty_band_hears_nothing():
    crowded = replace(SPECS["device_4k"], n_mels=200)
    empty = ~(mel_filters(crowded) > 0).any(axis=1)
    assert empty.any()
    power = mel_power(crowded, noise(crowded, 1.0))
    np.testing.assert_allclose(power, LogMel(crowded, dtype=torch.float64).mel_power(batch_of(noise(crowded, 1.0)))[0])
    assert (power[:, empty] == 0).all()
    assert (power[:, ~empty] > 0).all()


@every_spec
def test_silence_gives_the_floor_exactly(spec):
    silence = log_mel(spec, np.zeros(spec.samples(1.0)))
    assert (silence == silence[0, 0]).all()
    floor = math.log(spec.floor) if spec.log == "ln" else 10 * math.log10(spec.floor)
    assert np.float32(silence[0, 0]) == np.float32(floor)


@settings(max_examples=40)
@given(st.integers(0, 200), st.integers(1, 130))
def test_windows_share_the_frames_of_the_stream(first, frames):
    spec = SPECS["device_4k"]
    recording = noise(spec, 11.0)
    window = recording[first * spec.hop :][: (frames - 1) * spec.hop + spec.n_fft]
    np.testing.assert_array_equal(log_mel(spec, window), log_mel(spec, recording)[first : first + frames])


@every_spec
def test_a_batch_gives_what_each_wave_gives(spec):
    waves = noise(spec, 0.5, shape=(2, 3))
    batch = log_mel(spec, waves)
    assert batch.shape == (2, 3, spec.frames(waves.shape[-1]), spec.n_mels)
    for row, column in np.ndindex(2, 3):
        np.testing.assert_array_equal(batch[row, column], log_mel(spec, waves[row, column]))


@pytest.mark.parametrize(("name", "samples"), [("m2d", 200), ("device_4k", 255)])
def test_a_wave_shorter_than_a_frame_is_refused(name, samples):
    assert SPECS[name].frames(samples + 1) >= 1
    for transform in (lambda wave: log_mel(SPECS[name], wave), lambda wave: LogMel(SPECS[name])(batch_of(wave))):
        with pytest.raises(InputError, match="too few"):
            transform(np.zeros(samples))


def batch_of(wave):
    return torch.from_numpy(np.asarray(wave, dtype=np.float64))[None]


@every_spec
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-3)])
def test_torch_agrees_with_the_reference(spec, dtype, tolerance):
    # Float32 rounds relative to the loudest bin; the quietest bands of this sound lie some 60 dB below it.
    waves = noise(spec, 1.0, shape=(2,))
    waves[1] *= np.sin(2 * np.pi * 300 * np.arange(waves.shape[-1]) / spec.sample_rate)
    ours = LogMel(spec, dtype=dtype)(torch.from_numpy(waves))
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours.numpy(), log_mel(spec, waves), rtol=0, atol=tolerance)


@settings(max_examples=20)
@given(small_specs(), st.integers(42, 90))
def test_torch_agrees_for_any_specification(spec, samples):
    waves = noise(spec, samples / 1000, shape=(2,))
    ours = LogMel(spec, dtype=torch.float64).mel_power(torch.from_numpy(waves))
    np.testing.assert_allclose(ours.numpy(), mel_power(spec, waves), rtol=1e-9, atol=1e-12)


def test_both_normalise_by_the_constants_of_the_specification():
    spec = SPECS["m2d"].with_statistics(-7.1, 4.2)
    wave = noise(spec, 0.5)
    expected = (log_mel(SPECS["m2d"], wave) + 7.1) / 4.2
    np.testing.assert_allclose(normalise(spec, log_mel(spec, wave)), expected)
    ours = LogMel(spec, normalise=True, dtype=torch.float64)(batch_of(wave))[0]
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-9)
    assert not LogMel(spec).state_dict()


@pytest.mark.parametrize("padding", ["reflect", "none"])
@pytest.mark.parametrize("log", ["ln", "db"])
def test_gradients_are_right(padding, log):
    spec = LogMelSpec(1000, 16, 8, 16, 4, 20.0, 500.0, "htk", False, log, 1e-10, padding)
    wave = torch.from_numpy(noise(spec, 0.05, shape=(2,))).requires_grad_()
    assert torch.autograd.gradcheck(LogMel(spec, dtype=torch.float64), (wave,))


@every_spec
def test_gradients_at_silence_are_finite(spec):
    wave = torch.zeros(1, spec.samples(0.2), requires_grad=True)
    LogMel(spec)(wave).sum().backward()
    assert torch.isfinite(wave.grad).all()


@every_spec
@pytest.mark.parametrize("frames", [9, 3])
def test_frames_out_of_a_sound_are_those_of_the_whole(spec, frames):
    padded = 2 * (spec.n_fft // 2) if spec.padding == "reflect" else 0
    samples = spec.n_fft + (frames - 1) * spec.hop - padded + bool(spec.preemphasis) + spec.hop // 2
    pcm = np.random.default_rng(0).integers(-9000, 9000, max(samples, spec.n_fft), dtype=np.int16)
    whole, width = log_mel(spec, pcm / 32768), 4
    cut = LogMel(spec, pieces=True)
    for start in range(max(1, len(whole) - width + 1)):
        sound = torch.from_numpy(piece(spec, pcm, start, width))[None] / 32768
        wanted = whole[start : start + width]
        got = cut(sound)[0].numpy()
        assert len(got) == width
        np.testing.assert_allclose(got[: len(wanted)], wanted, atol=1e-3)
