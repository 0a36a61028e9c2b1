"""Corpora by name, and where generated ones are kept."""

from pathlib import Path

import pytest

from lungsound.corpora.registry import open_corpus, parse_data, readers
from lungsound.corpus import EVENT_COLUMNS, RECORDING_COLUMNS
from lungsound.errors import InputError
from lungsound.files.cache import cache_folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("synthetic", ("synthetic", None)),
        ("sprsound:/data/spr", ("sprsound", Path("/data/spr"))),
        ("sprsound:relative", ("sprsound", Path("relative"))),
        ("sprsound:", ("sprsound", None)),
        ("sprsound:/odd:name", ("sprsound", Path("/odd:name"))),
        ("sprsound:~/spr", ("sprsound", Path.home() / "spr")),
    ],
)
def test_what_a_command_line_says(text, expected):
    assert parse_data(text) == expected


@pytest.mark.parametrize(
    ("name", "folder"), [("icbhi2017", "icbhi2017"), ("sprsound", "sprsound"), ("hls_cmds", "hls_cmds")]
)
def test_every_corpus_gives_the_same_two_tables(shared, name, folder):
    corpus = open_corpus(name, shared / "data" / folder)
    assert corpus.name == name
    assert tuple(corpus.recordings.columns) == RECORDING_COLUMNS
    assert tuple(corpus.events.columns) == (*EVENT_COLUMNS, *corpus.labels)
    assert corpus.labels[:2] == ("crackle", "wheeze")
    assert corpus.recordings["recording"].is_unique
    assert corpus.recordings["recording"].is_monotonic_increasing
    assert not corpus.synthetic
    here = corpus.recordings[corpus.recordings["path"] != ""]
    assert all(Path(path).is_absolute() and Path(path).is_file() for path in here["path"])
    seconds = corpus.events["recording"].map(here.set_index("recording")["seconds"])
    heard = corpus.events["path"] != ""
    assert (corpus.events["end"][heard] <= seconds[heard]).all()
    assert (corpus.events["end"] > corpus.events["start"]).all()


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(
        InputError,
        match=r"'icbhi': unknown; choose from audacity, audio, coswara, coughvid, folders",
    ):
        open_corpus("icbhi", tmp_path)


def test_a_real_corpus_needs_a_folder(tmp_path):
    with pytest.raises(InputError, match=r"sprsound: its folder is missing; write sprsound:ROOT"):
        open_corpus("sprsound", None)
    with pytest.raises(InputError, match=r"nowhere: no such folder; name the folder of sprsound"):
        open_corpus("sprsound", tmp_path / "nowhere")


@pytest.mark.parametrize("name", [name for name, reader in readers().items() if reader.root == "folder"])
def test_an_empty_folder_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=str(tmp_path)):
        open_corpus(name, tmp_path)


def test_the_cache_is_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("AUSCULT_CACHE", str(tmp_path / "kept"))
    assert cache_folder() == tmp_path / "kept"
    assert not cache_folder().exists()
    monkeypatch.setenv("AUSCULT_CACHE", "~/kept")
    assert cache_folder() == Path.home() / "kept"
    monkeypatch.setenv("AUSCULT_CACHE", "")
    assert cache_folder() == Path.home() / ".cache" / "auscult"
    monkeypatch.delenv("AUSCULT_CACHE")
    assert cache_folder() == Path.home() / ".cache" / "auscult"
