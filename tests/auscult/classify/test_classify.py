"""`auscult classify`: recordings to answers, on the screen and in files; and what is no recording."""

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auscult.classify.answer import Answer
from export.bundle.opening import Bundle
from lungsound.audio import read_pcm
from lungsound.corpora.audacity import load
from lungsound.front_end import decide, front_end
from lungsound.labels import NOTICE

BUNDLE = Path(__file__).parents[2] / "data" / "before" / "bundle"
AUSCULT = [sys.executable, "-c", "from auscult.cli import main; main()"]
WHO = ["classify", "--model", BUNDLE]


@pytest.fixture
def recording(tmp_path) -> Path:
    """Thirteen seconds of the sounds that bundles are tested with."""
    pcm = np.concatenate([*Bundle.open(BUNDLE).golden.pcm[1:], np.zeros(100, np.int16)])
    soundfile.write(tmp_path / "a.wav", pcm, 4000, subtype="PCM_16")
    return tmp_path / "a.wav"


def test_an_answer_is_that_of_the_model_on_every_window(auscult, recording):
    code, said, complaint = auscult(*WHO, recording, "--json")
    assert (code, complaint) == (0, "")
    (found,) = json.loads(said)["files"]
    bundle = Bundle.open(BUNDLE)
    listening, manifest = bundle.manifest.listening, bundle.manifest
    pcm = read_pcm(recording, 4000)
    windows = np.stack([pcm[at : at + 8000] for at in range(0, len(pcm) - 8000 + 1, 7936)])
    codes = bundle.load("litert_xnnpack").run(front_end(listening, manifest.input, windows))
    logits = (codes.astype(float) - manifest.output.zero_point) * manifest.output.scale
    assert [window["start"] for window in found["windows"]] == [at * 7936 / 4000 for at in range(len(windows))]
    assert [window["end"] - window["start"] for window in found["windows"]] == pytest.approx([2.0] * len(windows))
    likely = [[window["probability"][label] for label in listening.labels] for window in found["windows"]]
    np.testing.assert_allclose(likely, 1 / (1 + np.exp(-logits)), rtol=1e-9)
    given = [[label in window["labels"] for label in listening.labels] for window in found["windows"]]
    np.testing.assert_array_equal(given, decide(codes, manifest.threshold_codes))
    assert 0 < np.sum(given) < np.size(given)
    assert json.loads(said)["notice"] == NOTICE


def test_windows_one_after_the_other_are_an_event():
    manifest = Bundle.open(BUNDLE).manifest
    high, low = 127, -128
    codes = np.array([[high, high], [high, low], [low, low], [low, high], [high, high]], np.int8)
    events = [(e.label, round(e.start, 3), round(e.end, 3)) for e in Answer("a", None, 40000, codes, manifest).events()]
    assert events == [
        ("crackle", 0.0, 3.984), ("wheeze", 0.0, 2.0), ("wheeze", 5.952, 9.936), ("crackle", 7.936, 9.936)
    ]  # fmt: skip
    apart = replace(manifest, listening=replace(manifest.listening, hop_seconds=2.016))
    assert len(Answer("a", None, 40000, codes, apart).events()) == 6


def test_a_screen_shows_windows_events_and_recordings(auscult, recording):
    code, said, _ = auscult(*WHO, recording)
    assert code == 0
    assert said.splitlines()[-1] == NOTICE
    assert "windows, the probability of each label" in said
    assert "events: windows that carry a label" in said
    assert str(recording) in said


def test_files_say_what_the_screen_says(auscult, recording, tmp_path):
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    words = ["--csv", out / "all.csv", "--audacity", recording.parent, "--picture", out / "pictures", "--json"]
    code, said, _ = auscult(*WHO, recording, *words)
    assert code == 0
    (found,) = json.loads(said)["files"]
    with (out / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["crackle probability"]) for row in rows] == pytest.approx(
        [window["probability"]["crackle"] for window in found["windows"]], abs=1e-6
    )
    assert [row["wheeze"] == "1" for row in rows] == ["wheeze" in window["labels"] for window in found["windows"]]
    assert {row["notice"] for row in rows} == {NOTICE}
    assert (out / "pictures" / "a.png").read_bytes().startswith(b"\x89PNG")
    assert recording.with_suffix(".txt").read_text().startswith(f"0.000000\t0.000000\t{NOTICE}\n")
    events = load(recording.parent).events  # what Audacity would export again
    read = {(label, row.start, row.end) for row in events.itertuples() for label in found["labels"]
            if getattr(row, label)}  # fmt: skip
    assert read == {(event["label"], event["start"], event["end"]) for event in found["events"]}


