"""Trainings as a user asks for them: what is refused, and from the command to the scores."""

import json
import os
import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from published_panns import published_file

from lungsound.errors import InputError


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["finetune", "--size", "tiny", "--weights", "w.pth"], "--size"),
        (["finetune", "--from-run", "{empty}", "--teacher", "m2dx"], "--teacher"),
        (["finetune", "--resume", "{empty}", "--epochs", "3"], "--epochs"),
        (["distill", "--resume", "{empty}", "--width", "0.5"], "--width"),
        (["distill", "--teacher-run", "{empty}", "--size", "tiny"], "--size"),
        (["distill", "--weights", "w.pth", "--size", "tiny"], "--size"),
        (["distill", "--logit-weight", "0", "--embedding-weight", "0", "--teacher", "m2dx"], "--teacher"),
        (["distill", "--logit-weight", "0", "--temperature", "3"], "--temperature"),
        (["distill", "--teacher", "none", "--teacher-epochs", "2"], "--teacher-epochs"),
        (["distill", "--teacher", "none", "--logit-weight", "1"], "--logit-weight"),
    ],
)
def test_an_option_that_would_be_ignored_is_wrong_usage(auscult, tmp_path, words, option, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    code, said, complaint = auscult(*(word.format(empty="empty") for word in words))
    assert (code, said) == (2, "")
    assert option in complaint
    assert "leave it out" in " ".join(complaint.replace("│", " ").split())
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_teacher_may_be_named_once_among_several(auscult, small_teacher, tmp_path):
    code, said, complaint = auscult(
        "distill", *2 * ["--teacher-run", small_teacher.path], "--seconds", 2.0, "--runs", tmp_path / "runs"
    )
    assert (code, said) == (1, "")
    assert "named twice among the teachers" in " ".join(complaint.split())
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--student", "stream", "--hop", "2"], "give a hop of 1.792 or 2.048 s"),
        (
            ["--student", "stream", "--seconds", "1"],
            "30 frames are too few for stream of depth 6; give a window of at least 72",
        ),
        (["--student", "stream", "--depth", "10"], "124 frames are too few for stream of depth 10"),
        (["--student", "stream", "--depth", "13"], "stream has a depth between 4 and 12, got 13"),
        (["--student", "cnn6", "--depth", "6"], "cnn6 is sized by its width alone; leave the depth 6 out"),
    ],
)
def test_a_size_or_hop_that_a_family_does_not_have_is_one_sentence(auscult, tmp_path, words, said):
    code, printed, complaint = auscult("distill", "--teacher", "none", *words, "--runs", tmp_path / "runs")
    assert (code, printed) == (1, "")
    assert said in " ".join(complaint.split())
    assert "Traceback" not in complaint
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "hop"), [(["cnn6"], 2.0), (["stream"], 2.048), (["stream", "--seconds", "3", "--hop", "0.768"], 0.768)]
)
def test_a_hop_that_nobody_gave_is_a_whole_number_of_rows(auscult, tmp_path, monkeypatch, words, hop):
    told = []

    def stop(settings, *_):
        told.append(settings)
        raise InputError("enough")

    monkeypatch.setattr("distill.training.distill", stop)
    auscult("distill", "--teacher", "none", "--runs", tmp_path, "--student", *words)
    (settings,) = told
    assert settings.data.listening() == replace(settings.data, hop_seconds=hop).listening()


@pytest.mark.parametrize("family", [["cnn6"], ["stream", "--depth", 5]])
def test_labels_alone_from_the_command_to_the_scores(auscult, small_options, place, family):
    data = ["--data", f"icbhi2017:{place / 'corpus'}"]
    cut = ["--protocol", "stream", "--seconds", 2, "--validation", 0.34, "--epochs", 1, "--runs", place / family[0]]
    student = ["--student", *family, "--width", 0.125, "--heads", 2, "--json"]
    code, said, told = auscult("distill", "--teacher", "none", *data, *cut, *student)
    assert code == 0, told
    (run,) = (place / family[0]).iterdir()
    assert re.fullmatch(rf"{family[0]}-labels-alone-\d{{8}}-\d{{6}}", run.name)
    trained = json.loads(said)
    assert trained["teacher"]["name"] == "none"
    code, said, _ = auscult("evaluate", trained["run"], *data, "--protocol", "stream", "--json")
    assert code == 0
    assert json.loads(said)["stream"]["windows"]["n"] > 0


