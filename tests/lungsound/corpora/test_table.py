"""Tables of one's own: what users write, and what they are told when it cannot be."""

import sys

import numpy as np
import pytest
import soundfile

from lungsound.corpora.registry import open_corpus, read_corpus
from lungsound.errors import InputError
from lungsound.windows import cycles, stream

SOUND = np.random.default_rng(0).uniform(-0.1, 0.1, 4 * 8000)


@pytest.fixture
def table(tmp_path):
    """Write a table beside four recordings of four seconds, and return its path."""
    (tmp_path / "audio").mkdir()
    for name in ("a.wav", "b.wav", "c.flac", "audio/d.wav"):
        soundfile.write(tmp_path / name, SOUND, 8000)

    def write(text, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    return write


def rows(corpus, *columns):
    return corpus.events[list(columns)].to_numpy().tolist()


def test_events_recordings_and_what_is_known_of_them(table):
    corpus = open_corpus(
        "table",
        table(
            "path,start,end,crackle,snore,patient,site,device,split,quality\n"
            "a.wav,0.5,1.5,1,0,p1,left,Littmann,train,good\n"
            "a.wav,2,3,0,1,p1,,,,\n"
            "b.wav,,,0,yes,p2,right,Littmann,Test,poor\n"
            "audio/d.wav,,,,,p3,,,,\n"
            "\n"
            "c.flac,,,FALSE,0.0,,,,train,partial\n"
        ),
    )
    assert corpus.labels == ("crackle", "snore")
    assert rows(corpus, "recording", "start", "end", "crackle", "snore") == [
        ["a.wav", 0.5, 1.5, 1, 0],
        ["a.wav", 2.0, 3.0, 0, 1],
        ["b.wav", 0.0, 4.0, 0, 1],
        ["c.flac", 0.0, 4.0, 0, 0],
    ]
    known = corpus.recordings.set_index("recording")
    assert known["patient"].to_dict() == {"a.wav": "p1", "audio/d.wav": "p3", "b.wav": "p2", "c.flac": "c.flac"}
    assert known["split"].to_dict() == {"a.wav": "train", "audio/d.wav": "", "b.wav": "test", "c.flac": "train"}
    assert known.loc["a.wav", ["site", "device"]].tolist() == ["left", "Littmann"]
    assert known["continuous"].to_dict() == {"a.wav": True, "audio/d.wav": True, "b.wav": False, "c.flac": False}
    assert set(stream(corpus, 2.0, 1.0, ["crackle", "snore"])["recording"]) == {"a.wav", "audio/d.wav"}
    assert len(cycles(corpus, 2.0, ["snore"])) == 4


PLAIN = [["a.wav", 0.25, 1.5, 1], ["b.wav", 0.0, 2.0, 0]]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("path,start,end,crackle\na.wav,0.25,1.5,1\nb.wav,0,2,0\n", "utf-8"),
        ("path,start,end,crackle\r\na.wav,0.25,1.5,1\r\nb.wav,0,2,0", "utf-8-sig"),
        ("path;start;end;crackle\na.wav;0,25;1,5;1\nb.wav;0;2;0\n", "utf-8"),
        ("path;start;end;crackle\na.wav;0.25;1.5;1\nb.wav;0.0;2.0;0\n", "utf-8-sig"),
        ("path\tstart\tend\tcrackle\na.wav\t0,25\t1.5\t1\nb.wav\t0\t2\t0\n", "utf-8"),
        ('Path , "start",End,crackle,,\n" a.wav",0.25, 1.5,TRUE,,\n,,,,,\n"b.wav",0,2e0,No,,\n', "utf-8"),
        ("crackle,end,start,path\n1,1.5,.25,./a.wav\n0,2,0,audio/../b.wav\n", "utf-8"),
        ("path,start,end,crackle,comment\na.wav,0.25,1.5,1,\"loud, and\nlong\"\nb.wav,0,2,0,\n", "utf-8"),
    ],
)  # fmt: skip
def test_the_ways_that_spreadsheets_write(table, text, encoding):
    corpus = open_corpus("table", table(text, encoding=encoding))
    assert corpus.labels == ("crackle",)
    assert rows(corpus, "recording", "start", "end", "crackle") == PLAIN


def test_slashes_of_windows_and_absolute_paths(table, tmp_path):
    corpus = open_corpus("table", table(f"path,crackle\naudio\\d.wav,1\n{tmp_path / 'a.wav'},0\n"))
    assert set(corpus.recordings["path"]) == {str(tmp_path / "audio" / "d.wav"), str(tmp_path / "a.wav")}


