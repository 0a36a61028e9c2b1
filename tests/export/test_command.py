"""The commands as a person types them, on a small synthetic corpus."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from tiny_bundle import tiny_bundle, trained
from typer.testing import CliRunner

from export.__main__ import app
from export.bundle.manifest import TFLITE_FILE
from export.command import export_run
from lungsound.corpora.selection import Selection
from lungsound.corpora.synthetic import generate
from lungsound.errors import InputError
from lungsound.training.runs import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A finished run of the tiny student whose corpus is there; it has never heard it."""
    runs = tmp_path_factory.mktemp("runs")
    corpus = runs / "corpus"
    generate(corpus, seed=1, patients=8)
    data = (f"synthetic:{corpus}",)
    made, student, _ = trained()
    chosen = {"drop_shared": False, "validation": 0.3, "seed": 0}
    split = {"name": "official", "hash": Selection.open(data, **chosen).hash} | chosen
    made = replace(made, path=runs / "tiny", data=data, split=split, options={"logmel": "device_4k"})
    student.save_weights(made.weights)
    made.save()
    return made


def export(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "export", *map(str, words)], capture_output=True, text=True)


def check(*words: object) -> subprocess.CompletedProcess[str]:
    code = "from auscult.cli import main; main()"
    command = [sys.executable, "-c", code, "check", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def exported(run):
    """The answer of `python -m export` to the newest run, as JSON."""
    told = export("--runs", run.path.parent, "--calibration", 40, "--json")
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


@pytest.mark.slow
def test_export_writes_a_bundle_and_answers_in_one_object(run, exported):
    keys = "bundle run synthetic files parameters labels thresholds aim threshold_codes ranges validation gate flips"
    assert set(exported) == {*keys.split(), "abstention"}
    assert exported["bundle"] == str(run.path / "bundle")
    assert exported["synthetic"] is True
    assert exported["ranges"] == {"method": "minimum and maximum", "windows": 40}
    assert exported["files"][TFLITE_FILE] == (run.path / "bundle" / TFLITE_FILE).stat().st_size
    assert {"n", "sp", "se", "score", "se_any", "score_any", "auroc"} <= set(exported["validation"]["float"])
    for scores in exported["validation"]["int8"].values():
        assert {"differing_decisions", "max_error", "mean_error", "score"} <= set(scores)


@pytest.mark.slow
def test_the_validation_windows_are_the_runs(run, exported):
    chosen = {key: run.split[key] for key in ("drop_shared", "validation", "seed")}
    windows = Selection.open(run.data, **chosen).windows("validation", run.protocols, run.listening)
    assert exported["validation"]["windows"] == len(windows)


@pytest.mark.slow
def test_export_prints_a_table_that_says_synthetic(run, tmp_path):
    words = [run.path, "--output", tmp_path / "b", "--int8", "tflite", "--percentile", 99.9]
    told = CliRunner().invoke(app, [str(word) for word in words])  # torch is imported here already
    assert told.exit_code == 0, told.output
    assert "synthetic" in told.stdout
    assert "LiteRT int8, XNNPACK" in told.stdout
    assert "onnxruntime int8" not in told.stdout
    assert "percentile 99.9" in (tmp_path / "b" / "README.md").read_text()


def test_check_says_what_it_replayed(tmp_path_factory):
    bundle = tiny_bundle(tmp_path_factory)
    told = check(bundle.path)
    assert told.returncode == 0, told.stderr
    assert "8 golden windows" in told.stdout
    answer = json.loads(check(bundle.path, "--json").stdout)
    assert set(answer) == {"bundle", "windows", "front_end", "runtimes", "skipped"}


def test_bad_input_is_one_sentence_and_exit_code_1(tmp_path):
    for told in (check(tmp_path), export(tmp_path), export("--runs", tmp_path)):
        assert told.returncode == 1
        assert told.stdout == ""
        assert told.stderr.startswith("error: ")
        assert len(told.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("words", [("--int8", "float"), ("--calibration", "0"), ("--percentile", "most"), ("--huh",)])
def test_wrong_usage_is_exit_code_2(words):
    assert export(*words).returncode == 2


def test_a_teachers_run_and_a_changed_corpus_are_refused(run, tmp_path):
    with pytest.raises(InputError, match="the run of a teacher"):
        export_run(replace(run, kind="teacher"), tmp_path / "bundle")
    with pytest.raises(InputError, match="have changed since the training"):
        export_run(replace(run, split=run.split | {"hash": "0" * 64}), tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []
