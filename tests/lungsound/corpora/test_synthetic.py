"""The embedded corpus: sounds against the literature's numbers, labels against the sound."""

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from lungsound.corpora import icbhi2017, synthetic
from lungsound.errors import InputError
from lungsound.labels import class_names
from lungsound.synthesis.sounds import COARSE, FINE, breath_noise, crackle, draw_crackle, draw_wheeze, wheeze

RATE = 96_000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("synthetic") / "corpus"
    synthetic.generate(root, seed=3, patients=40)
    return synthetic.load(root)


def half_waves(sound, rate):
    """Lengths of the half-waves in seconds, between the points where the sign changes."""
    loud = np.flatnonzero(np.abs(sound) > 1e-9)
    sound = sound[loud[0] : loud[-1] + 1]
    changes = np.flatnonzero(np.sign(sound[1:]) != np.sign(sound[:-1])) + 1
    return np.diff(np.concatenate([[0], changes, [len(sound)]])) / rate


def peak_hertz(sound, rate):
    """Where the spectrum is highest."""
    size = 1 << 15
    return np.argmax(np.abs(np.fft.rfft(sound, size))) * rate / size


@given(st.integers(0, 2**32 - 1))
def test_crackles_have_the_widths_of_the_literature(seed):
    rng = np.random.default_rng(seed)
    fine, coarse = (half_waves(draw_crackle(kind, RATE, rng), RATE) for kind in (FINE, COARSE))
    assert len(fine) == len(coarse) == 4  # two cycles
    assert 0.00045 <= fine[0] <= 0.00095  # typical: 0.7 ms
    assert 0.0039 <= fine.sum() <= 0.0071  # typical: 5 ms; fine means below 10 ms
    assert 0.00115 <= coarse[0] <= 0.00205  # typical: 1.5 ms
    assert 0.0104 <= coarse.sum() <= 0.0151  # coarse means above 10 ms
    for waves in (fine, coarse):
        assert (np.diff(waves) > 0).all()  # the oscillation grows slower


def test_the_typical_crackle_is_what_was_asked_for():
    waves = half_waves(crackle(0.0007, 0.005, RATE), RATE)
    assert waves[0] == pytest.approx(0.0007, abs=2 / RATE)
    assert waves.sum() == pytest.approx(0.005, abs=3 / RATE)


@given(st.integers(0, 2**32 - 1))
def test_crackles_sound_between_100_hz_and_1_khz_and_fine_ones_higher(seed):
    rng = np.random.default_rng(seed)
    fine, coarse = (peak_hertz(draw_crackle(kind, RATE, rng), RATE) for kind in (FINE, COARSE))
    assert 100 < coarse < fine < 1000


def test_crackles_are_damped():
    sound = np.abs(crackle(0.0015, 0.010, RATE))
    ends = np.cumsum(half_waves(sound * np.sign(crackle(0.0015, 0.010, RATE)), RATE) * RATE).astype(int)
    peaks = [part.max() for part in np.split(sound, ends[:-1])]
    assert peaks[1] > peaks[2] > peaks[3]


@given(st.integers(0, 2**32 - 1), st.sampled_from([4000, 8000]))
def test_wheezes_last_longer_than_100_ms_and_sound_at_100_hz_or_more(seed, rate):
    sound = draw_wheeze(2.0, rate, np.random.default_rng(seed))
    loud = np.flatnonzero(np.abs(sound) > 0.05 * np.abs(sound).max())
    assert 0.1 < (loud[-1] - loud[0]) / rate < 0.95
    assert 100 <= peak_hertz(sound, rate) <= 900


def test_a_wheeze_is_harmonic():
    spectrum = np.abs(np.fft.rfft(wheeze(1.0, 200.0, 1.0, 4000) * np.hanning(4000)))
    tones = [spectrum[hertz] for hertz in (200, 400, 600)]
    level = 20 * np.log10(np.array(tones) / tones[0])
    assert level == pytest.approx([0.0, -10.0, -20.0], abs=0.5)
    between = np.delete(spectrum, [hertz + d for hertz in (200, 400, 600) for d in range(-10, 11)])
    assert between.max() < 0.02 * tones[0]


