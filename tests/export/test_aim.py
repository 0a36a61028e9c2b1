"""Thresholds that export chooses anew for an aim."""

import numpy as np
import pytest
from tiny_bundle import sound, tiny_bundle, trained

from export.bundle.manifest import ONNX_FLOAT_FILE, ONNX_INT8_FILE, TFLITE_FILE
from export.making import Origin, write_bundle


@pytest.fixture
def exported(tmp_path_factory, tmp_path, monkeypatch):
    """A bundle of the tiny student with thresholds for an aim."""
    models = tiny_bundle(tmp_path_factory).contents
    models = {name: models[name] for name in (ONNX_FLOAT_FILE, TFLITE_FILE, ONNX_INT8_FILE)}
    monkeypatch.setattr("export.making.build_models", lambda *_: dict(models))
    run, student, features = trained()

    def export(aim: str | None):
        origin, heard = Origin.of_run(run, aim), sound(run.listening, range(20, 24))
        return write_bundle(tmp_path / "bundle", origin, student, features, heard)

    return export


def test_they_reach_the_aim_and_the_bundle_tells_it(exported):
    manifest = exported("sensitivity=1").manifest
    sensitivity = manifest.validation["float"]["sensitivity"]
    assert [sensitivity[label] for label in manifest.listening.labels] == [1.0, 1.0]
    assert manifest.aim == "sensitivity=1"
    assert (manifest.output.dequantize(np.asarray(manifest.threshold_codes)) >= manifest.thresholds).all()


def test_without_one_they_are_those_of_the_training(exported):
    bundle = exported(None)
    assert bundle.manifest.thresholds == trained()[0].thresholds
    assert bundle.manifest.aim is None
    assert "were chosen for" not in (bundle.path / "README.md").read_text()
