"""`auscult cache` counts what lies there, and removes what nobody uses."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from auscult.cli import main
from lungsound.files.arrays import new_array
from lungsound.files.atomic import whole_file

DAY = 24 * 3600
SIZES = {
    "features/a.npy": ("features", 100),
    "features/b.npy": ("features", 50),
    "features/.b.npy.x1y2z3ab": ("leftovers", 7),
    "teacher_outputs/c/logits.npy": ("teacher_outputs", 30),
    "teacher_outputs/c/embedding.npy": ("teacher_outputs", 40),
    "layers/a.npy": ("layers", 60),
    "synthetic-1-seed0-patients40/audio/a.wav": ("synthetic", 1000),
    "teachers/one/weights.pth": ("teachers", 5000),
    "programs/0123/listen": ("programs", 70),
    "faults/auscult-1.txt": ("faults", 3),
    "locks/a.npy": ("locks", 1),
    ".synthetic-1.abcdefgh.auscult/x": ("leftovers", 20),
    "mine/notes.txt": (None, 9),
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with some of everything, used two days ago."""
    monkeypatch.setenv("AUSCULT_CACHE", str(tmp_path))
    for name, (_, size) in SIZES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(size))
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.utime(path, (time.time() - 2 * DAY,) * 2)
    return tmp_path


@pytest.fixture
def ask(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["auscult", "cache", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return stopped.value.code or 0, said.out, said.err

    return call


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_it_counts_what_lies_there_and_changes_nothing(cache, ask):
    before = files(cache)
    code, said, _ = ask("--json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(said)["kinds"]}
    for kind, row in rows.items():
        assert row["bytes"] == sum(size for of, size in SIZES.values() if of == kind), kind
    counts = {
        "features": 2,
        "teacher_outputs": 1,
        "layers": 1,
        "synthetic": 1,
        "teachers": 1,
        "programs": 1,
        "faults": 1,
        "locks": 1,
        "leftovers": 2,
    }
    assert {kind: row["entries"] for kind, row in rows.items()} == counts
    assert files(cache) == before
    assert "1.0 kB" in ask()[1]


def test_cleaning_spares_weights_that_were_downloaded_and_what_is_not_ours(cache, ask):
    code, said, _ = ask("--clean", "--json")
    assert code == 0
    assert files(cache) == {"teachers/one/weights.pth", "mine/notes.txt"}
    assert json.loads(said)["removed"] == {"entries": 10, "bytes": 1381}
    assert ask("--clean", "--kind", "teachers")[0] == 0
    assert files(cache) == {"mine/notes.txt"}


def test_kind_and_age_choose(cache, ask):
    os.utime(cache / "features" / "a.npy")
    assert ask("--clean", "--kind", "features", "--older-than", 1)[0] == 0
    assert files(cache) == set(SIZES) - {"features/b.npy"}
    assert ask("--clean", "--older-than", 3)[0] == 0
    assert files(cache) == set(SIZES) - {"features/b.npy"}


def test_an_unknown_kind_and_a_negative_age_are_refused(cache, ask):
    assert ask("--kind", "songs")[0] == 1
    assert "choose from features" in ask("--kind", "songs")[2]
    assert ask("--older-than", -1)[0] == 2
    assert files(cache) == set(SIZES)


def test_an_empty_cache_and_none_at_all(tmp_path, monkeypatch, ask):
    monkeypatch.setenv("AUSCULT_CACHE", str(tmp_path / "none"))
    code, said, _ = ask("--clean")
    assert code == 0
    assert "nothing here" in said
    assert not (tmp_path / "none").exists()


USER = """
import signal, sys
from pathlib import Path
from lungsound.files.arrays import open_array
from lungsound.files.use import use_until_exit
cache = Path(sys.argv[1])
array = open_array(cache / "features" / "a.npy", (4,))
outputs = open_array(cache / "teacher_outputs" / "c" / "logits.npy", (4,))
use_until_exit(cache / "synthetic-1-seed0-patients40")
print("ready", flush=True)
signal.pause()
"""


def test_what_a_process_uses_stays_until_it_dies(cache, ask):
    for name in ("features/a.npy", "teacher_outputs/c/logits.npy"):
        with whole_file(cache / name) as temporary, new_array(temporary, (4,)):
            pass
    assert np.load(cache / "features" / "a.npy").tolist() == [0.0] * 4
    with subprocess.Popen([sys.executable, "-c", USER, str(cache)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            code, said, complaint = ask("--clean")
            assert code == 0
            assert "removed 7 of these" in said
            for used in ("features/a.npy", "teacher_outputs/c", "synthetic-1-seed0-patients40"):
                assert (cache / used).exists(), used
                assert f"{cache / used} is in use" in complaint
        finally:
            process.send_signal(signal.SIGKILL)
    assert ask("--clean")[0] == 0
    assert files(cache) == {"teachers/one/weights.pth", "mine/notes.txt"}
