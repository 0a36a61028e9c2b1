"""Which clips an epoch holds, who hears them, and what is drawn for each."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from lungsound.corpus import make_corpus
from lungsound.errors import InputError
from lungsound.logmel import SPECS, log_mel
from teachers.pretraining.sound.batches import Crops, Events, Noise, Steps, View
from teachers.pretraining.sound.clips import clips_of, silence, store
from teachers.pretraining.sound.hearing import Ear, Hearing
from teachers.pretraining.sound.mixture import Epoch

M2D = SPECS["m2d"]


def test_icbhi_doubled_as_the_code_does():
    heard = Counter(Counter(Epoch.of([539], least=10_000).entries.tolist()).values())
    assert heard == {19: 298, 18: 241}


def test_counts_and_shares():
    assert Counter(Epoch.of([2, 1], repeat=[1, 3]).entries.tolist()) == {0: 1, 1: 1, 2: 3}
    shared = Counter(Epoch.of([60, 4], share=[0.75, 0.25]).entries.tolist())
    assert sum(shared.values()) == 80
    assert [shared[clip] for clip in range(60)] == [1] * 60  # none is left out, none of the largest comes twice
    assert [shared[clip] for clip in range(60, 64)] == [5] * 4
    for wrong in ({"repeat": [1]}, {"share": [0.5, 0.6]}, {"repeat": [1, 1], "share": [0.5, 0.5]}):
        with pytest.raises(InputError):
            Epoch.of([2, 1], **wrong)


@given(
    clips=st.integers(4, 60),
    processes=st.sampled_from([1, 2, 3]),
    accumulate=st.sampled_from([1, 2]),
    seed=st.integers(0, 9),
    start=st.integers(0, 3),
)
def test_processes_share_the_steps_of_one(clips, processes, accumulate, seed, start):
    entries, step = np.arange(clips), 12
    told = {"epochs": 2, "batch_size": step, "seed": seed}
    alone = list(Steps(Epoch(np.resize(entries, 48)), accumulate=1, **told, start=start))
    shares = [
        list(
            Steps(
                Epoch(np.resize(entries, 48)),
                accumulate=accumulate,
                rank=rank,
                processes=processes,
                start=start * accumulate,
                **told,
            )
        )
        for rank in range(processes)
    ]
    for index, places in enumerate(alone):
        parts = [share[index * accumulate + part] for part in range(accumulate) for share in shares]
        assert [place for part in parts for place in part] == places
    if start == 0:
        first = [place[2] for places in alone[:4] for place in places]
        assert sorted(first) == sorted(np.resize(entries, 48))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Three seconds of one tone, half a second of another, and noise."""
    folder, rows = tmp_path_factory.mktemp("clips"), []
    for name, seconds, hertz in (("a", 3.0, 300), ("b", 0.5, 900)):
        wave = 0.1 * np.sin(2 * np.pi * hertz * np.arange(round(16000 * seconds)) / 16000)
        soundfile.write(folder / f"{name}.wav", wave, 16000, subtype="PCM_16")
        rows.append((0, name, str(folder / f"{name}.wav"), 0.0, np.inf))
    rows.append((0, "a", str(folder / "a.wav"), 1.0, 2.0))
    table = pd.DataFrame(rows, columns=["source", "recording", "path", "start", "end"])
    return store(table, M2D, 16, folder / "cache")


def test_clips_are_log_mels_of_their_sound(clips):
    assert clips.lengths.tolist() == [301, 51, 101]
    wave, _ = soundfile.read(clips.table["path"][0])
    np.testing.assert_allclose(clips.crop(2, 0, 101, 0), log_mel(M2D, wave[16000:32000]), atol=1e-4)
    again = store(clips.table, M2D, 16, cache_of(clips))
    np.testing.assert_array_equal(again.frames, clips.frames)


def cache_of(clips):
    return Path(clips.table["path"][0]).parent / "cache"


