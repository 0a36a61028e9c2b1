"""What joins a model to sound: a bundle's manifest, or a file beside a model from elsewhere."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_bundle import tiny_bundle

from export.bundle.manifest import MANIFEST_FILE, TFLITE_FILE
from firmware_bridge.folder.writing import write_sources
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.model import Model
from lungsound.quantization import Quantization


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory)


@pytest.fixture
def forged(bundle, tmp_path):
    """A function that copies the bundle with another manifest, its seal made right again."""

    def forge(**changes: object) -> Path:
        shutil.copytree(bundle.path, tmp_path / "forged")
        (tmp_path / "forged" / MANIFEST_FILE).write_text(replace(bundle.manifest, **changes).to_json())
        return tmp_path / "forged"

    return forge


def test_another_log_mel_than_the_models_is_refused(refused, bundle, forged):
    listening = bundle.manifest.listening
    other = replace(listening, logmel=replace(listening.logmel, n_mels=40))
    refused(
        "plan",
        forged(listening=other),
        "--target",
        "host",
        sentence="takes 61 rows of 64 values where the log-mel has 61 frames of 40 bands",
    )


def test_another_window_than_the_models_is_refused(refused, bundle, forged):
    other = replace(bundle.manifest.listening, seconds=3.0)
    refused("plan", forged(listening=other), "--target", "host", sentence="where the log-mel has 92 frames")


def test_another_input_scale_than_the_models_is_refused(refused, bundle, forged):
    other = Quantization(bundle.manifest.input.scale * 2, bundle.manifest.input.zero_point)
    refused("plan", forged(input=other), "--target", "host", sentence="where the manifest has")


def test_another_output_scale_than_the_models_is_refused(refused, bundle, forged):
    other = Quantization(bundle.manifest.output.scale * 2, bundle.manifest.output.zero_point)
    path = forged(output=other, threshold_codes=other.threshold_codes(bundle.manifest.thresholds))
    refused("plan", path, "--target", "host", sentence="where the manifest has")


def test_other_labels_than_the_models_are_refused(refused, bundle, forged):
    other = replace(bundle.manifest.listening, labels=("crackle", "wheeze", "stridor"))
    codes = bundle.manifest.output.threshold_codes((0.0,) * 3)
    path = forged(listening=other, thresholds=(0.0,) * 3, threshold_codes=codes)
    refused("plan", path, "--target", "host", sentence="2 values for the labels crackle, wheeze")


def test_a_bundle_without_tflite_is_refused(refused, bundle, forged):
    files = {name: facts for name, facts in bundle.manifest.files.items() if name != TFLITE_FILE}
    path = forged(files=files, output=None, threshold_codes=None)
    refused("plan", path, "--target", "host", sentence="--int8 tflite")


@pytest.fixture
def elsewhere(bundle, tmp_path):
    """The bundle's model as a file from elsewhere, and a function that writes what it listens to, with changes."""
    (tmp_path / "net.tflite").write_bytes(bundle.contents[TFLITE_FILE])

    def write(changes: dict[str, object] | None = None, **more: object) -> Path:
        listening = bundle.manifest.listening.to_dict() | (changes or {})
        said = {"listening": listening, "thresholds": bundle.manifest.thresholds} | more
        (tmp_path / "hears.json").write_text(json.dumps(said))
        return tmp_path / "hears.json"

    return tmp_path / "net.tflite", write


def test_a_file_with_its_log_mel_becomes_what_its_bundle_becomes(elsewhere, bundle, tmp_path):
    tflite, write = elsewhere
    folders = tmp_path / "bundle", tmp_path / "file"
    for folder, model in zip(folders, (Model.open(bundle.path), Model.open(tflite, write())), strict=True):
        folder.mkdir()
        sources = write_sources(folder, Footprint(model, model.plan("c99", "double"), overlapping=True))
        assert {"frontend_tables.c", "auscult.c"} < set(sources)
    of_bundle, of_file = ({path.name: path.read_text() for path in folder.iterdir()} for folder in folders)
    for name in ("net.c", "net.h"):  # their first line is the model's name
        of_bundle[name], of_file[name] = (files[name].partition("\n")[2] for files in (of_bundle, of_file))
    assert of_file == of_bundle


@pytest.mark.parametrize(
    ("changes", "more", "sentence"),
    [
        ({"seconds": 3.0}, {}, "takes 61 rows of 64 values where the log-mel has 92 frames"),
        ({"labels": ["crackle"]}, {"thresholds": [0.0]}, "2 values for the labels crackle"),
        ({"labels": ["crackle"]}, {}, "thresholds has 2 values for 1 labels"),
        ({"seconds": 1e300}, {}, "absurdly many"),
        ({"hop_seconds": 0.001}, {}, "not a whole number of log-mel frames"),
        ({"logmel": {}}, {}, "expected exactly the keys"),
        ({"labels": ["crackle", 'a"}\n#error x']}, {}, "must be 1 to 40 printable ASCII characters"),
        ({}, {"thresholds": ["high", "low"]}, "must hold float alone"),
        ({}, {"thresholds": [float("nan"), 0.0]}, "NaN is no number"),
        ({}, {"listening": 4}, "'listening' must be dict"),
    ],
)
def test_another_log_mel_than_the_files_is_refused(refused, elsewhere, changes, more, sentence):
    tflite, write = elsewhere
    refused("plan", tflite, "--target", "host", "--listening", write(changes, **more), sentence=sentence)


def test_a_bundle_says_itself_what_it_listens_to(refused, elsewhere, bundle):
    _, write = elsewhere
    refused("plan", bundle.path, "--target", "host", "--listening", write(), sentence="a bundle says itself")
