"""The house: imports run downwards only, files can be read at a sitting, folders be seen at a glance."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST, FULLEST = 300, 16
FLOORS = ("auscult", "firmware_bridge", "export", "distill", "teachers", "students", "lungsound")


def tracked(pattern: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: what belongs to the project cannot be told")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_imports_run_downwards():
    lint = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"]
    found = subprocess.run(lint, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Contracts: 4 kept, 0 broken." in found.stdout


@pytest.mark.parametrize("pattern", ["*.py", "*.c", "*.h"])
def test_no_file_is_longer_than_a_sitting(pattern: str):
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in tracked(pattern)}
    assert long
    assert {name: lines for name, lines in long.items() if lines > LONGEST} == {}


def test_no_folder_is_fuller_than_a_glance():
    files = [path for path in tracked("*") if path.relative_to(ROOT).parts[0] in FLOORS]
    counts = {folder: sum(path.parent == folder for path in files) for folder in {path.parent for path in files}}
    assert {str(folder): count for folder, count in counts.items() if count > FULLEST} == {}


def test_no_two_test_files_share_a_name():
    names = [path.name for path in tracked("tests/*test_*.py")]
    assert sorted(names) == sorted(set(names)), "pytest would import only one of them"
