"""`auscult probe` as a user asks: runs of every kind, published files, tasks, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from published_panns import published_file
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score
from small_kauh import small_kauh

from auscult.probing.encoders import open_encoders
from lungsound.files.record import read_object
from lungsound.training.runs import Run
from teachers.teacher import Teacher

FAST = ["--epochs", 2, "--seeds", 2]


@pytest.fixture
def corpus(small_options, place):
    """Windows of the small corpus."""
    words = ["--data", f"icbhi2017:{place / 'corpus'}", "--protocol", "stream", "--seconds", 2, "--hop", 6]
    return [*words, "--label", "any", "--validation", 0.34, *FAST]


@pytest.fixture
def pretrained(small_teacher, tmp_path):
    """A run of the teacher's encoder alone, as pre-training leaves one."""
    folder = tmp_path / "pretrained"
    folder.mkdir()
    encoder = {"encoder": small_teacher.model["encoder"]}
    run = replace(small_teacher, path=folder, kind="encoder", model=encoder, thresholds=())
    save_file(Teacher.load(small_teacher.model, small_teacher.weights).encoder.state_dict(), run.weights)
    run.save()
    return Run.load(folder)


@pytest.mark.slow
def test_runs_of_every_kind_beside_what_they_must_beat(
    auscult, corpus, small_teacher, small_student, small_hearer, pretrained, tmp_path
):
    runs = [small_teacher, pretrained, small_student, small_hearer]
    words = [word for run in runs for word in ("--from-run", run.path)]
    code, said, told = auscult("probe", *corpus, *words, "--runs", tmp_path / "probes", "--json")
    assert code == 0, told
    found = json.loads(said)
    by_name = {encoder["name"]: encoder for encoder in found["encoders"]}
    names = [run.path.name for run in runs]
    assert list(by_name)[:4] == names
    assert list(by_name)[4:] == ["untrained m2d", "untrained cnn6 1", "untrained cnn6 2", "log-mel 1", "log-mel 2"]
    teacher, alone = (by_name[name] for name in names[:2])
    assert alone | {"name": ""} == teacher | {"name": ""}  # the same encoder
    assert len(teacher["layers"]) == 4
    assert teacher["layers"] != by_name["untrained m2d"]["layers"]
    assert len(found["differences"]) == 9 * 8 / 2
    assert found["synthetic"] is True

    table = pd.read_csv(found["predictions"])
    assert len(table) == 9 * 2 * found["n"]["test"]
    for name, rows in table.groupby("encoder"):
        seeds = [roc_auc_score(one["truth"] == "present", one["p_present"]) for _, one in rows.groupby("seed")]
        assert by_name[name]["seeds"] == pytest.approx(seeds), name
        assert rows["patient"].nunique() == found["patients"]["test"]
    assert Path(found["picture"]).read_bytes().startswith(b"\x89PNG")
    stored = read_object(Path(found["folder"]) / "probe.json")
    assert stored == {key: value for key, value in found.items() if key not in ("folder", "predictions", "picture")}


def test_poolings_side_by_side_on_one_layer_with_tables_for_people(auscult, corpus, small_teacher, tmp_path):
    words = ["--from-run", small_teacher.path, "--no-baselines", "--pool", "mean", "--pool", "frames", "--layer", 3]
    code, said, told = auscult("probe", *corpus, *words, "--runs", tmp_path / "probes")
    assert code == 0, told
    (file,) = tmp_path.glob("probes/probe-icbhi2017-*/probe.json")
    for found, pool in zip(json.loads(file.read_text())["encoders"], ("mean", "frames"), strict=True):
        assert (found["name"], found["pool"], found["layer"]) == (f"{small_teacher.path.name}, {pool}", pool, 3)
        assert [row["layer"] for row in found["layers"]] == [3]
        assert f"{found['auroc']:.3f}" in said
    assert "any: icbhi2017 (synthetic corpus); AUROC on test" in said


