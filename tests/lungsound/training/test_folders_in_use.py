"""Two trainings at once: whole runs of their own, or one of them waits or is refused."""

import json
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
import torch
from warm_process import WarmProcess

from distill.settings import DistillSettings
from distill.training import distill
from lungsound.errors import InputError
from lungsound.training.runs import Run, in_use, new_run_folder
from lungsound.training.settings import SETTINGS_FILE, load_settings, save_settings
from teachers.settings import FinetuneSettings
from teachers.start import run_name
from teachers.training import finetune, finetuned

HOLD = """
import shutil, sys, time
from pathlib import Path
from lungsound.training.runs import in_use
with in_use(Path(sys.argv[1])):
    print("in use", flush=True)
    if sys.argv[2:]:
        time.sleep(1.5)
        shutil.copytree(sys.argv[2], sys.argv[1], dirs_exist_ok=True, ignore=shutil.ignore_patterns(".lock"))
    else:
        sys.stdin.read()
"""


def holding(*words: object) -> subprocess.Popen[str]:
    """A process that trains in a folder, as far as others can tell."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", HOLD, *map(str, words)], **pipes)
    assert process.stdout.readline() == "in use\n"
    return process


def test_folders_of_one_second_are_many(tmp_path):
    made = []

    def begin() -> None:
        with new_run_folder(tmp_path, "run") as folder:
            (folder / "begun").touch()
            made.append(folder)

    threads = [threading.Thread(target=begin) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 20
    assert sorted(made) == sorted(tmp_path.iterdir())


def test_a_folder_in_which_nothing_was_written_goes_again(small_settings, tmp_path):
    runs = tmp_path / "runs"
    with pytest.raises(InputError, match="no such teacher"), new_run_folder(runs, "run") as folder, in_use(folder):
        raise InputError("no such teacher")
    with pytest.raises(InputError, match="no such teacher"), in_use(runs / "run"):
        raise InputError("no such teacher")
    assert list(tmp_path.iterdir()) == []
    with new_run_folder(tmp_path, "run") as folder, in_use(folder):
        save_settings(small_settings, folder, "a" * 64)
    with pytest.raises(InputError, match="later"), in_use(folder):
        raise InputError("later")
    assert (folder / SETTINGS_FILE).exists()


def test_a_folder_that_was_there_before_stays(tmp_path):
    with pytest.raises(InputError), new_run_folder(tmp_path, "run") as folder, in_use(folder):
        raise InputError("no such teacher")
    with pytest.raises(InputError), in_use(tmp_path / "run"):
        raise InputError("no such teacher")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["distill", "finetune"])
def test_a_second_resume_is_refused_with_process_and_host(command, small_teacher, small_student, place, tmp_path):
    run = small_student if command == "distill" else small_teacher
    shutil.copytree(run.path, tmp_path / "run", ignore=shutil.ignore_patterns(".lock", "checkpoints"))
    process = holding(tmp_path / "run")
    before = sorted((tmp_path / "run").iterdir())
    words = rf"^{tmp_path}/run: in use by process {process.pid} on {socket.gethostname()} since "
    kind, train = (DistillSettings, distill) if command == "distill" else (FinetuneSettings, finetune)
    with pytest.raises(InputError, match=words):
        train(load_settings(tmp_path / "run", kind), tmp_path / "run", place / "cache")
    assert sorted((tmp_path / "run").iterdir()) == before
    process.communicate("")


def test_a_teacher_that_is_being_trained_is_waited_for_and_used(small_teacher, small_options, place, tmp_path, capfd):
    settings = FinetuneSettings(data=small_options, epochs=1, layers=(2, 4))
    assert small_teacher.path.name.startswith(run_name(settings))
    process = holding(tmp_path / small_teacher.path.name, small_teacher.path)
    run = finetuned(settings, tmp_path, place / "cache")
    assert replace(run, path=small_teacher.path) == small_teacher
    told = capfd.readouterr().err
    assert f"waiting for process {process.pid}" in told
    assert "trained before" in told
    assert "epoch" not in told
    process.communicate("")


@pytest.mark.slow
def test_two_at_once_are_two_whole_runs_of_one_teacher(small_options, place, tmp_path):
    words = ["--data", small_options.data[0], "--protocol", "stream", "--seconds", 2, "--validation", 0.34]
    words += ["--teacher-epochs", 1, "--width", 0.0625, "--heads", 1, "--runs", tmp_path, "--json", "--epochs"]
    program, cache = "from auscult.distill import main; main()", {"AUSCULT_CACHE": str(place / "cache")}
    processes = [WarmProcess(program, [*words, epochs], environment=cache) for epochs in (1, 2)]
    ends = [process.ended() for process in processes]
    assert [ended.returncode for ended in ends] == [0, 0], ends
    runs = [Run.load(type(tmp_path)(json.loads(answer)["run"])) for answer in (ended.stdout for ended in ends)]
    assert [run.options["epochs"] for run in runs] == [1, 2]
    for run in runs:
        last = torch.load(run.path / "checkpoints" / "last.ckpt", weights_only=True)
        assert last["epoch"] == run.options["epochs"] - 1
    assert runs[0].teacher["run"] == runs[1].teacher["run"]
    assert len(list(tmp_path.iterdir())) == 3
    assert sum("trained before" in ended.stderr for ended in ends) == 1


def test_a_folder_of_another_training_is_refused(small_settings, tmp_path, capsys):
    save_settings(small_settings, tmp_path, "a" * 64)
    save_settings(small_settings, tmp_path, "a" * 64)
    with pytest.raises(InputError, match="another training began here"):
        save_settings(replace(small_settings, seed=1), tmp_path, "a" * 64)
    with pytest.raises(InputError, match=r"not those that it began with; .*--data"):
        save_settings(small_settings, tmp_path, "b" * 64)
    values = json.loads((tmp_path / SETTINGS_FILE).read_text())
    del values["split_hash"], values["command"], values["sha256"]
    (tmp_path / SETTINGS_FILE).write_text(json.dumps(values))
    capsys.readouterr()
    save_settings(small_settings, tmp_path, "b" * 64)
    assert "does not tell its recordings" in capsys.readouterr().err
