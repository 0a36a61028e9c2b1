"""Prepared log-mels: the right rows, computed once, found again, never half-written."""

import errno
import os
from functools import partial

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lungsound import features
from lungsound.errors import InputError
from lungsound.features import feature_key, pcm_windows, prepare, statistics
from lungsound.logmel import SPECS, log_mel
from lungsound.parallel import in_parallel

SPEC = SPECS["device_4k"]


def window(path, protocol, start, end):
    return {"path": str(path), "protocol": protocol, "start": start, "end": end}


def pcm_of(seed, seconds):
    return np.random.default_rng(seed).integers(-8000, 8000, round(seconds * 4000)).astype(np.int16)


@pytest.fixture
def windows(tmp_path):
    """Four windows of two recordings, in an order that goes back and forth."""
    for seed, seconds in ((1, 9.0), (2, 3.0)):
        soundfile.write(tmp_path / f"{seed}.wav", pcm_of(seed, seconds), 4000)
    rows = [
        window(tmp_path / "1.wav", "stream", 1.984, 5.984),
        window(tmp_path / "2.wav", "stream", 0.0, 3.0),
        window(tmp_path / "1.wav", "cycles", 2.0, 3.5),
        window(tmp_path / "1.wav", "stream", 0.0, 4.0),
    ]
    return pd.DataFrame(rows)


def expected_pcm():
    one, two = pcm_of(1, 9.0), pcm_of(2, 3.0)
    ramp = np.linspace(0, 1, 250)
    cycle = one[8000:14000].astype(float)
    cycle[:250] *= ramp
    cycle[-250:] *= ramp[::-1]
    tiled = np.concatenate([cycle, cycle, cycle])[:16000]
    tiled[-250:] *= ramp[::-1]
    return np.stack([one[7936:23936], np.concatenate([two, two])[:16000], np.rint(tiled), one[:16000]])


def test_sound_of_every_window(windows):
    pcm = pcm_windows(windows, 4000, 4.0)
    assert pcm.dtype == np.int16
    difference = pcm - expected_pcm()
    assert np.abs(difference[[0, 1, 3]]).max() == 0
    assert np.abs(difference[2]).max() <= 1  # a fade in float32 may round the other way


def test_log_mels_are_the_reference_of_that_sound(windows, tmp_path):
    prepared = prepare(windows, SPEC, 4.0, tmp_path / "cache")
    assert isinstance(prepared, np.memmap)
    assert not prepared.flags.writeable
    assert prepared.dtype == np.float32
    expected = log_mel(SPEC, pcm_windows(windows, 4000, 4.0) / 32768)
    np.testing.assert_array_equal(prepared, expected.astype(np.float32))


def test_processes_give_what_one_process_gives(windows, tmp_path, monkeypatch):
    alone = np.array(prepare(windows, SPEC, 4.0, tmp_path / "alone"))
    monkeypatch.setattr(features, "in_parallel", partial(in_parallel, worth_a_pool=1))
    np.testing.assert_array_equal(prepare(windows, SPEC, 4.0, tmp_path / "together"), alone)


def test_a_second_time_no_sound_is_read(windows, tmp_path, monkeypatch):
    first = np.array(prepare(windows, SPEC, 4.0, tmp_path))
    monkeypatch.setattr(features, "read_pcm", None)
    np.testing.assert_array_equal(prepare(windows, SPEC, 4.0, tmp_path), first)
    measured = SPEC.with_statistics(-7.0, 4.0)
    np.testing.assert_array_equal(prepare(windows, measured, 4.0, tmp_path), first)