def test_remarks_are_no_labels(table):
    corpus = open_corpus(
        "table", table("path,crackle,bmi,comment,empty,wheeze\na.wav,1,70,none,,\nb.wav,0,61,loud,,1\nc.flac,,1,,,0\n")
    )
    assert corpus.labels == ("crackle", "wheeze")
    assert any("left out: 3 (bmi, comment, empty)" in note for note in corpus.notes)
    assert rows(corpus, "recording", "crackle", "wheeze") == [["a.wav", 1, 0], ["b.wav", 0, 1], ["c.flac", 0, 0]]


def test_a_rounded_end_is_clipped_with_a_note(table):
    corpus = open_corpus("table", table("path,start,end,crackle\na.wav,3,4.04,1\n"))
    assert corpus.events["end"].tolist() == [4.0]
    assert any("clipped" in note for note in corpus.notes)


MADE = "path,start,end,crackle,patient,split,quality\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file,crackle\na.wav,1\n", r"table\.csv: no column path \(it has file, crackle\); name"),
        ("path,note\na.wav,fine\n", r"table\.csv: no column of 0 and 1 \(it has path, note\)"),
        ("", r"table\.csv: holds no row"),
        ("path,crackle\n", r"table\.csv: holds no row"),
        ("path,crackle\n\n,\n", r"table\.csv: holds no row"),
        ("path,crackle,crackle\na.wav,1,0\n", r"the column 'crackle' is there 2 times"),
        ("path,Path,crackle\na.wav,a.wav,0\n", r"two columns differ in capitals alone"),
        ("path,,crackle\na.wav,x,0\n", r"column 2 has no name"),
        ("path,crackle\na.wav,1,0\n", r"row 2: 3 values for 2 columns"),
        ("path,start,crackle\na.wav,1\n", r"row 2: 2 values for 3 columns"),
        (b"path,crackle\n\xff\xfea.wav,1\n", r"not UTF-8 text"),
        ("path,crackle\na.wav," + "1" * 200_000, r"not readable as CSV"),
        ("path,crackle\na.wav,1\nb.wav,0\nc.flac,maybe\n", r"row 4: crackle is 'maybe'; write 0 or 1"),
        ("path,seconds\na.wav,1\n", r"seconds cannot name a label"),
        ("path,Normal,crackle\na.wav,1,0\n", r"label 'Normal': says what no label can"),
        ("path,kn\u00f6tern\na.wav,1\n", r"label 'kn\u00f6tern': must be 1 to 40 printable ASCII"),
        ("path,quiet?\na.wav,1\n", r"label 'quiet\?': must be"),
        ("path,crackle\nmissing.wav,1\n", r"row 2: .*missing\.wav is not there; mend the path"),
        ("path,crackle\n,1\n", r"row 2: names no path"),
        (MADE + "a.wav,1,5.5,1,,,\n", r"row 2: the end 5\.5 lies beyond the 4 s of a\.wav"),
        (MADE + "a.wav,3,2,1,,,\n", r"row 2: the end 2 does not come after the start 3"),
        (MADE + "a.wav,2,2,1,,,\n", r"row 2: the end 2 does not come after the start 2"),
        (MADE + "a.wav,-1,2,1,,,\n", r"row 2: the start -1 is negative"),
        (MADE + "a.wav,soon,2,1,,,\n", r"row 2: the start 'soon' is not a number"),
        (MADE + "a.wav,nan,2,1,,,\n", r"row 2: the start 'nan' is not a number"),
        (MADE + "a.wav,1,,1,,,\n", r"row 2: the end '' is not a number"),
        (MADE + "a.wav,1,2,1,,,\nb.wav,1,2,1,,,\na.wav,1.0,2,0,,,\n", r"row 4: the same event as row 2; keep one"),
        (MADE + "a.wav,,,1,,,\na.wav,,,0,,,\n", r"row 3: the same event as row 2"),
        (MADE + "a.wav,1,2,1,p1,,\na.wav,2,3,1,p2,,\n", r"row 3: the patient is 'p2', but 'p1' in row 2"),
        (MADE + "a.wav,1,2,1,,trian,\n", r"row 2: the split 'trian' is none of train, validation, test"),
        (MADE + "a.wav,1,2,1,,,noisy\n", r"row 2: the quality 'noisy' is none of good, fair, poor, partial"),
        (
            "path,crackle,patient,diagnosis\na.wav,1,p,COPD\nb.wav,1,p,asthma\n",
            r"row 3: the diagnosis of p is 'asthma' here and 'COPD' above",
        ),
        ("path,recording,crackle\n,x,1\n", r"row 2: neither times nor audio"),
        ("path,recording,crackle\na.wav,x,1\nb.wav,x,0\n", r"row 3: the path is 'b\.wav', but 'a\.wav' in row 2"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(table, text, sentence):
    path = table(text)
    with pytest.raises(InputError, match=sentence) as caught:
        open_corpus("table", path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_unreadable_audio_is_named(table, tmp_path):
    (tmp_path / "bad.wav").write_text("no sound")
    (tmp_path / "voice memo.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    with pytest.raises(InputError, match=r"bad\.wav: not readable as audio"):
        open_corpus("table", table("path,crackle\nbad.wav,1\n"))
    with pytest.raises(InputError, match=r"m4a: not readable.*; convert it: ffmpeg -i 'voice memo\.m4a' 'voice"):
        open_corpus("table", table("path,crackle\nvoice memo.m4a,1\n"))


def test_a_folder_is_not_a_table(tmp_path):
    with pytest.raises(InputError, match=r"no such file; name the file of table"):
        open_corpus("table", tmp_path)
    with pytest.raises(InputError, match=r"table: its file is missing; write table:FILE"):
        open_corpus("table")


def test_every_fault_is_found_in_one_reading(table, tmp_path):
    (tmp_path / "bad.wav").write_text("no sound")
    path = table(
        "path,start,end,crackle\na.wav,2,1,0\nbad.wav,0,1,1\nb.wav,0,9,1\nnone.wav,0,1,1\nc.flac,0,1,maybe\nc.flac,0,x,1\n"
        "a.wav,0,1,1\n"
    )
    corpus = read_corpus("table", path)
    assert len(corpus.faults) == 6
    assert {f"row {n}" for n in (2, 4, 5, 6, 7) if any(f"row {n}:" in fault for fault in corpus.faults)} == {
        "row 2", "row 4", "row 5", "row 6", "row 7",
    }  # fmt: skip
    assert any("bad.wav" in fault for fault in corpus.faults)
    with pytest.raises(InputError, match=r"and 5 more faults; auscult data check lists them"):
        open_corpus("table", path)


def test_a_hundred_thousand_rows(table):
    lines = [f"audio/d.wav,{i / 50_000!r},{i / 50_000 + 0.5!r},{i % 2},{i % 3 // 2},p" for i in range(100_000)]
    corpus = open_corpus("table", table("path,start,end,crackle,wheeze,patient\n" + "\n".join(lines)))
    assert len(corpus.events) == 100_000
    assert corpus.events["crackle"].sum() == 50_000
    assert corpus.events["wheeze"].sum() == sum(i % 3 == 2 for i in range(100_000))


def test_parquet_without_its_package_is_one_sentence(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"Parquet needs the package pyarrow; pip install 'auscult-edge\[parquet\]'"):
        open_corpus("table", table("PAR1", name="table.parquet"))


def test_parquet_says_the_same_as_csv(table, tmp_path):
    pytest.importorskip("pyarrow")
    import pandas as pd

    made = pd.DataFrame({"path": ["a.wav", "b.wav"], "start": [0.25, None], "end": [1.5, None]})
    made.assign(crackle=[True, False]).to_parquet(tmp_path / "table.parquet")
    corpus = open_corpus("table", tmp_path / "table.parquet")
    assert rows(corpus, "recording", "start", "end", "crackle") == [["a.wav", 0.25, 1.5, 1], ["b.wav", 0.0, 4.0, 0]]
    with pytest.raises(InputError, match=r"not readable as Parquet"):
        open_corpus("table", table("PAR1 and nothing", name="bad.parquet"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_that_say_themselves_what_they_are(table, encoding, separator):
    comma = "," if separator != "," else "."
    text = "\r\n".join(separator.join(line) for line in (["path", "start", "end", "crackle", "where"],
                                                         ["a.wav", f"1{comma}5", "2", "1", "K\u00f6ln"]))  # fmt: skip
    corpus = open_corpus("table", table(text.encode(encoding)))
    assert rows(corpus, "start", "end", "crackle") == [[1.5, 2.0, 1]]
    with pytest.raises(InputError, match=r"not UTF-8 text"):
        open_corpus("table", table(text.encode("cp1252")))