@settings(max_examples=20)
@given(st.floats(9.8, 15.7), st.integers(0, 2**32 - 1))
def test_breath_noise_falls_as_steeply_as_asked_for(octave_db, seed):
    sound = breath_noise(80_000, 4000, 80.0, octave_db, np.random.default_rng(seed))
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(1.0)
    power = (np.abs(np.fft.rfft(sound.reshape(-1, 2000) * np.hanning(2000))) ** 2).mean(axis=0)
    octave = [10 * np.log10(power[hertz // 2 - 20 : hertz // 2 + 20].mean()) for hertz in (800, 1600)]
    assert octave[0] - octave[1] == pytest.approx(octave_db, abs=2.0)


def test_it_has_the_shape_of_icbhi_2017(corpus):
    assert corpus.synthetic
    assert corpus.name == "synthetic"
    assert len(corpus.recordings) == 80
    assert (corpus.recordings["path"] != "").all()
    assert corpus.notes == ()
    assert set(corpus.recordings["split"]) == {"train", "test"}
    by_patient = corpus.recordings.groupby("patient")["split"].nunique()
    assert len(by_patient) == 40
    assert (by_patient == 1).all()
    assert corpus.recordings["device"].nunique() == 3
    assert len(icbhi2017.patients(corpus.root)) == 40
    shares = class_names(corpus.events, corpus.labels).value_counts(normalize=True)
    for name, share in {"normal": 0.528, "crackle": 0.270, "wheeze": 0.128, "both": 0.073}.items():
        assert shares[name] == pytest.approx(share, abs=0.07)


def test_both_sides_of_the_split_have_every_class_and_device(corpus):
    for _, part in corpus.events.groupby("split"):
        assert (class_names(part, corpus.labels).value_counts() >= 5).sum() == 4
        assert part["device"].value_counts(normalize=True).min() > 0.2


def test_length_gives_nothing_away(corpus):
    seconds = corpus.events["end"] - corpus.events["start"]
    for label in ("crackle", "wheeze"):
        assert abs(roc_auc_score(corpus.events[label], seconds) - 0.5) < 0.1


def cycle_measures(cycles):
    """For every cycle how peaky its sound is above 300 Hz, and how tonal."""
    measures = []
    for path, events in cycles.groupby("path", sort=False):
        sound, rate = soundfile.read(path)
        for start, end in zip(events["start"], events["end"], strict=True):
            cycle = sound[int(start * rate) : int(end * rate)]
            spectrum = np.fft.rfft(cycle)
            hertz = np.fft.rfftfreq(len(cycle), 1 / rate)
            high = np.fft.irfft(np.where((hertz > 300) & (hertz < 1500), spectrum, 0), len(cycle))
            frames = np.lib.stride_tricks.sliding_window_view(cycle, rate // 8)[:: rate // 16] * np.hanning(rate // 8)
            power = np.abs(np.fft.rfft(frames)) ** 2
            band = power[:, 15:120]  # 120 to 960 Hz
            smooth = band[:, :105].reshape(len(band), 7, 15)  # seven stretches, so that the slope does not count
            tonal = np.max(smooth / np.median(smooth, axis=-1, keepdims=True))
            measures.append((np.mean(high**4) / np.mean(high**2) ** 2, tonal))
    return np.array(measures).T


def test_labels_are_in_the_sound_but_not_trivially(corpus):
    some = corpus.events.iloc[::2]
    peaky, tonal = cycle_measures(some)
    assert 0.6 < roc_auc_score(some["crackle"], peaky) < 0.98
    assert 0.6 < roc_auc_score(some["wheeze"], tonal) < 0.98


def test_the_same_seed_gives_the_same_corpus_and_another_another(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        synthetic.generate(tmp_path / name, seed=seed, patients=4)
    files = {name: sorted((tmp_path / name).rglob("*.*")) for name in "abc"}
    content = {name: [path.read_bytes() for path in paths] for name, paths in files.items()}
    assert [path.relative_to(tmp_path / "a") for path in files["a"]] == [
        path.relative_to(tmp_path / "b") for path in files["b"]
    ]
    assert content["a"] == content["b"] != content["c"]


@pytest.mark.parametrize("patients", [4, 5, 7, 12])
def test_small_corpora_have_both_parts(tmp_path, patients):
    synthetic.generate(tmp_path / "corpus", patients=patients)
    recordings = synthetic.load(tmp_path / "corpus").recordings
    by_split = recordings.groupby("split")["patient"].nunique()
    assert by_split["train"] >= 2
    assert by_split["test"] >= 1
    assert by_split.sum() == patients


@pytest.mark.parametrize("patients", [-1, 3, 900])
def test_impossible_sizes_are_refused(tmp_path, patients):
    with pytest.raises(InputError, match=rf"not {patients}"):
        synthetic.generate(tmp_path / "corpus", patients=patients)


def test_nothing_but_a_synthetic_corpus_is_replaced(tmp_path):
    (tmp_path / "precious").touch()
    with pytest.raises(InputError, match="exists and is no synthetic corpus"):
        synthetic.generate(tmp_path, patients=4)
    assert (tmp_path / "precious").exists()


def test_real_recordings_do_not_pass_for_synthetic_nor_the_reverse(shared, corpus):
    with pytest.raises(InputError, match="real recordings"):
        synthetic.load(shared / "data" / "icbhi2017_native")
    assert icbhi2017.load(corpus.root).synthetic


@pytest.fixture
def made(tmp_path, monkeypatch):
    """What was asked of the generator in an empty cache; it makes fewer patients."""
    monkeypatch.setenv("AUSCULT_CACHE", str(tmp_path))
    made = []
    generate = synthetic.generate

    def smaller(root, seed, patients):
        made.append((seed, patients))
        generate(root, seed, 4)

    monkeypatch.setattr(synthetic, "generate", smaller)
    return made


def test_the_default_corpus_is_made_once(tmp_path, made):
    roots = {synthetic.load_default().root for _ in range(2)}
    assert made == [(0, 40)]
    assert [root.parent for root in roots] == [tmp_path]
    assert {path.name for path in tmp_path.iterdir()} == {"locks", *(root.name for root in roots)}


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 2
    file.write_bytes(content)


DAMAGES = {
    "flipped": (".wav", flip),
    "cut": (".txt", lambda file: file.write_bytes(file.read_bytes()[:-1])),
    "emptied": (".json", lambda file: file.write_bytes(b"")),
    "deleted": (".wav", lambda file: file.unlink()),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_default_corpus_is_made_again(made, damage, capfd):
    root = synthetic.load_default().root
    (root / ".DS_Store").touch()
    synthetic.load_default()
    assert len(made) == 1
    files = {path: path.read_bytes() for path in root.rglob("[!.]*") if path.is_file()}
    suffix, harm = DAMAGES[damage]
    harm(next(path for path in files if path.suffix == suffix))
    synthetic.load_default()
    assert len(made) == 2
    assert f"note: {root} is damaged; it is made again" in capfd.readouterr().err
    assert {path: path.read_bytes() for path in files} == files


def test_a_default_corpus_of_before_has_no_checksum_and_is_read(made):
    root = synthetic.load_default().root
    (root / "synthetic.json").write_text('{"generator": 1, "seed": 0, "patients": 40}\n')
    synthetic.load_default()
    assert len(made) == 1