def test_the_key_knows_what_counts(windows, tmp_path):
    keys = [
        feature_key(windows, SPEC, 4.0),
        feature_key(windows, SPEC, 3.0),
        feature_key(windows, SPECS["multibreath"], 4.0),
        feature_key(windows[::-1], SPEC, 4.0),
        feature_key(windows[:3], SPEC, 4.0),
        feature_key(windows.assign(start=windows["start"] + 1e-6), SPEC, 4.0),
        feature_key(windows.assign(end=windows["end"] + 1e-6), SPEC, 4.0),
        feature_key(windows.assign(protocol="cycles"), SPEC, 4.0),
        feature_key(windows.assign(path=str(tmp_path / "1.wav")), SPEC, 4.0),
    ]
    os.utime(tmp_path / "2.wav", ns=(0, 0))
    keys.append(feature_key(windows, SPEC, 4.0))
    soundfile.write(tmp_path / "2.wav", pcm_of(2, 3.5), 4000)
    os.utime(tmp_path / "2.wav", ns=(0, 0))
    keys.append(feature_key(windows, SPEC, 4.0))
    assert len(set(keys)) == len(keys)


def test_labels_do_not_count(windows):
    assert feature_key(windows, SPEC, 4.0) == feature_key(windows.assign(crackle=1, split="test"), SPEC, 4)


def test_a_damaged_cache_is_made_anew(windows, tmp_path):
    good = np.array(prepare(windows, SPEC, 4.0, tmp_path))
    (file,) = (tmp_path / "features").iterdir()
    content = file.read_bytes()
    for damaged in (b"", b"not an array", content[: len(content) // 2]):
        file.write_bytes(damaged)
        np.testing.assert_array_equal(prepare(windows, SPEC, 4.0, tmp_path), good)


def nothing_left(cache):
    return not (cache / "features").exists() or not any((cache / "features").iterdir())


@pytest.mark.parametrize("pool", [1, 100])
def test_a_damaged_recording_is_named_and_nothing_written(windows, tmp_path, monkeypatch, pool):
    monkeypatch.setattr(features, "in_parallel", partial(in_parallel, worth_a_pool=pool))
    content = (tmp_path / "2.wav").read_bytes()
    (tmp_path / "2.wav").write_bytes(content[:-100])
    with pytest.raises(InputError, match=r"2\.wav: cut short"):
        prepare(windows, SPEC, 4.0, tmp_path / "cache")
    assert nothing_left(tmp_path / "cache")


def test_a_window_beyond_its_recording_is_named(windows, tmp_path):
    windows.loc[2, ["start", "end"]] = 9.5, 10.0
    with pytest.raises(InputError, match=r"1\.wav: no sound between 9\.5 s and 10 s"):
        prepare(windows, SPEC, 4.0, tmp_path / "cache")
    assert nothing_left(tmp_path / "cache")


def test_a_missing_recording_is_named(windows, tmp_path):
    (tmp_path / "1.wav").unlink()
    with pytest.raises(InputError, match=r"1\.wav: no such file"):
        prepare(windows, SPEC, 4.0, tmp_path / "cache")


def test_no_windows(windows, tmp_path):
    with pytest.raises(InputError, match="no windows"):
        prepare(windows[:0], SPEC, 4.0, tmp_path / "cache")


def test_a_full_disk_is_a_sentence(windows, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(features, "log_mel", full)
    with pytest.raises(InputError, match="the disk is full"):
        prepare(windows, SPEC, 4.0, tmp_path / "cache")
    assert nothing_left(tmp_path / "cache")


@given(arrays(np.float32, (7, 3, 2), elements=st.floats(-20, 5, width=32)), st.sets(st.integers(0, 6), min_size=1))
def test_statistics_are_those_of_the_rows(values, chosen):
    rows = np.array(sorted(chosen))
    for mean, std, of in ((*statistics(values), values), (*statistics(values, rows), values[rows])):
        assert mean == pytest.approx(of.astype(np.float64).mean(), abs=1e-9)
        assert std == pytest.approx(of.astype(np.float64).std(), abs=1e-6)


def test_statistics_by_chunks(monkeypatch):
    values = np.random.default_rng(0).normal(-7, 4, (100, 5, 4)).astype(np.float32)
    monkeypatch.setattr(features, "_VALUES_AT_ONCE", 60)
    assert statistics(values) == pytest.approx((values.mean(dtype=np.float64), values.std(dtype=np.float64)), rel=1e-12)


def test_statistics_of_nothing():
    with pytest.raises(InputError, match="no training windows"):
        statistics(np.zeros((3, 2, 2), np.float32), np.array([], dtype=np.int64))
