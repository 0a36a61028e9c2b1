"""`auscult runs`: every folder of a training is named, whatever became of it."""

import json
import shutil

import pytest

from lungsound.training.runs import Run
from lungsound.training.settings import SETTINGS_FILE


@pytest.fixture
def folder(small_teacher, small_student, tmp_path):
    """A teacher, a student, an unfinished run, three damaged ones, and what is no run."""
    runs = tmp_path / "runs"
    for run in (small_teacher, small_student):
        shutil.copytree(run.path, runs / run.kind)
    for name in ("no-weights", "no-json", "binary"):
        shutil.copytree(small_student.path, runs / name)
    (runs / "no-weights" / "weights.safetensors").unlink()
    (runs / "no-json" / "run.json").write_text("{}")
    (runs / "binary" / "run.json").write_bytes(b"\xff\xfe")
    (runs / "killed").mkdir()
    shutil.copy(small_student.path / SETTINGS_FILE, runs / "killed")
    (runs / "notes").mkdir()
    (runs / "notes.txt").touch()
    return runs


def test_every_run_is_told_as_its_file_has_it(auscult, folder):
    code, said, _ = auscult("runs", folder, "--json")
    found = json.loads(said)
    assert code == 0
    assert {row["name"] for row in found["runs"]} == {"teacher", "student"}
    for row in found["runs"]:
        run = Run.load(folder / row["name"])
        assert (row["kind"], tuple(row["data"]), row["synthetic"]) == (run.kind, run.data, run.synthetic)
        assert row["validation"]["score"] == run.validation["score"]
        assert tuple(row["thresholds"]) == run.thresholds
    assert found["unfinished"] == ["killed"]
    assert {broken["name"] for broken in found["damaged"]} == {"no-weights", "no-json", "binary"}


def test_a_table_for_people_has_the_same(auscult, folder):
    code, said, complaint = auscult("runs", folder)
    assert code == 0
    score = Run.load(folder / "student").validation["score"]
    (line,) = (line for line in said.splitlines() if line.startswith("student ") and "icbhi2017" in line)
    assert f"{score:.3f}" in line
    assert f"unfinished: killed; --resume {folder / 'killed'}" in said
    for name in ("no-weights", "no-json", "binary"):
        assert f"damaged: {folder / name}" in complaint


def test_one_run_is_told_too(auscult, folder):
    found = json.loads(auscult("runs", folder / "student", "--json")[1])
    assert [row["name"] for row in found["runs"]] == ["student"]


def test_a_folder_without_runs_says_so(auscult, tmp_path):
    code, said, _ = auscult("runs", tmp_path)
    assert (code, "no finished run" in said) == (0, True)
    code, said, complaint = auscult("runs", tmp_path / "none")
    assert (code, said) == (1, "")
    assert "no such folder" in complaint
