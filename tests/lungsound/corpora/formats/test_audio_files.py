"""Audio files by stem, and how long they are."""

import numpy as np
import pytest
import soundfile

from lungsound.corpora.formats.audio_files import audio_files, measure
from lungsound.errors import InputError


def test_only_audio_is_found(tmp_path):
    for name in ("a.wav", "b.FLAC", "c.txt", "d.json", ".hidden.wav", "no_ending"):
        (tmp_path / name).touch()
    assert audio_files(tmp_path, []) == {"a": tmp_path / "a.wav", "b": tmp_path / "b.FLAC"}
    assert audio_files(tmp_path / "missing", []) == {}


@pytest.mark.parametrize("ending", ["wav", "flac", "aiff", "au", "ogg", "mp3", "w64", "caf"])
def test_the_header_tells_length_and_rate(tmp_path, ending):
    path = tmp_path / f"sound.{ending}"
    soundfile.write(path, np.zeros((12_000, 2)), 8000)
    name, seconds, rate = measure(path)
    assert (name, rate) == (str(path), 8000)
    assert seconds == pytest.approx(1.5, abs=0.1 if ending == "mp3" else 0)
    assert audio_files(tmp_path, []) == {"sound": path}


def test_no_file_has_no_length():
    assert measure(None) == ("", 0.0, 0)


def test_a_header_without_samples_is_refused(tmp_path):
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    with pytest.raises(InputError, match=r"empty\.wav: holds no sound"):
        measure(tmp_path / "empty.wav")
