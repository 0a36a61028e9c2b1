"""A bundle: what is in it, and that a changed byte, a missing file or a full disk is a sentence."""

import errno
import os
import resource
import shutil
from copy import deepcopy as copy_of
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_bundle import LABELS_OF_GOLDEN, sound, tiny_bundle, trained

from export import making
from export.bundle.manifest import (
    CARD_FILE,
    FILES,
    GOLDEN_FILE,
    MANIFEST_FILE,
    ONNX_FLOAT_FILE,
    ONNX_INT8_FILE,
    TFLITE_FILE,
)
from export.bundle.opening import Bundle, Int8Format
from export.check import check
from export.making import Origin, write_bundle
from export.onnx.models import onnx_float
from lungsound.errors import InputError
from lungsound.front_end import decide


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory)


@pytest.fixture
def copy(bundle, tmp_path):
    return Path(shutil.copytree(bundle.path, tmp_path / "bundle"))


@pytest.fixture
def quick(bundle, monkeypatch):
    """`write_bundle` into a folder, without making the models again."""
    monkeypatch.setattr(making, "build_models", lambda *_: _models(bundle))
    run, student, features = trained()

    def write(folder: Path, **changes: object) -> Bundle:
        arguments = {"origin": Origin.of_run(run), "validation": sound(run.listening, range(20, 22))} | changes
        return write_bundle(folder, network=student, calibration=features, **arguments)

    return write


def _models(bundle: Bundle) -> dict[str, bytes]:
    return {name: bundle.contents[name] for name in (ONNX_FLOAT_FILE, TFLITE_FILE, ONNX_INT8_FILE)}


def test_it_holds_what_the_manifest_lists(bundle):
    assert sorted(path.name for path in bundle.path.iterdir()) == sorted((*FILES, MANIFEST_FILE))
    assert set(bundle.manifest.files) == set(FILES)
    for name, facts in bundle.manifest.files.items():
        assert facts.size == (bundle.path / name).stat().st_size
    assert (bundle.path.stat().st_mode & 0o777) == 0o755


def test_the_manifest_tells_of_the_run(bundle):
    run, student, features = trained()
    manifest = bundle.manifest
    assert manifest.listening == run.listening
    assert manifest.thresholds == run.thresholds
    assert manifest.parameters == sum(parameter.numel() for parameter in student.parameters())
    assert manifest.ranges == {"method": "minimum and maximum", "windows": len(features)}
    assert manifest.teacher["licence"] == "Apache-2.0"
    assert manifest.synthetic
    assert manifest.student == run.model


def test_nothing_of_this_machine_is_in_it(bundle):
    for name in (MANIFEST_FILE, CARD_FILE):
        assert "/home/somebody" not in (bundle.path / name).read_text()
    assert bundle.manifest.data == ("synthetic",)


def test_the_card_names_corpus_split_licence_and_calls_synthetic_what_is(bundle):
    card = (bundle.path / CARD_FILE).read_text()
    for said in ("synthetic", "`official`", "Apache-2.0", "not a medical device", "no diagnosis", "XNNPACK", "4000 Hz"):
        assert said in card
    assert f"output code >= {bundle.manifest.threshold_codes[0]}" in card
    assert f"{bundle.manifest.validation['int8']['litert_xnnpack']['score']:.3f}" in card


def test_the_student_learned_and_int8_decides_the_same(bundle):
    """Torch on the log-mel, .tflite on the codes: the same decisions, both labels given and withheld."""
    golden, manifest = bundle.golden, bundle.manifest
    _, student, _ = trained()
    with torch.inference_mode():
        values = manifest.input.dequantize(golden.codes).astype(np.float32)
        logits = student(torch.from_numpy(values)[:, None]).numpy()
    expected = (logits >= manifest.thresholds).astype(int)
    for name in ("litert_xnnpack", "litert_reference"):
        np.testing.assert_array_equal(decide(golden.outputs[name], manifest.threshold_codes), expected)
    assert (expected == LABELS_OF_GOLDEN).mean() > 0.6
    assert set(expected.ravel().tolist()) == {0, 1}


def test_the_figures_of_the_manifest_are_those_of_the_models(bundle):
    manifest = bundle.manifest
    found = manifest.validation
    assert found["windows"] == 32
    for scores in (found["float"], *found["int8"].values()):
        assert 0 <= scores["sp"] <= 1
        assert scores["n"] == 32
    assert set(found["int8"]) == {"litert_xnnpack", "onnxruntime_int8"}
    assert found["int8"]["litert_xnnpack"]["differing_decisions"] <= 0.05


@pytest.mark.parametrize("name", [*FILES, MANIFEST_FILE])
@pytest.mark.parametrize("place", [0.0, 0.37, 0.9999])
def test_one_changed_byte_is_noticed(copy, name, place):
    file = copy / name
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= 0x10
    file.write_bytes(content)
    with pytest.raises(InputError, match=name) as refused:
        Bundle.open(copy)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", [*FILES, MANIFEST_FILE])
def test_one_flipped_bit_is_noticed_wherever_it_is(copy, name):
    file, rng = copy / name, np.random.default_rng(FILES.index(name) if name in FILES else 9)
    content = file.read_bytes()
    for place in rng.integers(8 * len(content), size=40).tolist():
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        file.write_bytes(changed)
        with pytest.raises(InputError, match=name):
            Bundle.open(copy)


