"""The window of sound and its way through JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS


@given(st.sampled_from(sorted(SPECS)), st.floats(0.5, 10), st.floats(0.01, 10))
def test_any_hop_becomes_whole_frames(name, seconds, hop):
    spec = SPECS[name]
    listening = Listening.with_whole_hop(spec, seconds, hop)
    assert listening.hop_samples == listening.hop_frames * spec.hop
    assert listening.hop_frames >= 1
    assert (
        abs(listening.hop_seconds - hop)
        <= max(0.5 * spec.hop / spec.sample_rate, spec.hop / spec.sample_rate - hop) + 1e-9
    )


@pytest.mark.parametrize("name", SPECS)
def test_json_gives_back_the_same(name):
    listening = Listening.with_whole_hop(SPECS[name].with_statistics(-7.1, 4.2), 4.0, 2.0)
    assert Listening.from_dict(json.loads(json.dumps(listening.to_dict()))) == listening


def test_device_windows_have_the_frames_that_lie_inside():
    listening = Listening.with_whole_hop(SPECS["device_4k"], 4.0, 2.0)
    assert (listening.samples, listening.frames, listening.hop_frames) == (16000, 124, 62)


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": "long"},
        {"seconds": -1.0},
        {"hop_seconds": 0.0301},
        {"labels": None},
        {"logmel": {}},
        {"logmel": None},
    ],
)
def test_damaged_values_are_refused(change):
    good = Listening.with_whole_hop(SPECS["device_4k"], 4.0, 2.0).to_dict()
    with pytest.raises(InputError):
        Listening.from_dict(good | change)


@pytest.mark.parametrize(
    "change",
    [{"hop": 0}, {"window": 300}, {"f_max": 2001.0}, {"mel_scale": "bark"}, {"std": 0.0}, {"mean": float("nan")}],
)
def test_impossible_specifications_are_refused(change):
    with pytest.raises(InputError):
        type(SPECS["m2d"]).from_dict(SPECS["device_4k"].to_dict() | change)


@pytest.mark.parametrize(
    "label",
    [
        *('a"}\n#error x', "", "x" * 41, "back\\slash", "it's", "Giemen ä", "tab\t"),
        *("\x1b[31m", "null\0", 'quo"te', "what??/", "*/"),
    ],
)
def test_a_label_that_is_no_plain_text_is_refused(label):
    good = Listening.with_whole_hop(SPECS["device_4k"], 4.0, 2.0).to_dict()
    with pytest.raises(InputError) as refused:
        Listening.from_dict(good | {"labels": ["crackle", label]})
    assert f"label {label[:40]!r}: must be 1 to 40 printable ASCII" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_plain_labels_stay():
    good = Listening.with_whole_hop(SPECS["device_4k"], 4.0, 2.0).to_dict()
    labels = ("fine crackle", "wheeze/rhonchus (low)", "x" * 40, "S3")
    assert Listening.from_dict(good | {"labels": list(labels)}).labels == labels
