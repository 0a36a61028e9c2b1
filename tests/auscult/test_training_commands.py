"""Trainings as a user asks for them: what is refused, and from the command to the scores."""

import json
import re
from pathlib import Path

import pytest


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


def test_labels_alone_from_the_command_to_the_scores(auscult, small_options, place):
    data = ["--data", f"icbhi2017:{place / 'corpus'}"]
    cut = ["--protocol", "stream", "--seconds", 2, "--validation", 0.34, "--epochs", 1, "--runs", place / "alone"]
    student = ["--width", 0.125, "--heads", 2, "--json"]
    code, said, told = auscult("distill", "--teacher", "none", *data, *cut, *student)
    assert code == 0, told
    (run,) = (place / "alone").iterdir()
    assert re.fullmatch(r"cnn6-labels-alone-\d{8}-\d{6}", run.name)
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
