"""Replaying golden vectors: what passes, and what must not."""

import importlib.util
import sys
from dataclasses import replace

import numpy as np
import pytest
from tiny_bundle import tiny_bundle

from export.bundle.manifest import GOLDEN_FILE, MANIFEST_FILE, TFLITE_FILE
from export.bundle.opening import Bundle
from export.check import FLOAT_TOLERANCE, INT8_TOLERANCE, check
from lungsound.errors import InputError


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory)


def forged(bundle: Bundle, folder, **arrays: object) -> Bundle:
    """The bundle with other golden vectors and right hashes; None takes an array away."""
    golden = bundle.golden
    outputs = {name: values for name, values in (golden.outputs | arrays).items() if values is not None}
    pcm, codes = (outputs.pop(name, getattr(golden, name)) for name in ("pcm", "codes"))
    contents = bundle.contents | {GOLDEN_FILE: replace(golden, pcm=pcm, codes=codes, outputs=outputs).to_bytes()}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST_FILE).write_text(bundle.manifest.with_files(contents).to_json())
    return Bundle.open(folder)


def test_a_whole_bundle_passes_on_every_runtime(bundle):
    report = check(Bundle.open(bundle.path))
    assert report["windows"] == 8
    assert report["front_end"] == {"differing_codes": 0}
    assert report["skipped"] == []
    assert report["runtimes"]["litert_xnnpack"] == {"differing_bytes": 0}
    assert report["runtimes"]["litert_reference"] == {"differing_bytes": 0}
    assert report["runtimes"]["onnxruntime_int8"]["tolerance"] == INT8_TOLERANCE
    assert report["runtimes"]["onnxruntime_float"]["largest_difference"] <= FLOAT_TOLERANCE


@pytest.mark.parametrize("name", ["litert_xnnpack", "litert_reference"])
def test_a_single_other_output_byte_fails(bundle, tmp_path, name):
    outputs = bundle.golden.outputs[name].copy()
    outputs[3, 1] ^= 1
    with pytest.raises(InputError, match="gives 1 of 16 other output bytes"):
        check(forged(bundle, tmp_path, **{name: outputs}))


@pytest.mark.parametrize("name", ["onnxruntime_int8", "onnxruntime_float"])
def test_a_logit_beyond_the_tolerance_fails_and_one_within_passes(bundle, tmp_path, name):
    stored = bundle.golden.outputs[name]
    near = int(np.abs(stored).min(axis=1).argmin())
    label = int(np.abs(stored[near]).argmin())
    for off, passes in ((1e-5, True), (1.0, False)):
        outputs = stored.copy()
        outputs[near, label] += off
        checked = forged(bundle, tmp_path, **{name: outputs})
        if passes:
            assert 0 < check(checked)["runtimes"][name]["largest_difference"] < 1e-4
        else:
            with pytest.raises(InputError, match="off a stored probability"):
                check(checked)


def test_logits_that_are_not_finite_fail(bundle, tmp_path):
    outputs = bundle.golden.outputs["onnxruntime_float"].copy()
    outputs[0, 0] = np.nan
    with pytest.raises(InputError, match="off a stored probability"):
        check(forged(bundle, tmp_path, onnxruntime_float=outputs))


def test_a_single_other_code_fails(bundle, tmp_path):
    codes = bundle.golden.codes.copy()
    codes[2, 30, 7] += 1
    with pytest.raises(InputError, match="front end gives 1 of 31232 other codes"):
        check(forged(bundle, tmp_path, codes=codes))


def test_one_other_sample_fails(bundle, tmp_path):
    pcm = bundle.golden.pcm.copy()
    pcm[0, 4000] = 30
    with pytest.raises(InputError, match="other codes than golden"):
        check(forged(bundle, tmp_path, pcm=pcm))


def test_outputs_that_are_missing_fail(bundle, tmp_path):
    with pytest.raises(InputError, match="lacks the outputs of litert_xnnpack"):
        check(forged(bundle, tmp_path, litert_xnnpack=None))


def test_a_runtime_that_is_not_installed_is_skipped_by_name(bundle, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr("export.bundle.runtimes.find_spec", lambda name: None if name == "onnxruntime" else find(name))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    report = check(bundle)
    assert report["skipped"] == ["onnxruntime_int8", "onnxruntime_float"]
    assert set(report["runtimes"]) == {"litert_xnnpack", "litert_reference"}


def test_no_runtime_at_all_is_a_sentence(bundle, monkeypatch):
    monkeypatch.setattr("export.bundle.runtimes.find_spec", lambda name: None)
    with pytest.raises(InputError, match="is installed"):
        check(bundle)


def test_a_cut_model_with_right_hashes_fails(bundle, tmp_path):
    model = bundle.contents[TFLITE_FILE]
    contents = bundle.contents | {TFLITE_FILE: model[: len(model) // 2]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / MANIFEST_FILE).write_text(bundle.manifest.with_files(contents).to_json())
    with pytest.raises(InputError, match=r"model_int8\.tflite: not a model that LiteRT runs"):
        check(Bundle.open(tmp_path))
