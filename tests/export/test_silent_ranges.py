"""A deliberately bad quantization, ranges from one silent recording, is refused, and the class that lost is named."""

import gzip

import numpy as np
import pytest
from tiny_bundle import sound, trained

from auscult.ledger.classifier import open_classifier
from export.bundle.manifest import ONNX_FLOAT_FILE, PREDICTIONS_FILE, TFLITE_FILE
from export.bundle.opening import Bundle, Int8Format
from export.bundle.predictions import logit_column, read_predictions
from export.gate import FAILED, Strictness, Validation, gate
from export.making import Origin, write_bundle
from lungsound.errors import InputError
from lungsound.front_end import normalised_logmel

PATIENTS = range(20, 28)


@pytest.fixture(scope="module")
def heard() -> Validation:
    """Eight patients with eight windows each."""
    run, *_ = trained()
    return sound(run.listening, PATIENTS)


def quantized(folder, heard: Validation, strictness: Strictness) -> Bundle:
    """Of ranges from one silent recording."""
    run, student, _ = trained()
    silence = np.zeros((1, run.listening.samples), np.int16)
    ranges = normalised_logmel(run.listening, silence).astype(np.float32)
    return write_bundle(folder, Origin.of_run(run), student, ranges, heard, [Int8Format.TFLITE], strictness=strictness)


def test_it_is_refused_and_the_class_is_named(tmp_path, heard, forced, monkeypatch):
    monkeypatch.setattr("export.making.build_models", lambda *_: made_of(forced))
    with pytest.raises(InputError, match="int8 fails its gate") as refused:
        quantized(tmp_path / "bundle", heard, Strictness.USUAL)
    assert "sensitivity crackle" in str(refused.value)
    assert not (tmp_path / "bundle").exists()


def made_of(bundle: Bundle) -> dict[str, bytes]:
    """Its models, which need not be made twice."""
    return {name: bundle.contents[name] for name in (TFLITE_FILE, ONNX_FLOAT_FILE)}


@pytest.fixture(scope="module")
def forced(tmp_path_factory, heard) -> Bundle:
    return quantized(tmp_path_factory.mktemp("forced") / "bundle", heard, Strictness.FORCE)


def test_force_writes_it_marked_as_failed(forced, capsys):
    assert forced.manifest.gate["verdict"] == FAILED
    assert "sensitivity crackle" in forced.manifest.failed
    card = (forced.path / "README.md").read_text()
    assert "This bundle failed its gate" in card
    assert "sensitivity crackle" in " ".join(card.split())
    open_classifier(forced.path, "single")
    assert "failed its gate" in " ".join(capsys.readouterr().err.split())


def test_the_bundle_carries_what_its_figures_come_from(forced, heard):
    """From the table alone come the flips, the figures and the verdict, the same to the last bit."""
    manifest = forced.manifest
    table = read_predictions(forced.contents[PREDICTIONS_FILE], manifest)
    labels = list(manifest.listening.labels)
    assert table["patient"].tolist() == heard.windows["patient"].tolist()
    logits = {
        model: table[[logit_column(model, label) for label in labels]].to_numpy()
        for model in ("float", "litert_xnnpack")
    }
    truth = table[labels].to_numpy()
    found = gate(manifest.listening, manifest.thresholds, logits, Validation(np.zeros(0), truth, windows=table))
    assert found == gate_of(manifest)
    given = {model: values >= np.asarray(manifest.thresholds) for model, values in logits.items()}
    for column, label in enumerate(labels):
        lost = (truth[:, column] == 1) & given["float"][:, column] & ~given["litert_xnnpack"][:, column]
        (flip,) = (flip for flip in manifest.flips if flip["class"] == label)
        assert flip["lost"] == lost.sum()
        assert {of["recording"] for of in flip["recordings"]} == set(table["recording"][lost])


def gate_of(manifest) -> dict:
    """As JSON gave it, with tuples again."""
    falls = [fall | {"interval": tuple(fall["interval"])} for fall in manifest.gate["falls"]]
    return manifest.gate | {"falls": falls}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda content: content[:100], "not readable"),
        (lambda content: b"nothing of the kind", "not readable"),
        (lambda content: gzip.compress(b"a,b\n1,2\n"), "(not readable|other columns)"),
        (
            lambda content: gzip.compress(gzip.decompress(content).replace(b"made up", b"", 1) + b"x" * 80),
            "not readable",
        ),
        (lambda content: gzip.compress(b"".join(gzip.decompress(content).splitlines(True)[:-1])), "has 63 windows"),
        (lambda content: gzip.compress(gzip.decompress(content).replace(b",0,0,", b",0,7,")), "neither a logit nor"),
    ],
)
def test_a_damaged_table_is_one_sentence(forced, change, why):
    with pytest.raises(InputError, match=rf"validation\.csv\.gz: .*{why}.*; export the run again"):
        read_predictions(change(forced.contents[PREDICTIONS_FILE]), forced.manifest)
