"""`auscult export --module`: networks from elsewhere become bundles that every other command takes."""

import json
import sys
from pathlib import Path

import pytest
from foreign_networks import FRAMES, MELS, NETWORKS, foreign_network
from random_student import listening_of
from safetensors.torch import save_file
from typer.testing import CliRunner

from auscult.ledger.classifier import open_classifier
from auscult.ledger.evaluation import evaluate
from export import foreign, making
from export.__main__ import app
from export.bundle.manifest import ONNX_FLOAT_FILE, ONNX_INT8_FILE, TFLITE_FILE
from export.bundle.opening import Bundle
from export.check import check
from firmware_bridge.plan.model import Model
from lungsound.errors import InputError

SMALL = """
import torch
from torch import nn

def make(logits=2):
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, logits),
    )

def three_logits():
    return make(3)

def wrong_window():
    return nn.Sequential(nn.Flatten(), nn.Linear(7, 2))

def no_operator():
    return nn.Sequential(make(), nn.GELU())
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Path:
    """A folder with a network's file and what it listens to."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "small.py").write_text(SMALL)
    listening = listening_of(FRAMES, MELS)
    logmel = listening.logmel.with_statistics(-8.0, 4.0).to_dict()
    said = {"listening": listening.to_dict() | {"logmel": logmel}, "thresholds": [0.1, -0.1]}
    (folder / "listening.json").write_text(json.dumps(said))
    return folder


def export(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(*words: object) -> str:
    told = export(*words)
    assert isinstance(told.exception, InputError), told.output
    return str(told.exception)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_somebody_becomes_a_checked_bundle(here, monkeypatch, name):
    monkeypatch.setattr(making, "CORRECTION", 8)  # every convolution runs all before it on each window
    monkeypatch.setattr(foreign, "_MADE_UP_RANGES", range(1, 3))  # NNCF keeps every map of each window
    save_file(foreign_network(name).state_dict(), here / f"{name}.safetensors")
    support = Path(sys.modules["foreign_networks"].__file__)
    (here / f"of_{name}.py").write_text(
        f"import sys\nsys.path.insert(0, {str(support.parent)!r})\n"
        f"from foreign_networks import NETWORKS\nmake = NETWORKS[{name!r}]\n"
    )
    folder = here / name
    words = ["--listening", here / "listening.json", "--weights", here / f"{name}.safetensors", "-o", folder, "--json"]
    formats = [] if name in ("ds_cnn", "mobilenetv3_small_050") else ["--int8", "tflite"]
    told = export("--module", f"{here / f'of_{name}.py'}:make", *words, *formats)
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    assert answer["run"] is None
    assert answer["validation"]["windows"] == 32
    bundle = Bundle.open(folder)
    assert bundle.manifest.student["module"] == f"of_{name}.py:make"
    assert bundle.manifest.student["weights"] == f"{name}.safetensors"
    assert set(bundle.contents) >= {TFLITE_FILE, ONNX_FLOAT_FILE}
    assert (ONNX_INT8_FILE in bundle.contents) is not bool(formats)
    assert check(bundle)["runtimes"]["litert_reference"]["differing_bytes"] == 0
    card = (folder / "README.md").read_text()
    assert "made-up sound" in card
    assert str(here) not in card + bundle.manifest.to_json()
    assert Model.open(folder).plan("dsp8", "double").memory.total > 0


@pytest.mark.slow
def test_with_recordings_it_has_figures_and_can_be_evaluated(here, small_options):
    folder = here / "heard"
    data = small_options.data[0]
    words = ["--listening", here / "listening.json", "--data", data, "--protocol", "stream", "--calibration", 32]
    told = export("--module", f"{here / 'small.py'}:make", *words, "-o", folder, "--int8", "tflite", "--json")
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    assert answer["ranges"] == {"method": "minimum and maximum", "windows": 32}
    assert {"float", "int8"} <= answer["validation"].keys()
    assert answer["validation"]["int8"]["litert_xnnpack"]["differing_decisions"] <= 0.05
    manifest = Bundle.open(folder).manifest
    assert manifest.data == ("icbhi2017",)
    card = (folder / "README.md").read_text()
    assert "may have been\ntrained on them" in card
    found = evaluate(open_classifier(folder, "single"), small_options.select(), "test", "stream")
    assert len(found.predictions)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("three_logits", "small.py:three_logits: the network gives 3 logits for the labels crackle, wheeze"),
        ("wrong_window", "small.py:wrong_window: the network raises RuntimeError on a window [1, 1, 62, 64]"),
        ("no_operator", "small.py:no_operator: 1: aten.gelu cannot be exported; use ReLU or hard-swish"),
        ("missing", "has no function or class 'missing'"),
    ],
)
def test_a_network_that_cannot_be_exported_leaves_nothing_behind(here, name, said):
    folder = here / "refused"
    words = ["--listening", here / "listening.json", "-o", folder]
    assert said in refused("--module", f"{here / 'small.py'}:{name}", *words)
    assert not list(here.glob("*refused*"))


def test_a_listening_file_that_is_none(here):
    (here / "other.json").write_text(json.dumps({"listening": {}, "thresholds": []}))
    words = ["--module", f"{here / 'small.py'}:make", "-o", here / "refused", "--listening"]
    assert "other.json: not a description of a model's input" in refused(*words, here / "other.json")
    assert "none.json: cannot be read" in refused(*words, here / "none.json")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--weights", "w.pth"], "ignored without --module"),
        (["--protocol", "stream"], "ignored without --module"),
        (["--module", "a.py:b", "some-run"], "ignored with --module"),
        (["--module", "a.py:b", "--protocol", "stream", "-o", "x", "--listening", "l.json"], "ignored without --data"),
        (["--module", "a.py:b", "--calibration", "9", "-o", "x", "--listening", "l.json"], "ignored without --data"),
    ],
)
def test_options_that_would_be_ignored_are_refused(words, said):
    told = export(*words)
    assert told.exit_code == 2
    assert said in " ".join(told.output.replace("│", " ").split())


def test_a_module_needs_to_be_told_what_it_hears():
    assert refused("--module", "a.py:b") == "--module needs --listening FILE.json and --output FOLDER; give both"


def test_help_says_that_the_file_is_executed():
    assert "EXECUTED" in export("--help").output