def test_a_bad_recording_in_a_folder_is_named_and_the_others_go_on(auscult, recording, tmp_path):
    folder = tmp_path / "ward"
    (folder / "inside").mkdir(parents=True)
    recording.rename(folder / "inside" / "a.wav")
    (folder / "b.wav").write_text("no sound")
    (folder / "c.m4a").write_bytes(b"telephone")
    code, said, complaint = auscult(*WHO, folder, "--csv", tmp_path / "all.csv", "--json")
    assert code == 1
    assert [file["file"] for file in json.loads(said)["files"]] == [str(folder / "inside" / "a.wav")]
    assert len(json.loads(said)["failed"]) == 2
    lines = complaint.splitlines()
    assert len(lines) == 2
    assert "convert it: ffmpeg" in lines[0]
    assert str(folder / "b.wav") in lines[1]
    assert (tmp_path / "all.csv").read_text().count("\n") == 1 + len(json.loads(said)["files"][0]["windows"])
    assert "not classified: 2 of 3" in auscult(*WHO, folder)[1]


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (np.zeros(20_000), "silent, every sample is 0"),
        (np.zeros(0), "holds no sound"),
        (np.full(20_000, np.nan), "holds a sample of nan"),
    ],
)
def test_sound_that_says_nothing_is_refused_in_a_sentence(auscult, tmp_path, samples, sentence):
    soundfile.write(tmp_path / "a.wav", samples, 4000, subtype="FLOAT")
    code, said, complaint = auscult(*WHO, tmp_path / "a.wav", "--csv", tmp_path / "a.csv")
    assert (code, said) == (1, "")
    (line,) = complaint.splitlines()
    assert line.startswith(f"error: {tmp_path / 'a.wav'}: {sentence}")
    assert not (tmp_path / "a.csv").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["missing.wav"], "missing.wav: no such file or folder"),
        (["empty"], "empty: holds no audio"),
        (["-", "-"], "-: stdin"),
        (["a.wav", "--model", "missing"], "--model missing: neither a shipped model"),
        (["a.wav", "empty/a.wav", "--audacity", "."], "a.wav and empty/a.wav: both would be written to a.txt"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(auscult, tmp_path, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    code, said, complaint = auscult(*WHO, *words)
    assert (code, said) == (1, "")
    (line,) = complaint.splitlines()
    assert line.startswith(f"error: {sentence}")


def test_nothing_to_hear_is_wrong_usage(auscult):
    for words in ([], ["a.wav", "--live"], ["a.wav", "--for", 3]):
        assert auscult(*WHO, *words)[0] == 2


def test_less_than_a_window_is_heard_again_and_again_and_said(auscult, tmp_path, recording):
    pcm = read_pcm(recording, 4000)[:3000]
    soundfile.write(tmp_path / "short.wav", pcm, 4000, subtype="PCM_16")
    soundfile.write(tmp_path / "long.wav", np.resize(pcm, 8000), 4000, subtype="PCM_16")
    short, long = (auscult(*WHO, tmp_path / name, "--json") for name in ("short.wav", "long.wav"))
    assert "0.75 s are less than the window of 2 s" in short[2]
    (one,), (other,) = (json.loads(said)["files"] for _, said, _ in (short, long))
    assert one["windows"][0]["probability"] == other["windows"][0]["probability"]
    assert [window["end"] for window in one["windows"]] == [0.75]


def test_a_bundle_that_failed_its_gate_says_so(auscult, recording, tmp_path):
    bundle = Bundle.open(BUNDLE)
    gate = {"verdict": "failed", "reasons": ["int8 loses wheezes"], "falls": []}
    shutil.copytree(BUNDLE, tmp_path / "bundle")
    (tmp_path / "bundle" / "manifest.json").write_text(replace(bundle.manifest, gate=gate).to_json())
    code, said, complaint = auscult("classify", "--model", tmp_path / "bundle", recording, "--json")
    assert code == 0
    assert json.loads(said)["files"]
    assert complaint == f"note: {tmp_path / 'bundle'} failed its gate and was written by force: int8 loses wheezes\n"


def test_stdin_is_a_recording(recording, auscult):
    expected = json.loads(auscult(*WHO, recording, "--json")[1])["files"][0]["windows"]
    words = [*AUSCULT, *map(str, WHO), "-", "--json"]
    done = subprocess.run(words, input=recording.read_bytes(), capture_output=True, check=True)
    (found,) = json.loads(done.stdout)["files"]
    assert found["file"] == "stdin"
    assert found["windows"] == expected
    done = subprocess.run(words, input=b"", capture_output=True, text=False, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"error: -: stdin holds no data; pipe a WAV into it, or name a file\n"


def test_a_name_cannot_steer_the_terminal_or_the_table(auscult, recording):
    name = recording.parent / "\x1b[31m[red]\n;=1+1,\udcff.wav"
    recording.rename(name)
    code, said, complaint = auscult(*WHO, name)
    assert (code, complaint) == (0, "")
    assert "\x1b" not in said
    assert "\\x1b[31m[red]\\n;=1+1,\\udcff.wav" in said
    code, said, _ = auscult(*WHO, name, "--csv", recording.parent / "all.csv", "--json")
    assert json.loads(said)["files"][0]["file"] == str(name)
    with (recording.parent / "all.csv").open(newline="", errors="surrogateescape") as file:
        assert {row["file"] for row in csv.DictReader(file)} == {str(name)}
    name.write_text("no sound")
    complaint = auscult(*WHO, name)[2]
    assert len(complaint.splitlines()) == 1
    assert "\x1b" not in complaint


def test_neither_torch_nor_pandas_is_loaded(recording):
    code = (
        "import sys\nfrom auscult.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'pandas', 'sklearn', 'scipy', 'matplotlib'} & set(sys.modules)), file=sys.stderr)"
    )
    words = [sys.executable, "-c", code, *map(str, WHO), str(recording)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ)
    assert done.stderr == "[]\n"