def test_a_teacher_goes_on_from_its_run(auscult, small_teacher, place):
    data = ["--data", f"icbhi2017:{place / 'corpus'}", "--protocol", "stream", "--seconds", 2, "--validation", 0.34]
    words = ["--from-run", small_teacher.path, "--freeze", "--epochs", 1, "--runs", place / "continued", "--json"]
    code, said, told = auscult("finetune", *data, *words)
    assert code == 0, told
    assert "fusion and head alone" in told
    answer = json.loads(said)
    assert Path(answer["run"]).name.startswith("m2d-tiny-from-scratch-continued-frozen-")
    assert answer["teacher"]["from_run"] == str(small_teacher.path)


@pytest.mark.parametrize(
    ("student", "said"),
    [
        (
            ["cnn10", "--width", 1 / 16],
            "holds PANNs' CNN6, not CNN10; name cnn6, or get Cnn10_mAP=0.380.pth",
        ),
        (
            ["cnn6", "--width", 1 / 8],
            "its CNN6 has (8, 8, 16, 32) channels, the student (8, 16, 32, 64); name a",
        ),
        (["cnn6", "--width", 1 / 16, "--seconds", 0.3], "too few for cnn6; give at least 16 of both"),
    ],
)
def test_student_weights_that_do_not_fit(auscult, tmp_path, student, said):
    published_file(tmp_path / "weights.pth", widths=(8, 8, 16, 32))
    words = ["distill", "--teacher", "none", "--student-weights", tmp_path / "weights.pth", "--runs", tmp_path / "runs"]
    code, out, complaint = auscult(*words, "--student", *student)
    assert (code, out) == (1, "")
    assert said in " ".join(complaint.split())
    assert not (tmp_path / "runs").exists()


class Attack:
    """What a pickle would run that is trusted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(b""), "damaged, or not a file of tensors alone (it is empty)"),
        (lambda path: path.write_text("hello"), "damaged, or not a file of tensors alone (it is no pickle of tensors)"),
        (lambda path: path.write_bytes(path.read_bytes()[:20_000]), "not a file of tensors alone (its end is missing)"),
        (lambda path: torch.save({"model": Attack(path.with_name("ran"))}, path), "system, which would run code)"),
        (lambda path: path.write_bytes(pickle.dumps(Attack(path.with_name("ran")))), "(it is no pickle of tensors)"),
        (lambda path: torch.save([1, 2], path), "holds no 'model' with tensors; get Cnn6_mAP=0.343.pth"),
        (lambda path: torch.save({"model": {"a": torch.zeros(2)}}, path), "no CNN6 of PANNs (lacks conv_block1"),
        (
            lambda path: published_file(path, **{"bn0.bias": torch.full((64,), torch.nan)}),
            "bn0.bias is not laid out in full, or not finite",
        ),
        (lambda path: path.unlink(), "missing; get Cnn6_mAP=0.343.pth from https://zenodo.org"),
    ],
)
def test_student_weights_that_are_damaged_or_none(auscult, tmp_path, damage, said):
    path = tmp_path / "weights.pth"
    published_file(path)
    damage(path)
    code, out, complaint = auscult(
        "distill", "--teacher", "none", "--student-weights", path, "--runs", tmp_path / "runs"
    )
    assert (code, out) == (1, "")
    assert said in " ".join(complaint.split())
    assert [line.partition(":")[0] for line in complaint.splitlines()] == ["student", "error"]
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "ran").exists()
