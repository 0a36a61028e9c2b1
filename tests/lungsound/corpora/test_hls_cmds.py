"""HLS-CMDS, whose table and files disagree on names."""

import numpy as np
import pytest
import soundfile

from lungsound.corpora.registry import open_corpus
from lungsound.errors import InputError
from lungsound.labels import class_names
from lungsound.windows import stream

HEADING = "Gender,Lung Sound Type,Location,Lung Sound ID"


def load(root):
    return open_corpus("hls_cmds", root)


def write(root, lines, files):
    (root / "LS").mkdir()
    (root / "LS.csv").write_text("\r\n".join([HEADING, *lines]))
    for name in files:
        soundfile.write(root / "LS" / f"{name}.wav", np.full(8000, 0.1), 4000)


def test_every_sound_of_the_corpus_is_found_and_labelled(shared):
    corpus = load(shared / "data" / "hls_cmds")
    assert len(corpus.recordings) == 50
    assert (corpus.recordings["path"] != "").all()
    names = class_names(corpus.events, corpus.labels)
    assert names.value_counts().to_dict() == {"normal": 12, "crackle": 14, "wheeze": 15}
    # The initials in the names of the files say the same.
    initials = corpus.events["recording"].str.split("_").str[1]
    assert set(zip(initials, names, strict=True)) == {
        ("N", "normal"), ("FC", "crackle"), ("CC", "crackle"), ("W", "wheeze"), ("R", "wheeze"),
    }  # fmt: skip
    assert set(corpus.recordings["patient"]) == {"manikin"}
    assert set(corpus.recordings["split"]) == {"test"}


def test_a_pleural_rub_is_neither_normal_nor_labelled(tmp_path):
    write(tmp_path, ["M,Pleural Rub,LUA,M_PR_LUA", "M,Normal,LUA,M_N_LUA"], ["M_PR_LUA", "M_N_LUA"])
    corpus = load(tmp_path)
    assert corpus.events["recording"].tolist() == ["M_N_LUA"]
    assert set(stream(corpus, 1.0, 0.5)["recording"]) == {"M_N_LUA"}
    assert any("pleural rubs" in note and "M_PR_LUA" in note for note in corpus.notes)


def test_crackles_that_the_table_names_otherwise_and_stray_spaces(tmp_path):
    lines = ["M,Fine Crackles,LUA,M_C_LUA", "F,Coarse Crackles,RLA,F_G_RLA", "M,Wheezing,LMA, M_W_LMA", ""]
    write(tmp_path, lines, ["M_FC_LUA", "F_CC_RLA", "M_W_LMA", "F_N_RUA"])
    corpus = load(tmp_path)
    assert corpus.labels == ("crackle", "wheeze", "fine crackle", "coarse crackle", "rhonchi")
    assert corpus.events[["recording", "start", "end", *corpus.labels]].to_numpy().tolist() == [
        ["F_CC_RLA", 0.0, 2.0, 1, 0, 0, 1, 0],
        ["M_FC_LUA", 0.0, 2.0, 1, 0, 1, 0, 0],
        ["M_W_LMA", 0.0, 2.0, 0, 1, 0, 0, 0],
    ]
    assert any("left out: 1 (F_N_RUA)" in note for note in corpus.notes)


def test_a_sound_without_a_file_keeps_its_row(tmp_path):
    write(tmp_path, ["M,Normal,LUA,M_N_LUA"], [])
    corpus = load(tmp_path)
    assert corpus.recordings["path"].tolist() == [""]
    assert any("without audio: 1 (M_N_LUA)" in note for note in corpus.notes)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["M,Snoring,LUA,M_S_LUA"], r"line 2: the sound 'Snoring' is none of Normal"),
        (["M,Normal,LUA"], r"line 2: 3 columns instead of 4"),
        (["M,Normal,LUA,a", "F,Normal,LUA,a"], r"line 3: a stands in the table twice"),
        ([], r"LS\.csv: no table with the columns"),
    ],
)
def test_a_damaged_table_is_named(tmp_path, lines, sentence):
    write(tmp_path, lines, [])
    with pytest.raises(InputError, match=sentence):
        load(tmp_path)


def test_another_table_and_none_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"no LS\.csv of HLS-CMDS here"):
        load(tmp_path)
    (tmp_path / "LS.csv").write_text("")
    with pytest.raises(InputError, match=r"no table with the columns"):
        load(tmp_path)
