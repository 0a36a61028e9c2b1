"""Without the packages of training: what works there works, the rest names what to install; and help waits for none."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from auscult.cli import CONTENTS, load
from auscult.evaluate import predictions_folder

WITHOUT = """
import sys
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name.split(".")[0] in {forbidden} else find(name, *rest)
sys.argv = ["auscult", *{words}]
from {module} import main
main()
"""
TRAINING_PACKAGES = {
    "torch", "torchaudio", "torchvision", "timm", "lightning", "matplotlib", "onnx", "onnxruntime", "onnxscript",
    "nncf", "ai_edge_quantizer", "safetensors", "pooch", "torchmetrics",
}  # fmt: skip
SLOW_PACKAGES = TRAINING_PACKAGES | {"pandas", "sklearn", "scipy", "ai_edge_litert"}
BEFORE = Path(__file__).parents[1] / "data" / "before"
BUNDLE, STUDENT = BEFORE / "bundle", BEFORE / "student"


def run(*words: object, without: set[str] = TRAINING_PACKAGES, module: str = "auscult.cli", folder: Path | None = None):
    """Run a command where packages are missing."""
    code = WITHOUT.format(forbidden=without, words=[str(word) for word in words], module=module)
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


DATA = [["data", name] for name in load("data").commands]


@pytest.mark.parametrize("command", [[], *([name] for name in CONTENTS), *DATA])
def test_help_waits_for_nothing_that_is_slow_to_load(command):
    done = run(*command, "--help", without=SLOW_PACKAGES)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["teachers"],
        ["recipes"],
        ["targets"],
        ["runs", BEFORE],
        ["check", BUNDLE],
        ["bench", BUNDLE, "--runs", 3],
        ["plan", BUNDLE, "--target", "cortex-m4"],
        ["firmware", BUNDLE, "--target", "cortex-m4", "-o", "firmware"],
        ["data", "list"],
        ["data", "synthesize", "corpus", "--patients", 4],
    ],
)
def test_what_the_base_install_does(words, tmp_path):
    done = run(*words, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    assert "INFO" not in done.stderr  # LiteRT's word on its delegate


def test_the_base_install_reads_corpora_and_scores_bundles_on_them(small_options, place, tmp_path):
    corpus = f"icbhi2017:{place / 'corpus'}"
    for words in (["check", corpus], ["export", corpus, "-o", "corpus.csv"], ["check", "table:corpus.csv"]):
        done = run("data", *words, "--json", folder=tmp_path)
        assert done.returncode == 0, done.stderr
    words = [BUNDLE, "--data", corpus, "--protocol", "stream", "-o", "here", "--json"]
    done = run("evaluate", *words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(tmp_path, json.loads(done.stdout)["stream"]["predictions"]).is_file()


@pytest.mark.parametrize(
    ("words", "module"),
    [
        ([], "distill.command"),
        (["distill"], "auscult.cli"),
        (["finetune"], "auscult.cli"),
        (["demo"], "auscult.cli"),
        (["export", STUDENT], "auscult.cli"),
        (["export", "--module", "net.py:net", "--listening", "l.json", "-o", "x"], "auscult.cli"),
        (["evaluate", STUDENT, "--data", "synthetic"], "auscult.cli"),
        (["bench", BUNDLE, "--run", STUDENT], "auscult.cli"),
    ],
)
def test_what_needs_more_names_it_in_a_sentence(words, module, tmp_path):
    done = run(*words, module=module, folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: the package ")
    assert line.endswith(" is missing; pip install 'auscult-edge[train]'")
    assert list(tmp_path.iterdir()) == []


def test_the_packages_taken_away_here_are_those_that_the_base_install_lacks():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert not {name.replace("-", "_") for name in TRAINING_PACKAGES} & {
        requirement.partition(">")[0].replace("-", "_") for requirement in project["dependencies"]
    }
    for name, entry in project["scripts"].items():
        assert run("--help", module=entry.partition(":")[0], without=SLOW_PACKAGES).returncode == 0, name


def test_a_path_that_is_no_text_is_a_path(tmp_path):
    """Latin-1 in a folder's name, as old disks have it."""
    name = "bundle \udcff\n"
    shutil.copytree(BUNDLE, tmp_path / name)
    assert run("check", name, folder=tmp_path).returncode == 0
    done = run("firmware", name, "--target", "cortex-m4", "-o", name + "firmware", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\\udcff" in done.stdout
    assert "\\udcff" in (tmp_path / (name + "firmware") / "README.md").read_text()


def test_predictions_of_a_bundle_lie_beside_it():
    assert predictions_folder(BUNDLE) == BUNDLE.resolve().with_name("bundle-evaluation")
    assert predictions_folder(STUDENT) == STUDENT / "evaluation"
