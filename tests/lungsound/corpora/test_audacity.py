"""Label tracks as Audacity exports them, and text that is none."""

import numpy as np
import pytest
import soundfile

from lungsound.corpora.registry import open_corpus, read_corpus
from lungsound.errors import InputError
from lungsound.windows import stream


def write(root, name, track, ending=".wav"):
    path = root / f"{name}{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(len(name)).uniform(-0.1, 0.1, 5 * 4000), 4000)
    if track is not None:
        path.with_suffix(".txt").write_bytes(track if isinstance(track, bytes) else track.encode())


def events(corpus):
    return corpus.events[["recording", "start", "end", *corpus.labels]].to_numpy().tolist()


def test_labels_become_events(tmp_path):
    track = "0.250000\t1.500000\tcrackle\n\\\t120.5\t880.25\n1.5\t2.5\tCrackle + wheeze\n2.5\t3\tnormal\n"
    write(tmp_path, "ward/a", track, ".flac")
    write(tmp_path, "b", "\ufeff0,5\t1,5\twheeze\r\n0.5\t1.5\tfine crackle\r\n")
    corpus = open_corpus("audacity", tmp_path)
    assert corpus.labels == ("crackle", "fine crackle", "wheeze")
    assert events(corpus) == [
        ["b.wav", 0.5, 1.5, 0, 1, 1],
        ["ward/a.flac", 0.25, 1.5, 1, 0, 0],
        ["ward/a.flac", 1.5, 2.5, 1, 0, 1],
        ["ward/a.flac", 2.5, 3.0, 0, 0, 0],
    ]
    assert corpus.recordings["continuous"].all()


def test_a_point_stands_for_the_sound_around_it(tmp_path):
    write(tmp_path, "a", "2\t2\tcrackle\n0\t0\twheeze\n5\t5\twheeze\n")
    corpus = open_corpus("audacity", tmp_path)
    assert corpus.events[["start", "end"]].to_numpy().ravel() == pytest.approx([0, 0.05, 1.95, 2.05, 4.95, 5])
    assert any("point labels" in note and note.endswith(": 3") for note in corpus.notes)
    assert stream(corpus, 1.0, 1.0, ["crackle"])["crackle"].tolist() == [0, 1, 1, 0, 0]


def test_only_what_was_annotated_is_heard(tmp_path):
    write(tmp_path, "a", "1\t2\tcrackle\n")
    write(tmp_path, "empty", "")
    write(tmp_path, "unheard", None)
    (tmp_path / "readme.txt").write_text("our recordings")
    (tmp_path / "._a.txt").write_bytes(b"\0\x05\x16\x07")
    (tmp_path / "._a.wav").write_bytes(b"\0\x05\x16\x07")
    corpus = open_corpus("audacity", tmp_path)
    assert corpus.recordings["recording"].tolist() == ["a.wav", "empty.wav"]
    assert any("nobody annotated, left out: 1 (unheard.wav)" in note for note in corpus.notes)
    assert any("without audio beside them, left out: 1 (readme.txt)" in note for note in corpus.notes)


@pytest.mark.parametrize(
    ("track", "sentence"),
    [
        ("once upon a time\n", r"line 1: 'once upon a time' is no label \(start, end, text between tabs\)"),
        ("1\t2\n", r"line 1: .* is no label"),
        ("1\t2\tcrackle\nx\t2\tcrackle\n", r"line 2: the start 'x' is not a number"),
        ("1\tinf\tcrackle\n", r"line 1: the end 'inf' is not a number"),
        ("2\t1\tcrackle\n", r"line 1: the end 1 does not come after the start 2"),
        ("-1\t1\tcrackle\n", r"line 1: the start -1 is negative"),
        ("-1\t-1\tcrackle\n", r"line 1: the start -1 is negative"),
        ("1\t6\tcrackle\n", r"line 1: the end 6 lies beyond the 5 s of sound"),
        ("6\t6\tcrackle\n", r"line 1: the end 6 lies beyond the 5 s of sound"),
        ("1\t2\t\n", r"line 1: '' names no sound; write a label"),
        ("1\t2\tcrackle+\n", r"line 1: 'crackle\+' names no sound"),
        ("1\t2\tkn\u00f6tern\n", r"line 1: label 'kn\u00f6tern': must be 1 to 40 printable ASCII"),
        ("1\t2\tcrackle\n1\t2\tcrackle\n", r"line 2: 'crackle' at the times of a label above"),
        ("1\t2\tnormal\n1\t2\tcrackle\n", r"line 2: 'crackle' at the times of a label above"),
        (b"1\t2\t\xff\n", r"not a text file"),
        ("1\t2\tnormal\n", r"no label track names a sound"),
    ],
)
def test_text_that_is_no_label_track(tmp_path, track, sentence):
    write(tmp_path, "a", track)
    with pytest.raises(InputError, match=sentence):
        open_corpus("audacity", tmp_path)


def test_one_track_for_two_recordings_and_none_at_all(tmp_path):
    with pytest.raises(InputError, match=r"no audio with a label track"):
        open_corpus("audacity", tmp_path)
    write(tmp_path, "a", "1\t2\tcrackle\n")
    write(tmp_path, "a", "1\t2\tcrackle\n", ".flac")
    with pytest.raises(InputError, match=r"a\.wav: has the label track of a\.flac; keep one"):
        open_corpus("audacity", tmp_path)


def test_every_fault_of_every_file_is_found(tmp_path):
    write(tmp_path, "a", "2\t1\tcrackle\n1\t2\tcrackle\n1\t9\tcrackle\n")
    write(tmp_path, "b", "x\ty\tz\n")
    (tmp_path / "c.wav").write_text("no sound")
    (tmp_path / "c.txt").write_text("1\t2\tcrackle\n")
    assert len(read_corpus("audacity", tmp_path).faults) == 4
