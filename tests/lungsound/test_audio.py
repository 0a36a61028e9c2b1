"""Reading, resampling and cutting sound; files that are not what they say."""

import contextlib
import struct

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lungsound.cpu_wheels  # noqa: F401  (torchaudio loads after it)
from lungsound.audio import cut_window, read_pcm, tile_cycle, to_float, to_pcm
from lungsound.errors import InputError

same_folder = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def random_pcm(samples, seed=0):
    return np.random.default_rng(seed).integers(-32768, 32768, samples).astype(np.int16)


def tone(hertz, rate, seconds, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


CONTAINERS = {
    "wav": {"format": "WAV"},
    "rifx.wav": {"format": "WAV", "endian": "BIG"},
    "extensible.wav": {"format": "WAVEX"},
    "rf64": {"format": "RF64"},
    "aiff": {"format": "AIFF"},
    "flac": {"format": "FLAC"},
    "caf": {"format": "CAF"},
    "w64": {"format": "W64"},
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_sixteen_bits_at_the_same_rate_stay_untouched(tmp_path, name):
    pcm = random_pcm(4001)
    soundfile.write(tmp_path / name, pcm, 4000, subtype="PCM_16", **CONTAINERS[name])
    np.testing.assert_array_equal(read_pcm(tmp_path / name, 4000), pcm)


@pytest.mark.parametrize(("name", "subtype"), [("a.ogg", "VORBIS"), ("a.mp3", "MPEG_LAYER_III"), ("a.wav", "PCM_24")])
def test_other_codings_are_read_whole(tmp_path, name, subtype):
    sound = tone(440, 16000, 1.5)
    soundfile.write(tmp_path / name, sound, 16000, subtype=subtype)
    pcm = read_pcm(tmp_path / name, 16000)
    assert abs(len(pcm) - len(sound)) <= 1152  # a frame of MP3
    assert np.abs(pcm).max() == pytest.approx(16384, rel=0.1)


@given(st.integers(-32768, 32767))
def test_to_float_and_to_pcm_are_inverse(value):
    pcm = np.array([value], dtype=np.int16)
    assert to_float(pcm)[0] * 32768 == value
    np.testing.assert_array_equal(to_pcm(to_float(pcm)), pcm)


def test_loud_floats_saturate(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([1.5, -1.5, 1.0, -1.0, 0.25]), 8000, subtype="FLOAT")
    assert read_pcm(tmp_path / "a.wav", 8000).tolist() == [32767, -32768, 32767, -32768, 8192]


def test_channels_are_averaged(tmp_path):
    pcm = np.stack([random_pcm(500, seed) for seed in range(3)], axis=1)
    soundfile.write(tmp_path / "a.wav", pcm, 8000)
    difference = read_pcm(tmp_path / "a.wav", 8000) - pcm.astype(float).mean(axis=1)
    assert np.abs(difference).max() <= 0.5 + 1e-9


@pytest.mark.parametrize(("native", "wanted"), [(8000, 16000), (8000, 4000), (44100, 4000), (4000, 16000)])
def test_a_tone_is_the_same_tone_at_another_rate(tmp_path, native, wanted):
    soundfile.write(tmp_path / "a.wav", tone(700, native, 2.0), native, subtype="DOUBLE")
    pcm = read_pcm(tmp_path / "a.wav", wanted)
    assert len(pcm) == 2 * wanted
    middle = slice(wanted // 2, -wanted // 2)  # away from where the recording starts and stops
    difference = pcm - 32768 * tone(700, wanted, 2.0)
    assert np.abs(difference[middle]).max() < 0.6


def test_what_the_lower_rate_cannot_hold_vanishes(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(2500, 8000, 2.0), 8000, subtype="DOUBLE")
    assert np.abs(read_pcm(tmp_path / "a.wav", 4000)[2000:-2000]).max() <= 1


def test_real_recordings_keep_their_length(shared):
    for path in sorted((shared / "data" / "icbhi2017_native").glob("*.wav"))[:2]:
        about = soundfile.info(path)
        assert len(read_pcm(path, 4000)) == pytest.approx(about.frames * 4000 / about.samplerate, abs=1)


def refused(path, *words):
    with pytest.raises(InputError) as caught:
        read_pcm(path, 4000)
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert "\n" not in sentence
    assert all(word in sentence for word in words), sentence


def test_missing_file_and_folder(tmp_path):
    refused(tmp_path / "none.wav", "no such file")
    refused(tmp_path, "is a folder; name a file")


@pytest.mark.parametrize("content", [b"", b"RIFF", b"fLaC", b"Once upon a time there was a stethoscope.\n" * 20])
def test_not_audio(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    refused(tmp_path / "a.wav", "not readable as audio")


def test_no_samples(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 8000)
    refused(tmp_path / "a.wav", "no sound")


@pytest.mark.parametrize("sample", [np.nan, np.inf, -np.inf, 3e4, 1e308])
def test_samples_that_are_no_sound(tmp_path, sample):
    soundfile.write(tmp_path / "a.wav", np.array([0.1, sample, 0.2]), 8000, subtype="DOUBLE")
    refused(tmp_path / "a.wav", "finite samples")


@pytest.mark.parametrize("name", ["wav", "rifx.wav", "extensible.wav", "rf64", "aiff", "flac"])
@same_folder
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused(tmp_path, name, share):
    path = tmp_path / name
    soundfile.write(path, random_pcm(3000), 8000, subtype="PCM_16", **CONTAINERS[name])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * (len(whole) - 1))])
    refused(path)


def test_a_cut_mp3_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.mp3", tone(440, 16000, 5.0), 16000)
    whole = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "a.mp3").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "a.mp3", "cut short")