@pytest.mark.parametrize("name", [*FILES, MANIFEST_FILE])
def test_a_cut_file_is_noticed(copy, name):
    os.truncate(copy / name, (copy / name).stat().st_size * 2 // 3)
    with pytest.raises(InputError, match=name):
        Bundle.open(copy)


@pytest.mark.parametrize("name", [*FILES, MANIFEST_FILE])
def test_a_missing_file_is_noticed(copy, name):
    (copy / name).unlink()
    with pytest.raises(InputError, match=f"{name}.* missing"):
        Bundle.open(copy)


@pytest.mark.parametrize("name", [GOLDEN_FILE, MANIFEST_FILE])
def test_a_folder_or_a_pipe_in_place_of_a_file_is_refused(copy, name):
    (copy / name).unlink()
    os.mkfifo(copy / name)
    with pytest.raises(InputError, match="missing"):
        Bundle.open(copy)


def test_a_manifest_that_is_no_text_or_far_too_long_is_refused(copy):
    (copy / MANIFEST_FILE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=MANIFEST_FILE):
        Bundle.open(copy)
    (copy / MANIFEST_FILE).write_bytes(b" " * 2_000_000)
    with pytest.raises(InputError, match="larger than any manifest"):
        Bundle.open(copy)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="no bundle here"):
            Bundle.open(path)


def test_writing_again_replaces_the_bundle(quick, bundle, tmp_path):
    folder = tmp_path / "bundle"
    quick(folder)
    (folder / CARD_FILE).write_text("old")
    again = quick(folder)
    assert (folder / CARD_FILE).read_text() != "old"
    assert again.contents[TFLITE_FILE] == bundle.contents[TFLITE_FILE]
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_an_empty_folder_may_be_taken(quick, tmp_path):
    (tmp_path / "bundle").mkdir()
    assert check(quick(tmp_path / "bundle"))["runtimes"]


@pytest.mark.parametrize("kind", ["file", "folder", "folder with a bundle"])
def test_anything_else_is_never_replaced(quick, tmp_path, kind):
    target = tmp_path / "thesis"
    mine = target if kind == "file" else target / "chapter.tex"
    if kind == "folder with a bundle":
        quick(target)
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("years of work")
    with pytest.raises(InputError, match=r"is a file|holds chapter\.tex"):
        quick(target)
    assert "years of work" in mine.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]


@pytest.mark.parametrize("name", [TFLITE_FILE, GOLDEN_FILE, CARD_FILE])
def test_a_full_disk_leaves_nothing(quick, tmp_path, monkeypatch, name):
    write = Path.write_bytes

    def fill_up(path: Path, content: bytes) -> int:
        if path.name == name:
            write(path, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", fill_up)
    with pytest.raises(InputError, match="the disk is full"):
        quick(tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_the_older_bundle(quick, bundle, copy, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "write_text", _no_space)
    with pytest.raises(InputError, match="the disk is full"):
        quick(copy)
    monkeypatch.undo()
    assert Bundle.open(copy).manifest == bundle.manifest
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def _no_space(*_: object, **__: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_size_limit_leaves_nothing(quick, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))
    try:
        with pytest.raises((OSError, InputError)):
            quick(tmp_path / "bundle")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_int8_that_decides_otherwise_is_not_written(quick, bundle, tmp_path, monkeypatch):
    run, student, _ = trained()
    other = copy_of(student)
    with torch.no_grad():
        other.head.score.weight.neg_()
    models = _models(bundle) | {ONNX_FLOAT_FILE: onnx_float(other, run.listening).SerializeToString()}
    monkeypatch.setattr(making, "build_models", lambda *_: models)
    with pytest.raises(InputError, match="decides otherwise than float"):
        quick(tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_no_format_is_refused(quick, tmp_path):
    with pytest.raises(InputError, match="no int8 format"):
        quick(tmp_path / "bundle", formats=())


@pytest.mark.parametrize("kept", [Int8Format.TFLITE, Int8Format.ONNX])
def test_one_format_alone_makes_a_whole_bundle(quick, bundle, tmp_path, monkeypatch, kept):
    dropped = ONNX_INT8_FILE if kept is Int8Format.TFLITE else TFLITE_FILE
    models = {name: content for name, content in _models(bundle).items() if name != dropped}
    monkeypatch.setattr(making, "build_models", lambda *_: models)
    made = quick(tmp_path / "bundle", formats=(kept,))
    assert dropped not in made.contents
    assert check(made)["front_end"]["differing_codes"] == 0
    assert (made.manifest.output is None) == (kept is Int8Format.ONNX)
    with pytest.raises(InputError, match=f"holds no {dropped}"):
        made.load("litert_xnnpack" if dropped == TFLITE_FILE else "onnxruntime_int8")


@pytest.mark.slow
@pytest.mark.parametrize("percentile", [None, 99.9])
def test_models_are_built_from_a_student_as_asked(percentile):
    run, student, features = trained()
    every = making.build_models(student, run.listening, features, tuple(Int8Format), percentile)
    assert set(every) == {ONNX_FLOAT_FILE, TFLITE_FILE, ONNX_INT8_FILE}
    alone = making.build_models(student, run.listening, features, (Int8Format.TFLITE,), percentile)
    assert set(alone) == {ONNX_FLOAT_FILE, TFLITE_FILE}
    assert alone[TFLITE_FILE] == every[TFLITE_FILE]