def test_clips_are_recordings_or_events():
    recordings = [
        {
            "recording": name,
            "path": name,
            "seconds": 9.0,
            "sample_rate": 4000,
            "patient": name,
            "site": "",
            "device": "",
        }
        | {"split": "train", "record_type": "", "continuous": continuous}
        for name, continuous in (("pieced", False), ("poor", False), ("whole", True))
    ]
    events = [{"recording": name, "start": 1.0, "end": 2.0, "crackle": 1, "wheeze": 0} for name in ("pieced", "whole")]
    corpus = make_corpus("mine", Path(), recordings, events)
    usual = clips_of(corpus, 4)
    assert usual["end"].tolist() == [2.0, np.inf, np.inf]  # silence lies between what was pieced together
    assert set(usual["source"]) == {4}
    assert clips_of(corpus, 0, events=True)["recording"].tolist() == ["pieced", "whole"]
    alone = make_corpus("mine", Path(), recordings, [])
    assert clips_of(alone, 0, events=True)["recording"].tolist() == ["pieced", "poor", "whole"]


def test_a_clip_shorter_than_a_patch_is_named(clips):
    with pytest.raises(InputError, match=r"b\.wav: the clip from 0 s has 51 frames, less than a patch of 60"):
        store(clips.table, M2D, 60, cache_of(clips))


def test_short_clips_end_in_silence_or_in_zeros(clips):
    for fill in (silence(M2D), 0.0):
        crops = Crops(View(clips, 64, fill), 20, seed=3)
        hearing = Hearing(Ear(M2D.with_statistics(-7.0, 2.0), fill))
        x = hearing(crops[[(0, 0, 1)]])["x"][0, 0].numpy()
        np.testing.assert_allclose(x[:, 51:], (fill + 7) / 2, rtol=1e-6)
        assert x[:, :51].max() > (silence(M2D) + 7) / 2 + 1
    assert silence(M2D) == pytest.approx(-15.9424, abs=1e-4)


def test_a_crop_depends_on_its_place_alone(clips):
    crops = Crops(View(clips, 64, -16.0), 20, seed=3)
    together, apart = crops[[(1, 5, 0), (1, 6, 0)]], crops[[(1, 6, 0)]]
    assert together["crop"][1].equal(apart["crop"][0])
    assert together["order"][1].equal(apart["order"][0])
    assert not together["order"][0].equal(apart["order"][0])
    assert sorted(apart["order"][0].tolist()) == list(range(20))


@pytest.mark.parametrize("online", [True, False])
def test_noise_goes_one_way_and_clean_sound_the_other(clips, online):
    noise, (mean, std), share = Noise(clips, -9.0, 0.25, online), (-7.0, 2.0), 0.25
    crops = Crops(View(clips, 51, -16.0), 20, seed=3, noise=noise)
    hearing = Hearing(Ear(M2D.with_statistics(mean, std), -16.0), noise, clean=True)
    clean = (clips.crop(1, 0, 51, 0).T.astype(np.float64) - mean) / std
    batch = hearing(crops[[(0, position, 1) for position in range(3)]])
    noisy, plain = ("x", "offline") if online else ("offline", "x")
    heard = set()
    for position in range(3):
        np.testing.assert_allclose(batch[plain][position, 0], clean, rtol=1e-5, atol=1e-5)
        # Eq. 5 turned round: what was mixed in is one of the noise clips, less its set's mean.
        power = np.exp(batch[noisy][position, 0].numpy().astype(np.float64) * std)
        added = np.log(np.maximum((power - (1 - share) * np.exp(clean * std)) / share, 1e-12)) - 9.0
        loud = added > -5  # elsewhere the clean sound drowns it
        tones = [np.array_equal(loud[:, 20], clips.crop(clip, 0, 51, 0).T[:, 20] > -5) for clip in (0, 1)]
        heard.add(tuple(tones))
    assert heard == {(True, False), (False, True)}  # a and its piece, and b


def test_labels_are_those_of_the_crop():
    table = pd.DataFrame({"source": 0, "recording": ["r", "r"], "start": [0.0, 2.0], "end": [np.inf, 4.0]})
    events = pd.DataFrame(
        {"source": 0, "recording": "r", "start": [0.5, 3.0], "end": [1.0, 5.0], "crackle": [1, 0], "wheeze": [0, 1]}
    )
    heard = Events.of(table, events, ("crackle", "wheeze"))
    assert heard.heard(0, 0.0, 0.4).tolist() == [0, 0]
    assert heard.heard(0, 0.9, 3.5).tolist() == [1, 1]
    assert heard.heard(1, 0.0, 0.9).tolist() == [0, 0]  # from 2 s on
    assert heard.heard(1, 0.9, 1.5).tolist() == [0, 1]
