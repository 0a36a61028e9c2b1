"""What `data check` counts, and what it finds wrong."""

import numpy as np
import pytest
import soundfile

from lungsound.corpora import icbhi2017, sprsound, synthetic
from lungsound.corpora.check import check
from lungsound.corpora.registry import open_corpus, read_corpus
from lungsound.files.plain_json import dumps

NAMES = ("101_1b1_Al_sc_Meditron", "102_1b1_Al_sc_Meditron", "103_1b1_Al_sc_Meditron")


@pytest.fixture
def root(tmp_path):
    """Three sound recordings with a cycle each."""
    for number, name in enumerate(NAMES):
        sound = np.random.default_rng(number).uniform(-0.1, 0.1, 8000)
        soundfile.write(tmp_path / f"{name}.wav", sound, 4000)
        (tmp_path / f"{name}.txt").write_text(f"0\t1.5\t{number % 2}\t0\n")
    return tmp_path


def cut_in_the_middle(path):
    path.write_bytes(path.read_bytes()[:8000])


def cut_flac(path):
    sound, rate = soundfile.read(path)
    path.unlink()
    path = path.with_suffix(".flac")
    soundfile.write(path, sound, rate)
    path.write_bytes(path.read_bytes()[:4000])


def not_a_number(path):
    soundfile.write(path, np.array([0.1, np.nan, 0.2] * 3000), 4000, subtype="FLOAT")


def silent(path):
    soundfile.write(path, np.zeros(8000), 4000)


def test_sound_recordings_have_no_problem(root):
    report = check(icbhi2017.load(root))
    assert report["problems"] == []
    assert report["recordings"] == report["recordings_with_audio"] == 3
    assert report["classes"] == {"normal": 2, "crackle": 1, "wheeze": 0, "both": 0}
    assert report["labels"] == {"crackle": 1, "wheeze": 0}
    assert report["seconds"] == 6.0
    assert report["sample_rates"] == {"4000": 3}
    dumps(report)


@pytest.mark.parametrize("damage", [cut_in_the_middle, cut_flac, not_a_number, silent])
def test_every_damaged_file_is_one_sentence(root, damage):
    for name in NAMES[:2]:
        damage(root / f"{name}.wav")
    problems = check(icbhi2017.load(root))["problems"]
    assert len(problems) == 2
    for name, problem in zip(NAMES, problems, strict=False):
        assert name in problem
        assert "\n" not in problem
    assert check(icbhi2017.load(root), read_audio=False)["problems"] == []


def test_the_same_sound_under_two_names_is_noted(root):
    (root / f"{NAMES[2]}.wav").write_bytes((root / f"{NAMES[0]}.wav").read_bytes())
    (root / "ICBHI_challenge_train_test.txt").write_text(f"{NAMES[0]}\ttrain\n{NAMES[2]}\ttest\n")
    report = check(icbhi2017.load(root))
    assert f"the same sound in {NAMES[0]} (train) and {NAMES[2]} (test)" in report["notes"]
    assert report["problems"] == []


def test_icbhi_2017(shared):
    report = check(icbhi2017.load(shared / "data" / "icbhi2017"), read_audio=False)
    assert (report["recordings"], report["recordings_with_audio"], report["patients"]) == (920, 263, 126)
    assert (report["events"], report["events_with_audio"]) == (6898, 2527)
    assert list(report["classes"].values()) == [3642, 1864, 886, 506]
    assert report["splits"] == {"train": 539, "test": 381}
    assert report["splits_with_audio"] == {"train": 157, "test": 106}
    assert report["shared_patients"] == ["156", "218"]
    assert report["diagnoses"]["COPD"] == 64


@pytest.mark.slow
def test_sprsound(shared):
    report = check(sprsound.load(shared / "data" / "sprsound"))
    assert report["splits"] == {"train": 1949, "intra": 379}
    assert report["event_types"]["Normal"] == 5847
    assert sum(report["event_types"].values()) == report["events"] == 7660
    assert report["record_types"]["Poor Quality"] == 179
    assert report["shared_patients"] == []
    assert "patients in both train and intra, as that test wants it: 162" in report["notes"]
    same = [note for note in report["notes"] if note.startswith("the same sound")]
    assert same == ["the same sound in 41279835_14.1_0_p1_2050 (intra) and 41279835_14.1_0_p1_2945 (train)"]
    assert report["problems"] == []


def test_a_synthetic_corpus_is_called_so(tmp_path):
    synthetic.generate(tmp_path / "corpus", patients=4)
    report = check(synthetic.load(tmp_path / "corpus"))
    assert report["synthetic"] is True
    assert report["problems"] == report["notes"] == []
    assert sum(report["diagnoses"].values()) == 4


def test_what_is_missing_is_said(root):
    report = check(icbhi2017.load(root))
    assert report["missing"] == [
        "no split, so 1 of 3 patients are drawn for the test, always the same; a column split of a table says "
        "otherwise, and --split all tests on every recording"
    ]
    (root / "ICBHI_challenge_train_test.txt").write_text(f"{NAMES[0]}\ttrain\n{NAMES[2]}\ttest\n")
    assert check(icbhi2017.load(root))["missing"] == ["no split for 1 of 3 recordings, which take no part"]
    table = root / "table.csv"
    table.write_text(f"path,crackle,split\n{NAMES[0]}.wav,1,train\n{NAMES[1]}.wav,0,test\n")
    missing = check(open_corpus("table", table))["missing"]
    assert [sentence.split(":")[0] for sentence in missing] == [
        "no patient for 2 of 2 recordings", "no site for 2 of 2 recordings", "no device for 2 of 2 recordings",
    ]  # fmt: skip


def test_stereo_is_mixed_down_with_a_note(root):
    sound = np.random.default_rng(0).uniform(-0.1, 0.1, (8000, 2))
    soundfile.write(root / f"{NAMES[0]}.wav", sound, 4000)
    assert f"recordings of several channels, which are averaged: 1 ({NAMES[0]})" in check(icbhi2017.load(root))["notes"]


def test_damaged_annotations_headers_and_samples_are_found_in_one_reading(root):
    (root / f"{NAMES[0]}.txt").write_text("0\t1.5\t2\t0\n1\t0\t0\t0\n")
    (root / f"{NAMES[1]}.wav").write_text("no sound")
    cut_in_the_middle(root / f"{NAMES[2]}.wav")
    problems = check(read_corpus("icbhi2017", root))["problems"]
    assert [sum(name in problem for problem in problems) for name in NAMES] == [2, 1, 1]


def test_twins_that_macos_writes_are_left_out(shared):
    report = check(read_corpus("sprsound", shared / "data" / "cases" / "sprsound_appledouble"))
    assert report["problems"] == []
    assert report["recordings"] == report["recordings_with_audio"] == 8
