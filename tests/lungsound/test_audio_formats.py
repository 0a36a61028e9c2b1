"""Every width, rate and coding that recordings come in, against arithmetic and the standards' own tables."""

import struct

import numpy as np
import pytest
import soundfile
import soxr

from lungsound.audio import read_pcm
from lungsound.errors import InputError

INTEGERS = {"PCM_U8": 8, "PCM_S8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}


def integers(bits, samples, channels=1):
    """Random integers of so many bits, full scale among them."""
    values = np.random.default_rng(bits).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (samples, channels))
    values[:2] = [[-(2 ** (bits - 1))], [2 ** (bits - 1) - 1]]
    return values


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.wav", "PCM_U8"), ("a.wav", "PCM_16"), ("a.wav", "PCM_24"), ("a.wav", "PCM_32"), ("wavex.wav", "PCM_24"),
     ("a.flac", "PCM_S8"), ("a.flac", "PCM_24"), ("a.aiff", "PCM_S8"), ("a.caf", "PCM_24"), ("a.w64", "PCM_32")],
)  # fmt: skip
def test_integers_of_any_width_become_16_bits(tmp_path, name, subtype, rate):
    bits = INTEGERS[subtype]
    values = integers(bits, 3000 if name == "a.aiff" else 3001)
    kind = {"format": "WAVEX"} if name.startswith("wavex") else {}
    # An odd number, as chunks are padded to even ones; libsndfile counts the padding of its AIFF as a sample.
    # int32 whose upper bits are the sample: libsndfile writes these bits and no others
    soundfile.write(tmp_path / name, (values << (32 - bits)).astype(np.int32), rate, subtype=subtype, **kind)
    exact = values[:, 0].astype(np.float64) * 2.0 ** (16 - bits)
    assert read_pcm(tmp_path / name, rate).tolist() == np.clip(np.rint(exact), -32768, 32767).tolist()


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_floats_become_16_bits(tmp_path, subtype):
    values = integers(16, 3001)[:, 0] / 32768
    soundfile.write(tmp_path / "a.wav", values, 16000, subtype=subtype)
    assert read_pcm(tmp_path / "a.wav", 16000).tolist() == (values * 32768).tolist()


@pytest.mark.parametrize("bits", [8, 16, 24])
def test_two_channels_become_their_mean(tmp_path, bits):
    values = integers(bits, 2000, channels=2)
    shifted = (values << (32 - bits)).astype(np.int32)
    soundfile.write(tmp_path / "a.wav", shifted, 44100, subtype={8: "PCM_U8"}.get(bits, f"PCM_{bits}"))
    mean = values.sum(axis=1) * 2.0 ** (15 - bits)
    np.testing.assert_array_equal(read_pcm(tmp_path / "a.wav", 44100), np.clip(np.rint(mean), -32768, 32767))


def a_law(code):
    """Return what a code of ITU-T G.711 (table 1a) stands for, of 13 bits with sign, in units of 16."""
    code ^= 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = 2 * mantissa + 1 if exponent == 0 else (2 * mantissa + 33) << (exponent - 1)
    return magnitude * 8 * (1 if code & 0x80 else -1)


def mu_law(code):
    """Return what a code of ITU-T G.711 (table 2a) stands for, of 14 bits with sign, in units of 4."""
    code ^= 0xFF
    magnitude = ((2 * (code & 15) + 33) << ((code >> 4) & 7)) - 33
    return magnitude * 4 * (-1 if code & 0x80 else 1)


@pytest.mark.parametrize(("subtype", "decode", "tag"), [("ALAW", a_law, 6), ("ULAW", mu_law, 7)])
def test_telephone_codes(tmp_path, subtype, decode, tag):
    codes = bytes(range(256))
    form = struct.pack("<4sIHHIIHHH", b"fmt ", 18, tag, 1, 8000, 8000, 1, 8, 0)
    chunks = b"WAVE" + form + struct.pack("<4sII", b"fact", 4, 256) + struct.pack("<4sI", b"data", 256) + codes
    (tmp_path / "a.wav").write_bytes(struct.pack("<4sI", b"RIFF", len(chunks)) + chunks)
    assert soundfile.info(tmp_path / "a.wav").subtype == subtype
    assert read_pcm(tmp_path / "a.wav", 8000).tolist() == [decode(code) for code in codes]


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.ogg", "VORBIS"), ("a.opus", "OPUS"), ("a.mp3", "MPEG_LAYER_III"), ("a.wav", "IMA_ADPCM"),
     ("a.wav", "MS_ADPCM"), ("a.wav", "GSM610")],
)  # fmt: skip
def test_a_tone_outlives_compression(tmp_path, name, subtype, rate):
    kind = {"format": "OGG"} if subtype == "OPUS" else {}
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)
    soundfile.write(tmp_path / name, tone, rate, subtype=subtype, **kind)
    pcm = read_pcm(tmp_path / name, 8000) / 32768
    assert len(pcm) == pytest.approx(16000, abs=1200)
    middle = pcm[4000:12000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) == 440
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize("ending", ["m4a", "MP4", "aac", "wma"])
def test_what_libsndfile_cannot_read_is_to_be_converted(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"\0\0\0\x20ftypM4A \0\0\2\0isomiso2" + bytes(100))
    with pytest.raises(InputError, match=rf"not readable as audio.*; convert it: ffmpeg -i a\.{ending} a\.wav"):
        read_pcm(path, 8000)


@pytest.mark.parametrize(("native", "wanted"), [(44100, 4000), (8000, 16000), (4000, 4000)])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("name", "subtype"), [("a.wav", "PCM_16"), ("a.wav", "DOUBLE"), ("a.flac", "PCM_24")])
def test_blocks_make_no_difference(tmp_path, monkeypatch, name, subtype, channels, native, wanted):
    sound = np.random.default_rng(0).normal(0, 0.3, (30_011, channels)).clip(-1, 0.99)
    soundfile.write(tmp_path / name, sound, native, subtype=subtype)
    at_once = soundfile.read(tmp_path / name, always_2d=True)[0].mean(axis=1)
    resampled = soxr.resample(at_once, native, wanted, quality="VHQ")
    expected = np.clip(np.rint(resampled * 32768), -32768, 32767).astype(np.int16)
    # A recording in one block, in a few and in many; blocks that soxr takes whole or by parts.
    for values, chunk in ((2**23, 2**20), (30_011, 2**20), (4096, 700), (1000, 2**20)):
        monkeypatch.setattr("lungsound.audio._BLOCK_VALUES", values)
        monkeypatch.setattr("lungsound.audio._CHUNK_VALUES", chunk)
        np.testing.assert_array_equal(read_pcm(tmp_path / name, wanted), expected)
