"""A folder a class."""

import numpy as np
import pytest
import soundfile

from lungsound.corpora.registry import open_corpus, read_corpus
from lungsound.errors import InputError


def sound(path, seconds=2.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = np.random.default_rng(len(str(path))).uniform(-0.1, 0.1, round(seconds * 4000))
    soundfile.write(path, wave, 4000)


def test_a_recording_carries_the_name_of_its_folder(tmp_path):
    for name in ("Crackle/a.wav", "crackle/deeper/b.flac", "normal/a.wav", "snore + wheeze/c.ogg", "._x/d.wav"):
        sound(tmp_path / name)
    (tmp_path / "crackle" / "._b.wav").write_bytes(b"Mac OS X")
    (tmp_path / "crackle" / "readme.txt").write_text("not audio")
    corpus = open_corpus("folders", tmp_path)
    assert corpus.labels == ("crackle", "snore", "wheeze")
    table = corpus.events.set_index("recording")
    assert table[list(corpus.labels)].to_numpy().tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 1]]
    assert table.index.tolist() == ["Crackle/a.wav", "crackle/deeper/b.flac", "normal/a.wav", "snore + wheeze/c.ogg"]
    assert (table["start"] == 0).all()
    assert (table["end"] == 2).all()
    assert (corpus.recordings["patient"] == corpus.recordings["recording"]).all()
    assert set(corpus.recordings["split"]) == {""}


def test_folders_of_a_split(tmp_path):
    for name in ("train/crackle/a.wav", "train/none/b.wav", "test/crackle/c.wav", "validation/healthy/d.wav"):
        sound(tmp_path / name)
    corpus = open_corpus("folders", tmp_path)
    assert corpus.labels == ("crackle",)
    assert corpus.recordings.set_index("recording")["split"].to_dict() == {
        "test/crackle/c.wav": "test",
        "train/crackle/a.wav": "train",
        "train/none/b.wav": "train",
        "validation/healthy/d.wav": "validation",
    }
    assert corpus.events["crackle"].tolist() == [1, 1, 0, 0]


def test_audio_in_no_folder_is_left_out_with_a_note(tmp_path):
    sound(tmp_path / "loose.wav")
    sound(tmp_path / "wheeze" / "a.wav")
    corpus = open_corpus("folders", tmp_path)
    assert corpus.recordings["recording"].tolist() == ["wheeze/a.wav"]
    assert any("left out: 1 (loose.wav)" in note for note in corpus.notes)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([], "holds no audio; name a folder that holds one for each class"),
        (["a.wav"], "no folder names a sound"),
        (["normal/a.wav"], "no folder names a sound"),
        (["kn\u00f6tern/a.wav"], "must be 1 to 40 printable ASCII"),
        (["crackle+/a.wav"], "'crackle\\+' names no sound"),
    ],
)
def test_folders_that_are_none(tmp_path, files, sentence):
    for name in files:
        sound(tmp_path / name)
    with pytest.raises(InputError, match=sentence):
        open_corpus("folders", tmp_path)


def test_what_must_be_converted_and_what_is_damaged(tmp_path):
    sound(tmp_path / "crackle" / "a.wav")
    (tmp_path / "crackle" / "b.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    (tmp_path / "crackle" / "c.wav").write_text("no sound")
    faults = read_corpus("folders", tmp_path).faults
    assert len(faults) == 2
    assert "b.m4a: a format that is not read here; convert it: ffmpeg -i b.m4a b.wav" in faults[0]
    assert "c.wav: not readable as audio" in faults[1]
