"""`auscult data shard` and `verify` as a user runs them."""

import json

import numpy as np
import pytest
import soundfile

from lungsound.corpora.synthetic import generate


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus") / "made"
    generate(root, patients=4)
    return root


def test_damaged_recordings_are_refused_or_left_out(auscult, tmp_path):
    for number in range(3):
        folder = tmp_path / "corpus" / ("crackle" if number else "normal")
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{number}.wav", np.full(8000, 0.1 * number), 4000)
    bad = tmp_path / "corpus" / "crackle" / "2.wav"
    bad.write_bytes(bad.read_bytes()[:9000])
    asked = ["data", "shard", "--data", f"folders:{tmp_path / 'corpus'}", "--split", "all", "-o", tmp_path / "s"]
    code, _, told = auscult(*asked)
    assert code == 1
    assert "2.wav" in told
    assert [path.name for path in (tmp_path / "s").iterdir()] == [".lock"]
    code, out, _ = auscult(*asked, "--leave-out-damaged", "--json")
    answer = json.loads(out)
    assert (code, answer["clips"], len(answer["left_out"])) == (0, 2, 1)
    assert "2.wav" in answer["left_out"][0]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [(["--encoding", "mp3"], "npy or flac"), (["--split", "inter"], "no recordings in part 'inter'")],
)
def test_bad_options_are_a_sentence(auscult, corpus, tmp_path, more, sentence):
    code, _, told = auscult("data", "shard", "--data", f"synthetic:{corpus}", "-o", tmp_path / "s", *more)
    assert code == 1
    assert sentence in told
    assert not (tmp_path / "s").exists()