def test_a_file_and_its_run_share_what_they_must_beat(small_teacher):
    logmel = small_teacher.listening.logmel  # a file has the statistics in half the digits
    rounded = logmel.with_statistics(np.float32(logmel.mean), np.float32(logmel.std))
    same = replace(small_teacher, listening=replace(small_teacher.listening, logmel=rounded))
    found = open_encoders([], [], [small_teacher, same], 0, baselines=True)
    assert [probed.name for probed in found[2:]] == ["untrained m2d", "log-mel"]


def test_who_was_trained_on_what_judges_is_told(auscult, corpus, small_teacher, tmp_path):
    words = ["probe", *corpus, "--from-run", small_teacher.path, "--no-baselines", "--split", "validation", "--json"]
    for seed, heard in ((0, False), (1, True)):
        code, said, told = auscult(*words, "--split-seed", seed, "--runs", tmp_path / "probes")
        assert code == 0, told
        notes = [
            note for note in json.loads(said)["notes"] if note.startswith(f"{small_teacher.path.name} was trained")
        ]
        assert bool(notes) is heard
        assert all(note in " ".join(told.split()) for note in notes)


def test_a_task_with_a_published_file(auscult, tmp_path):
    published_file(tmp_path / "Cnn6_mAP=0.343.pth")
    data = f"kauh:{small_kauh(tmp_path / 'AudioFiles').parent}"
    words = ["--task", "T10", "--data", data, "--seconds", 1, "--seeds", 1]
    weights = ["--teacher", "cnn6", "--weights", tmp_path / "Cnn6_mAP=0.343.pth"]
    code, said, told = auscult("probe", *words, *weights, "--runs", tmp_path / "probes", "--json")
    assert code == 0, told
    found = json.loads(said)
    assert found["question"] == ["T10"]
    assert {key: found["settings"][key] for key in ("epochs", "every", "standardise")} == {
        "epochs": 50, "every": 5, "standardise": False,
    }  # fmt: skip
    assert [encoder["name"] for encoder in found["encoders"]] == ["Cnn6_mAP=0.343", "untrained cnn6", "log-mel"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--task", "T99"], "no task called 'T99'; choose from T5"),
        (["--from-run", "{teacher}", "--task", "T10"], "is asked of kauh; give --data kauh:ROOT alone"),
        (["--from-run", "{teacher}", "--protocol", "stream", "--layer", 9], "--layer 9: {name} has layers 1 to 4"),
        (["--from-run", "{teacher}", "--label", "cough"], "icbhi2017: not annotated with cough"),
        (["--from-run", "{teacher}", "--split", "intra"], "icbhi2017: nothing in part 'intra'"),
        (["--from-run", "{teacher}", "--pool", "max"], "--pool 'max': choose from frames, mean"),
        (["--from-run", "{teacher}", "--protocol", "breaths"], "protocol 'breaths': choose from recordings, cycles"),
        (["--from-run", "{student}", "--protocol", "cycles", "--seconds", 0.1], "too few for cnn6"),
        (["--teacher", "ear"], "no teacher called 'ear'"),
        (["--weights", "w.pth"], "1 --weights for 0 --teacher; give one for each, or none"),
        ([], "nothing to probe; give --teacher NAME"),
    ],
)
def test_bad_input_is_a_sentence_and_leaves_nothing(
    auscult, place, small_teacher, small_student, tmp_path, words, said
):
    known = {"teacher": small_teacher.path, "student": small_student.path, "name": small_teacher.path.name}
    given = [str(word).format(**known) for word in words]
    data = ["--data", f"icbhi2017:{place / 'corpus'}", "--runs", tmp_path / "probes"]
    code, out, complaint = auscult("probe", *data, *given)
    assert (code, out) == (1, "")
    assert said.format(**known) in " ".join(complaint.split())
    assert "Traceback" not in complaint
    assert not (tmp_path / "probes").exists()


@pytest.mark.parametrize(
    ("words", "option"), [(["--task", "T10", "--label", "any"], "--label"), (["--hop", 2], "--hop")]
)
def test_an_option_that_would_be_ignored_is_wrong_usage(auscult, tmp_path, words, option):
    code, _, complaint = auscult("probe", "--data", f"kauh:{tmp_path}", *words)
    assert code == 2
    assert option in complaint
