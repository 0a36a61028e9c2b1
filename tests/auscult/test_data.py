"""`auscult data`: check, list, export and synthesize as a user meets them."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile


@pytest.fixture
def table(tmp_path):
    """A table of 24 rows, of which only the first two name recordings that are there."""
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, np.random.default_rng(0).uniform(-0.1, 0.1, 8000), 4000)
    path = tmp_path / "table.csv"
    names = ["a.wav", "b.wav", *(f"lost{number}.wav" for number in range(22))]
    path.write_text("path,crackle\n" + "".join(f"{name},{number % 2}\n" for number, name in enumerate(names)))
    return path


def test_check_takes_the_root_in_either_place(auscult, small_options, place):
    answers = [
        auscult("data", "check", f"icbhi2017:{place / 'corpus'}", "--json"),
        auscult("data", "check", "icbhi2017", "--root", place / "corpus", "--json"),
    ]
    assert answers[0][:2] == answers[1][:2]
    code, said, _ = answers[0]
    assert code == 0
    assert json.loads(said)["problems"] == []
    code, _, complaint = auscult("data", "check", f"icbhi2017:{place / 'corpus'}", "--root", place)
    assert (code, "names the root twice" in complaint) == (1, True)


def test_check_prints_twenty_problems_and_has_all_as_json(auscult, table):
    code, said, _ = auscult("data", "check", f"table:{table}")
    assert code == 1
    assert "problems: 22\n" in said
    assert said.count("is not there; mend the path") == 20
    assert "... and 2 more; --json has them all" in said
    code, said, _ = auscult("data", "check", f"table:{table}", "--json")
    assert code == 1
    report = json.loads(said)
    assert len(report["problems"]) == 22
    assert (report["recordings"], report["labels"]) == (2, {"crackle": 1})


def test_check_says_what_is_missing(auscult, table):
    table.write_text("\n".join(table.read_text().splitlines()[:3]))
    code, said, _ = auscult("data", "check", f"table:{table}")
    assert code == 0
    assert "labels: crackle 1" in said
    assert "no patient for 2 of 2 recordings: each counts as a patient of its own" in said
    assert "no split" in said
    assert "no device for 2 of 2 recordings" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["data", "check", "table:{table}.none"], "table.csv.none: no such file; name the file of table"),
        (["data", "check", "folders:{folder}/nowhere"], "no such folder; name the folder of folders"),
        (
            ["data", "check", "tabel:{table}"],
            "choose from audacity, audio, coswara, coughvid, folders, hls_cmds, icbhi2017",
        ),
        (["data", "export", "table:{table}", "-o", "{folder}/out.csv"], "and 21 more faults"),
        (["data", "export", "table:{table}", "-o", "{folder}/out.xlsx"], "more faults"),
        (["evaluate", "{folder}", "--data", "table:{table}"], "neither a run"),
    ],
)
def test_bad_input_is_one_sentence(auscult, table, tmp_path, words, sentence):
    before = sorted(tmp_path.iterdir())
    code, said, complaint = auscult(*(word.format(table=table, folder=tmp_path) for word in words))
    assert (code, said) == (1, "")
    assert sentence in complaint
    assert complaint.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_list_names_every_corpus(auscult):
    code, said, _ = auscult("data", "list", "--json")
    assert code == 0
    listed = {corpus["name"]: corpus for corpus in json.loads(said)["corpora"]}
    assert {"audacity", "folders", "hls_cmds", "icbhi2017", "sprsound", "synthetic", "table"} <= listed.keys()
    assert (listed["table"]["root"], listed["folders"]["root"]) == ("file", "folder")
    _, said, _ = auscult("data", "list")
    assert all(f"{name}: " in said for name in listed)


def test_export_writes_a_table_that_checks_alike(auscult, small_options, place, tmp_path):
    file = tmp_path / "table.csv"
    code, said, _ = auscult("data", "export", f"icbhi2017:{place / 'corpus'}", "-o", file, "--json")
    answer = json.loads(said)
    assert code == 0
    assert answer["table"] == str(file)
    assert len(pd.read_csv(file)) == answer["rows"] == answer["events"]
    reports = [
        json.loads(auscult("data", "check", corpus, "--json")[1])
        for corpus in (f"icbhi2017:{place / 'corpus'}", f"table:{file}")
    ]
    for key in reports[0].keys() - {"corpus", "root"}:
        assert reports[0][key] == reports[1][key], key


def test_synthesize_says_what_it_made(auscult, tmp_path):
    code, said, _ = auscult("data", "synthesize", tmp_path / "made", "--patients", 4, "--json")
    assert code == 0
    assert json.loads(said) == {"root": str(tmp_path / "made"), "patients": 4, "seed": 0}
    code, _, complaint = auscult("data", "synthesize", tmp_path / "made")
    assert (code, "exists already" in complaint) == (1, True)
