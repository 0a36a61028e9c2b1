"""Nothing that is stored can be changed without `auscult verify` saying what: digits, predictions, models, fields."""

import gzip
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from auscult.ledger.readings import READINGS_FILE
from auscult.ledger.verification import first_difference
from export.bundle.manifest import MANIFEST_FILE, PREDICTIONS_FILE, FileFacts, Manifest
from lungsound.files.plain_json import loads
from lungsound.files.record import read_object, write_object
from lungsound.training.runs import RUN_FILE, VALIDATION_FILE


@pytest.fixture(scope="module")
def evaluated(small_student, small_bundle, place, tmp_path_factory):
    """A run and a bundle, each with an evaluation of a stream."""
    import sys

    from auscult.cli import main

    root = tmp_path_factory.mktemp("verified")
    shutil.copytree(small_student.path, root / "run", ignore=shutil.ignore_patterns("evaluation", READINGS_FILE))
    shutil.copytree(small_bundle.path, root / "bundle")
    data = f"icbhi2017:{place / 'corpus'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUSCULT_CACHE", str(place / "cache"))
        words = ["auscult", "evaluate", str(root / "run"), str(root / "bundle"), "--protocol", "stream", "--data", data]
        patch.setattr(sys, "argv", [*words, "--json"])
        with pytest.raises(SystemExit) as stopped:
            main()
    assert not stopped.value.code
    return root


@pytest.fixture
def copy(evaluated, tmp_path):
    return Path(shutil.copytree(evaluated, tmp_path / "copy"))


def test_what_was_written_is_verified(auscult, evaluated):
    for target, files in (("run", 2), ("bundle", 7)):
        code, said, complaint = auscult("verify", evaluated / target, "--json")
        assert code == 0, complaint
        (found,) = json.loads(said)["verified"]
        assert len(found["files"]) == files
        assert found["figures"] > 500
        assert len(found["evaluations"]) == 1
        assert found["not_carried"] == []


def digit_changed(content: bytes, after: bytes) -> bytes:
    """Change the first digit but a zero behind some text."""
    place = content.index(after) + len(after)
    place = next(i for i in range(place, len(content)) if content[i] in b"123456789")
    return content[:place] + str((content[place] - ord("0")) % 9 + 1).encode() + content[place + 1 :]


def sealed_again(file: Path, change) -> None:
    """Change a sealed object as somebody would who seals it again."""
    values = read_object(file)
    change(values)
    write_object(file, values)


def the_ledger(root: Path, target: str) -> Path:
    folder = root / ("run/evaluation" if target == "run" else "bundle-evaluation")
    (file,) = folder.glob("*.json")
    return file


def bytes_of_a_model(root):
    file = root / "bundle" / "model_int8.tflite"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def weights_of_the_run(root):
    file = root / "run" / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)


def manifest_again(root, change):
    file = root / "bundle" / MANIFEST_FILE
    file.write_text(change(Manifest.from_json(file.read_text())).to_json())


def prediction_of_the_bundle(root):
    """With the digests that it then has."""
    file = root / "bundle" / PREDICTIONS_FILE
    table = gzip.decompress(file.read_bytes()).decode().splitlines(keepends=True)
    cells = table[1].rstrip("\n").split(",")
    table[1] = ",".join([*cells[:-1], repr(float(cells[-1]) + 9.0)]) + "\n"
    content = gzip.compress("".join(table).encode(), mtime=0)
    file.write_bytes(content)
    facts = FileFacts.of(content)
    manifest_again(root, lambda manifest: replace(manifest, files=manifest.files | {PREDICTIONS_FILE: facts}))


def digit(file, after):
    return lambda root: (root / file).write_bytes(digit_changed((root / file).read_bytes(), after))


def in_ledger(target):
    def change(values):
        values["scores"]["intervals"]["windows"]["auroc"]["any"][0] -= 0.001

    return lambda root: sealed_again(the_ledger(root, target), change)


def in_predictions(target):
    def change(root):
        file = the_ledger(root, target).with_suffix(".csv")
        file.write_bytes(digit_changed(file.read_bytes(), b"stream,"))

    return change


