"""What a benchmark tells: whose memory it was, whose turn, and in which units; never how fast."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import typer
from bench_subjects import load_bomb, load_diary, load_endless, load_hog, load_nonsense, load_nothing, load_surprise
from tiny_bundle import tiny_bundle, trained

from auscult import bench_process
from auscult.bench import bench, bench_command
from auscult.bench_process import Subject, measure
from export.bundle.memory import MOST
from export.bundle.opening import Bundle
from lungsound.command import console
from lungsound.errors import InputError
from lungsound.training.runs import Run

HOG = 80_000_000
WINDOW = np.arange(3.0)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory)


@pytest.fixture(scope="module")
def run(bundle, tmp_path_factory) -> Run:
    """The run that the bundle came from, on disk."""
    made, student, _ = trained()
    made = replace(made, path=tmp_path_factory.mktemp("run"))
    student.save_weights(made.weights)
    made.save()
    return made


def test_memory_belongs_to_the_one_that_took_it():
    subjects = {
        "hog": Subject("hog", load_hog, (HOG,), WINDOW),
        "small": Subject("small", load_nothing, (), WINDOW),
    }
    found = measure(subjects, rounds=2, runs=3)
    assert HOG <= found["hog"].added_bytes < 1.3 * HOG
    assert found["small"].added_bytes < 0.2 * HOG
    assert found["hog"].peak_bytes >= found["hog"].added_bytes
    for measured in found.values():
        assert measured.rounds.shape == (2, 3)
        assert (measured.rounds >= 0).all()


def test_subjects_take_turns(tmp_path):
    diary = tmp_path / "diary"
    subjects = {str(i): Subject(str(i), load_diary, (str(diary),), np.array([i])) for i in (1, 2)}
    measure(subjects, rounds=3, runs=2)
    warm_up = "11112222"
    assert diary.read_text() == warm_up + "112222111122"


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (load_nonsense, "^odd: not a model$"),
        (load_surprise, "^odd: no more$"),
        (load_bomb, "odd: its process died"),
    ],
)
def test_a_subject_that_fails_is_a_sentence(load, said):
    with pytest.raises(InputError, match=said):
        measure({"odd": Subject("odd", load, (), WINDOW)}, rounds=1, runs=1)


def test_what_never_ends_is_a_sentence(monkeypatch):
    monkeypatch.setattr(bench_process, "PATIENCE", 0.5)
    with pytest.raises(InputError, match=r"^endless: not loaded and run within 0\.5 s"):
        measure({"endless": Subject("endless", load_endless, (), WINDOW)}, rounds=1, runs=1)


def test_what_a_file_makes_a_runtime_take_is_limited():
    glutton = Subject("glutton", load_hog, (MOST + (64 << 20),), WINDOW, threads=1)
    with pytest.raises(InputError, match=r"^glutton: needs more than 1024 MB of memory"):
        measure({"glutton": glutton}, rounds=1, runs=1)


@pytest.mark.slow
def test_every_model_of_a_bundle_is_measured(bundle, run):
    found = bench(bundle, runs=4, run=run)
    models = ["litert_xnnpack", "onnxruntime_int8", "onnxruntime_float", "litert_float", "torch_float"]
    assert list(found["rows"]) == ["front_end", *models]
    assert found["skipped"] == {}
    assert found["runs"] == 4
    assert found["reference"] == "litert_xnnpack"
    assert found["rows"]["litert_xnnpack"]["ratio"] == 1.0
    for name, row in found["rows"].items():
        assert 0 < row["p5_ms"] <= row["median_ms"] <= row["p95_ms"]
        assert 0 < row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
        assert (row["bytes"] is None) == (name == "front_end")
    assert found["rows"]["torch_float"]["added_bytes"] > found["rows"]["litert_float"]["added_bytes"]
    assert found["rows"]["litert_float"]["bytes"] > 2 * found["rows"]["litert_xnnpack"]["bytes"]


@pytest.mark.slow
def test_what_cannot_be_measured_says_why(bundle):
    contents = {name: content for name, content in bundle.contents.items() if name != "model_int8.onnx"}
    found = bench(Bundle(bundle.path, bundle.manifest, contents), runs=1)
    assert found["skipped"]["onnxruntime_int8"] == "the bundle holds no model_int8.onnx"
    assert "--run" in found["skipped"]["torch_float"]


def test_another_run_is_refused(bundle, run):
    other = replace(run, listening=replace(run.listening, seconds=3.0))
    with pytest.raises(InputError, match="not the run that this bundle was exported from"):
        bench(bundle, run=other)


def auscult_bench(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from auscult.cli import main; main()", "bench", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
def test_the_command_prints_a_table_or_one_object(bundle):
    told = auscult_bench(bundle.path, "--runs", 2)
    assert told.returncode == 0, told.stderr
    for word in ("LiteRT int8, XNNPACK", "onnxruntime float", "front end", "ratio"):
        assert word in told.stdout
    answer = json.loads(auscult_bench(bundle.path, "--runs", 2, "--json").stdout)
    assert set(answer) == {"bundle", "processor", "threads", "runs", "reference", "rows", "skipped"}


def test_bad_input_is_one_sentence(tmp_path):
    told = auscult_bench(tmp_path)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("error: ")


def test_a_limit_on_pushes_that_c_cannot_hold_is_wrong_usage(bundle):
    told = auscult_bench(bundle.path, "--target", "cortex-m4", "--push-macs", 2**32)
    assert (told.returncode, told.stdout) == (2, "")
    assert str(2**32 - 2) in told.stderr


def refused(capsys, *words: object) -> tuple[int, str]:
    """Run the command in this process; returns exit code and what it complained of, in one line."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(bench_command)
    with pytest.raises(SystemExit) as stopped:
        console.run(lambda **mode: app([str(word) for word in words], **mode))
    written = capsys.readouterr()
    assert written.out == ""
    return int(stopped.value.code or 0), " ".join(written.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--runs", 100], "'--runs'"),
        (["--threads", 2], "'--threads'"),
        (["--run", "runs/student"], "'--run'"),
        (["--runs", 3, "--threads", 1], "'--runs' / '--threads'"),
    ],
)
def test_options_of_this_computer_do_not_go_with_a_target(bundle, capsys, words, names):
    code, complaint = refused(capsys, bundle.path, "--target", "cortex-m4", *words)
    assert code == 2
    assert f"{names}: does not go with --target" in complaint


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--kernels", "dsp8"], "'--kernels'"),
        (["--rounding", "double"], "'--rounding'"),
        (["--push-macs", 0], "'--push-macs'"),
        (["--listening", "heard.json"], "'--listening'"),
        (["--kernels", "dsp8", "--push-macs", 9], "'--kernels' / '--push-macs'"),
    ],
)
def test_options_of_a_target_do_not_go_without_one(bundle, capsys, words, names):
    code, complaint = refused(capsys, bundle.path, *words)
    assert code == 2
    assert f"{names}: means something with --target alone; add --target" in complaint


def test_a_file_without_a_target_is_told_of_targets(tmp_path, capsys):
    (tmp_path / "net.tflite").touch()
    code, complaint = refused(capsys, tmp_path / "net.tflite")
    assert (code, "or add --target to measure a .tflite file" in complaint) == (1, True)