def wav_header(channels=1, rate=8000, bits=16, data_bytes=8, riff_bytes=44):
    block = channels * bits // 8
    fmt = struct.pack("<HHIIHH", 1, channels, rate, rate * block % 2**32, block, bits)
    return (
        struct.pack("<4sI4s4sI", b"RIFF", riff_bytes, b"WAVE", b"fmt ", 16)
        + fmt
        + struct.pack("<4sI", b"data", data_bytes)
    )


@pytest.mark.parametrize("header", [{"channels": 0}, {"rate": 0}, {"rate": 1}, {"rate": 2**31 - 1}, {"bits": 0}])
def test_impossible_headers(tmp_path, header):
    (tmp_path / "a.wav").write_bytes(wav_header(**header) + bytes(8))
    refused(tmp_path / "a.wav")


@pytest.mark.parametrize("length", [0x7FFFF000, 0xFFFFFFFF])
def test_a_length_left_open_by_a_pipe_is_read_to_the_end(tmp_path, length):
    (tmp_path / "a.wav").write_bytes(wav_header(data_bytes=length, riff_bytes=length) + random_pcm(100).tobytes())
    np.testing.assert_array_equal(read_pcm(tmp_path / "a.wav", 8000), random_pcm(100))


def test_an_absurd_length_is_refused_before_it_is_allocated(tmp_path):
    soundfile.write(tmp_path / "a.flac", random_pcm(3000), 8000)
    damaged = bytearray((tmp_path / "a.flac").read_bytes())
    damaged[21:26] = bytes([damaged[21] | 0x0F, 255, 255, 255, 255])  # STREAMINFO: 36 bits of total samples
    (tmp_path / "a.flac").write_bytes(damaged)
    refused(tmp_path / "a.flac", "too many")


@same_folder
@given(st.data())
def test_damaged_files_give_sound_or_a_sentence(tmp_path, data):
    path = tmp_path / data.draw(st.sampled_from(["wav", "rf64", "aiff", "flac"]))
    soundfile.write(path, random_pcm(300), 8000, subtype="PCM_16", **CONTAINERS[path.name])
    content = bytearray(path.read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=6)):
        content[position] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        pcm = read_pcm(path, 4000)
        assert pcm.dtype == np.int16
        assert len(pcm) > 0


def published_cycle(wave, rate, start, end, seconds):
    """scl_icbhi2017's steps in torchaudio's own fades."""
    from torchaudio.transforms import Fade

    fade = rate * 1000 // 16000
    cycle = Fade(fade, fade, "linear")(torch.from_numpy(wave[int(start * rate) : int(end * rate)]))
    wanted = int(seconds * rate)
    if len(cycle) > wanted:
        return cycle[:wanted].numpy()
    repeated = torch.cat([cycle] * (wanted // len(cycle) + 1))[:wanted]
    return Fade(0, fade, "linear")(repeated).numpy()


@settings(max_examples=40)
@given(
    rate=st.sampled_from([4000, 16000]),
    start=st.floats(0, 9),
    length=st.one_of(st.floats(0.13, 9), st.sampled_from([0.126, 2.0, 4.0])),
    seconds=st.sampled_from([2.0, 4.0, 8.0]),
)
def test_cycles_are_tiled_as_published(rate, start, length, seconds):
    wave = to_float(random_pcm(18 * rate))
    ours = tile_cycle(wave, rate, start, start + length, seconds)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, published_cycle(wave, rate, start, start + length, seconds), atol=1e-6)


@given(st.integers(1, 600))
def test_cycles_shorter_than_their_fades_still_sound(samples):
    wave = np.full(8000, 0.5, dtype=np.float32)
    cycle = tile_cycle(wave, 4000, 0.25, 0.25 + samples / 4000 + 1e-6, 4.0)
    assert cycle.shape == (16000,)
    assert (cycle >= 0).all()
    assert cycle.max() > 0.2
    period = cycle[:samples]
    if samples >= 4:  # a fade has two ends
        assert period[0] == period[-1] == 0
    np.testing.assert_allclose(period, period[::-1], atol=1e-6)


def test_a_cycle_that_ends_after_the_recording_is_heard_as_far_as_it_goes():
    wave = to_float(random_pcm(8000))
    np.testing.assert_array_equal(tile_cycle(wave, 4000, 1.0, 2.2, 4.0), tile_cycle(wave, 4000, 1.0, 2.0, 4.0))


@pytest.mark.parametrize(("start", "end"), [(1.0, 1.0), (1.0, 0.5), (2.5, 3.0), (-2.0, -1.0)])
def test_cycles_without_a_sample_are_refused(start, end):
    with pytest.raises(InputError, match="no sound between"):
        tile_cycle(np.zeros(8000, np.float32), 4000, start, end, 4.0)


def test_windows_are_exact_cuts():
    wave = np.arange(40000, dtype=np.float32)
    np.testing.assert_array_equal(cut_window(wave, 4000, 1.984, 4.0), np.arange(7936, 23936))
    np.testing.assert_array_equal(cut_window(wave, 4000, 6.0, 4.0), np.arange(24000, 40000))


def test_a_recording_shorter_than_the_window_is_repeated():
    wave = np.arange(5000, dtype=np.float32)
    np.testing.assert_array_equal(cut_window(wave, 4000, 0.0, 4.0), np.arange(16000) % 5000)


@pytest.mark.parametrize(("samples", "start"), [(16000, 0.1), (16000, -0.1), (5000, 0.5), (40000, 6.01)])
def test_windows_beyond_the_recording_are_refused(samples, start):
    with pytest.raises(InputError, match="does not lie within"):
        cut_window(np.zeros(samples, np.float32), 4000, start, 4.0)