OF_A_RUN = {
    "a digit of a run's figure": (digit(f"run/{RUN_FILE}", b'"balanced_accuracy": '), "changed since it was written"),
    "and its seal": (
        lambda root: sealed_again(root / "run" / RUN_FILE, lambda v: v["validation"].update(balanced_accuracy=0.123)),
        r"run.json, validation: balanced_accuracy is 0.123, the stored predictions give",
    ),
    "a threshold, and its seal": (
        lambda root: sealed_again(root / "run" / RUN_FILE, lambda v: v["thresholds"].__setitem__(0, -50.0)),
        "stored decisions are not those of logits and thresholds",
    ),
    "a weight": (weights_of_the_run, "weights.safetensors: damaged"),
    "a validation prediction": (digit(f"run/{VALIDATION_FILE}", b""), f"{VALIDATION_FILE}: does not have the sha256"),
    "a test prediction of a run": (in_predictions("run"), "does not have the sha256 of its ledger"),
    "an interval of a run": (in_ledger("run"), r"intervals.windows.auroc.any\[0\] is"),
    "a reading": (lambda root: (root / "run" / READINGS_FILE).write_text(""), "no line of .* records its reading"),
}
OF_A_BUNDLE = {
    "a byte of a model": (bytes_of_a_model, "does not have the sha256 of the manifest"),
    "a field of the manifest": (digit(f"bundle/{MANIFEST_FILE}", b'"parameters": '), "does not have its sha256"),
    "a figure of the manifest, and its seal": (
        lambda root: manifest_again(
            root, lambda m: replace(m, validation=m.validation | {"windows": m.validation["windows"] + 1})
        ),
        "windows where the manifest has",
    ),
    "a score of the manifest, and its seal": (
        lambda root: manifest_again(
            root, lambda m: replace(m, validation=m.validation | {"float": m.validation["float"] | {"sp": 0.25}})
        ),
        "validation: float.sp is 0.25, the stored predictions give",
    ),
    "a verdict, and its seal": (
        lambda root: manifest_again(root, lambda m: replace(m, gate=m.gate | {"patients": 1234})),
        "gate: patients is 1234",
    ),
    "a prediction of the bundle, and its seals": (prediction_of_the_bundle, "the stored predictions give"),
    "a test prediction of a bundle": (in_predictions("bundle"), "does not have the sha256 of its ledger"),
    "an interval of a bundle": (in_ledger("bundle"), r"intervals.windows.auroc.any\[0\] is"),
}


@pytest.mark.parametrize(
    ("target", "name"), [("run", name) for name in OF_A_RUN] + [("bundle", name) for name in OF_A_BUNDLE]
)
def test_one_change_is_one_sentence(auscult, copy, target, name):
    change, sentence = (OF_A_RUN | OF_A_BUNDLE)[name]
    change(copy)
    code, said, complaint = auscult("verify", copy / target)
    assert (code, said) == (1, "")
    assert len(complaint.strip().splitlines()) == 1
    assert re.search(sentence, complaint), complaint


def test_what_is_of_before_is_verified_as_far_as_it_goes(auscult, copy):
    (copy / "run" / VALIDATION_FILE).unlink()
    sealed_again(copy / "run" / RUN_FILE, lambda values: values.pop("validation_sha256"))
    (copy / "bundle" / PREDICTIONS_FILE).unlink()
    manifest_again(
        copy,
        lambda m: replace(m, files={n: f for n, f in m.files.items() if n != PREDICTIONS_FILE}, gate=None, flips=None),
    )
    for target in ("run", "bundle"):
        code, said, _ = auscult("verify", copy / target)
        assert code == 0
        assert "not carried: no predictions of" in said


def test_what_is_neither_is_refused(auscult, tmp_path):
    code, _, complaint = auscult("verify", tmp_path)
    assert code == 1
    assert "neither a run" in complaint


@pytest.mark.parametrize(
    ("stored", "derived", "place"),
    [
        ({"a": [1.0, None]}, {"a": [1.0 + 1e-13, None]}, None),
        ({"a": {"b": 1.0}}, {"a": {"b": 1.001}}, "a.b"),
        ({"a": [1, 2]}, {"a": [1, 3]}, "a[1]"),
        ({"a": None}, {"a": 0.0}, "a"),
        ({"a": 1}, {}, "a"),
        ({}, {"b": 1}, "b"),
        ([1], [1, 2], "it"),
        ({"a": True}, {"a": 1}, "a"),
        ({"a": "x"}, {"a": "x"}, None),
    ],
)
def test_the_first_difference_is_named(stored, derived, place):
    found = first_difference(loads(json.dumps({"": stored}))[""], derived)
    assert (found and found[0]) == place
