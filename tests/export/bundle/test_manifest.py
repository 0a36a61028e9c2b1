"""The manifest: its way through JSON, its arithmetic, and everything it must refuse."""

import hashlib
import json
import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.bundle.manifest import FILES, GOLDEN_FILE, TFLITE_FILE, FileFacts, Manifest
from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from lungsound.quantization import Quantization

MANIFEST = Manifest(
    listening=Listening.with_whole_hop(SPECS["device_4k"].with_statistics(-9.1, 3.2), 4.0, 2.0),
    thresholds=(0.31, -1.2),
    threshold_codes=(13, -2),
    input=Quantization(0.05, -43),
    output=Quantization(0.1, 9),
    student={"trunk": "cnn6", "width": 0.25},
    parameters=271234,
    data=("sprsound",),
    synthetic=False,
    protocols=("cycles", "stream"),
    split={"name": "official", "hash": "ab" * 32},
    teacher={"name": "m2dx", "licence": "non-commercial", "paper": "Niizumi 2025"},
    ranges={"method": "minimum and maximum", "windows": 256},
    seed=3,
    versions={"numpy": "2.4.6"},
    validation={"windows": 7, "float": {"score": 0.7, "auroc": None}},
    files={TFLITE_FILE: FileFacts(3, "00" * 32), GOLDEN_FILE: FileFacts(4, "11" * 32)},
)
quantizations = st.builds(Quantization, st.floats(1e-6, 1e3), st.integers(-128, 127))


def sealed(values: dict) -> str:
    """The text of a manifest somebody forged, with a right hash."""
    text = json.dumps(values | {"sha256": "0" * 64})
    return text.replace("0" * 64, hashlib.sha256(text.encode()).hexdigest(), 1)


def values_of(manifest: Manifest = MANIFEST) -> dict:
    return json.loads(manifest.to_json())


def changed(path: str, value: object) -> dict:
    """The manifest's values with one of them replaced, or removed if `value` is Ellipsis."""
    values = values_of()
    *parents, last = path.split(".")
    place = values
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return values


def test_json_gives_back_the_same():
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST
    assert Manifest.from_json(sealed(values_of())) == MANIFEST


def test_a_bundle_without_tflite_has_no_output_codes():
    onnx_alone = replace(MANIFEST, output=None, threshold_codes=None, files={GOLDEN_FILE: FileFacts(4, "11" * 32)})
    assert Manifest.from_json(onnx_alone.to_json()) == onnx_alone


@given(st.data())
def test_any_changed_character_is_noticed(data):
    text = MANIFEST.to_json()
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda character: character != text[place]))
    with pytest.raises(InputError):
        Manifest.from_json(text[:place] + other + text[place + 1 :])


@given(st.integers(0, 3000))
def test_any_cut_is_noticed(length):
    text = MANIFEST.to_json()
    with pytest.raises(InputError):
        Manifest.from_json(text[: min(length, len(text) - 1)])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_other_json_is_refused_in_a_sentence(value):
    text = json.dumps(value) if not isinstance(value, dict) else sealed(value)
    with pytest.raises(InputError):
        Manifest.from_json(text)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\x00", '{"format": NaN}', '{"format": 1' + "0" * 5000 + "}"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(InputError):
        Manifest.from_json(text)


@pytest.mark.parametrize("name", sorted(values_of()))
def test_every_value_is_needed(name):
    with pytest.raises(InputError):
        Manifest.from_json(sealed(changed(name, ...)))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("format", 2, "format 2 where this version reads 1"),
        ("format", "1" * 99, "format 1"),
        ("thresholds", [0.31], "1 values for 2 labels"),
        ("thresholds", [0.31, "high"], "must hold float alone"),
        ("thresholds", {"crackle": 1}, "must be list"),
        ("threshold_codes", [13, -2.5], "must hold int alone"),
        ("threshold_codes", [13, -1], "not the codes of thresholds"),
        ("threshold_codes", None, "go together"),
        ("output", None, "go together"),
        ("input.scale", 0.0, "scale must be positive"),
        ("input.scale", -1, "scale must be positive"),
        ("input.zero_point", 128, "zero point an int8"),
        ("input.zero_point", True, "must be int"),
        ("listening.seconds", 1e300, "absurdly many"),
        ("listening.seconds", 3600.0, "absurdly many"),
        ("listening.logmel.hop", 0, "must be positive"),
        ("listening.logmel.n_mels", 10**9, "absurdly large"),
        ("listening.logmel.sample_rate", "4000", "sample_rate must be int"),
        ("listening.labels", "crackle", "labels"),
        ("parameters", "many", "must be int"),
        ("synthetic", 1, "must be bool"),
        ("data", ["sprsound", 3], "must hold str alone"),
        ("teacher.licence", ..., "lacks 'licence'"),
        ("split.hash", None, "must be str"),
        ("files", {"../../etc/passwd": {"size": 1, "sha256": ""}}, "names a file '../../etc/passwd'"),
        ("files", {"/etc/passwd": {"size": 1, "sha256": ""}}, "a bundle holds only"),
        ("files", {TFLITE_FILE: {"size": 3, "sha256": "00"}}, f"lacks {GOLDEN_FILE}"),
        ("files", {TFLITE_FILE: 3}, "must be dict"),
        ("files", {TFLITE_FILE: {"size": 3.0, "sha256": ""}}, "must be int"),
        ("files", [], "must be dict"),
    ],
)
def test_a_forged_value_is_refused_in_a_sentence(path, value, said):
    with pytest.raises(InputError, match=said) as refused:
        Manifest.from_json(sealed(changed(path, value)))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
def test_numbers_that_are_none_are_refused(number):
    text = re.sub(r'"seed": 3', f'"seed": {number}', MANIFEST.to_json())
    with pytest.raises(InputError, match="is no number"):
        Manifest.from_json(text)


def test_every_file_of_a_bundle_has_a_plain_name():
    assert all(re.fullmatch(r"[\w.]+", name) for name in FILES)


@given(quantizations, st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=20))
def test_codes_are_the_exactly_rounded_quotient(quantization, values):
    codes = quantization.quantize(np.array(values))
    assert codes.dtype == np.int8
    for value, code in zip(values, codes.tolist(), strict=True):
        exact = Fraction(value / quantization.scale)  # one IEEE division; rounding and sum are exact
        assert code == max(-128, min(127, round(exact) + quantization.zero_point))


@given(quantizations)
def test_every_code_comes_back(quantization):
    codes = np.arange(-128, 128)
    assert quantization.quantize(quantization.dequantize(codes)).tolist() == codes.tolist()


def test_ties_go_to_the_even_code():
    assert Quantization(2.0, 0).quantize(np.array([-3.0, -1.0, 1.0, 3.0, 5.0])).tolist() == [-2, 0, 0, 2, 2]


@given(quantizations, st.floats(-1e4, 1e4))
def test_integer_decisions_are_the_decisions_on_values(quantization, threshold):
    (code,) = quantization.threshold_codes((threshold,))
    for candidate in range(-128, 128):
        assert (candidate >= code) == ((candidate - quantization.zero_point) * quantization.scale >= threshold)
    assert -128 <= code <= 128
