"""When a bundle's model says "listen again": calibrated on validation windows, and kept in the manifest."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tiny_bundle import sound, tiny_bundle, trained

from export.abstention import MODEL, abstention_for
from export.bundle.manifest import Manifest
from lungsound.errors import InputError
from lungsound.files.seal import UNSEALED, sealed
from lungsound.quality.abstention import listen_again


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory)


@pytest.fixture(scope="module")
def calibrated(bundle):
    """A calibration on made-up windows whose logits say the truth, more or less."""
    manifest = bundle.manifest
    validation = sound(manifest.listening, range(40, 60))
    random = np.random.default_rng(0)
    logits = 40 * manifest.output.scale * random.normal(2 * validation.labels - 1, 1)
    found = abstention_for(
        0.3, manifest.listening, manifest.output, manifest.threshold_codes, {MODEL: logits}, validation
    )
    return found, validation, logits


def test_no_more_recordings_are_left_than_may_be(bundle, calibrated):
    found, validation, logits = calibrated
    codes = bundle.manifest.output.quantize(logits)
    reasons = found.reasons(validation.pcm, bundle.manifest.listening.logmel.sample_rate, codes)
    left = listen_again(reasons, validation.windows["recording"].tolist())
    assert np.mean(list(left.values())) == found.listen_again
    assert found.listen_again <= 0.3 or found.certain.absent_below == found.certain.present_from
    assert (found.recordings, found.patients) == (20, 20)


def test_it_stands_in_the_manifest(bundle, calibrated):
    manifest = replace(bundle.manifest, abstention=calibrated[0])
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert "abstention" not in json.loads(bundle.manifest.to_json())


@pytest.mark.parametrize(
    "wrong",
    [
        {"certain": {"absent_below": [1, 1, 1], "present_from": [1, 1, 1]}},
        {"certain": {"absent_below": [127, 127], "present_from": [128, 128]}},
        {"missed": [0.5]},
        {"false": [2.0, 0.1]},
        {"listen_again": "often"},
        {"signal": {}},
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(bundle, calibrated, wrong):
    values = json.loads(replace(bundle.manifest, abstention=calibrated[0]).to_json())
    values |= {"abstention": values["abstention"] | wrong, "sha256": UNSEALED}
    with pytest.raises(InputError):
        Manifest.from_json(sealed(json.dumps(values).encode()).decode())


def test_what_cannot_be_calibrated_is_refused(bundle):
    listening, validation = trained()[0].listening, sound(bundle.manifest.listening, range(1))
    with pytest.raises(InputError, match=r"\.tflite"):
        abstention_for(0.05, listening, None, None, {}, validation)
    known = (bundle.manifest.output, bundle.manifest.threshold_codes)
    with pytest.raises(InputError, match="--data"):
        abstention_for(0.05, listening, *known, {}, replace(validation, labels=None))
