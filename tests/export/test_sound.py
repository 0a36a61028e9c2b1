"""Bundles of students that hear sound: float ONNX from the samples on, and nothing that would pretend more."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from tiny_bundle import sound, trained

from export.bundle.golden import golden_pcm
from export.bundle.manifest import GOLDEN_FILE, ONNX_FLOAT_FILE, LearntFrontEnd, Manifest
from export.bundle.opening import Bundle
from export.check import check
from export.making import Origin
from export.onnx.models import onnx_float
from export.onnx.runtime import OnnxRuntime
from export.sound import learnt_front_end, write_sound_bundle
from firmware_bridge.plan.model import Model
from lungsound.audio import to_float
from lungsound.errors import InputError
from lungsound.networks.leaf_config import LeafConfig
from students.student import Student, StudentConfig

FRONT_END = LeafConfig("logtbn", 16, 2, 50.0, 2000.0, 4000, 256, 128)


def student_behind(front_end: LeafConfig) -> Student:
    """A small student; its weights and batch statistics are drawn."""
    torch.manual_seed(0)
    student = Student(StudentConfig(width=1 / 16, heads=1, front_end=front_end))
    with torch.no_grad():
        student.train()(0.1 * torch.randn(4, 8000))
        for parameter in student.front_end.parameters():
            parameter.mul_(1 + 0.05 * torch.rand_like(parameter))
    return student.eval()


@pytest.fixture(scope="module")
def hearer() -> Student:
    return student_behind(FRONT_END)


@pytest.fixture(scope="module")
def bundle(hearer, tmp_path_factory) -> Bundle:
    run = replace(trained()[0], model=hearer.config.to_dict())
    folder = tmp_path_factory.mktemp("hearer") / "bundle"
    return write_sound_bundle(folder, Origin.of_run(run), hearer, sound(run.listening, range(3, 5)))


def test_it_holds_what_an_onnx_runtime_needs_and_no_more(bundle, hearer):
    manifest = Bundle.open(bundle.path).manifest
    assert sorted(manifest.files) == ["README.md", "golden.npz", "model_float.onnx", "validation.csv.gz"]
    assert (manifest.input, manifest.output, manifest.threshold_codes) == (None, None, None)
    assert manifest.front_end == LearntFrontEnd("leaf-logtbn", hearer.front_end.multiply_accumulates())
    assert manifest.parameters == sum(parameter.numel() for parameter in hearer.parameters())
    assert manifest.validation["windows"] == 16
    assert manifest.validation["float"]["n"] == 16
    assert 0 <= manifest.validation["onnx_error"] < 1e-3
    assert StudentConfig.from_dict(manifest.student) == hearer.config
    assert bundle.golden.codes is None


def test_its_golden_outputs_are_those_of_torch(bundle, hearer):
    with torch.inference_mode():
        due = hearer(torch.from_numpy(to_float(golden_pcm(bundle.manifest.listening)))).numpy()
    np.testing.assert_allclose(bundle.golden.outputs["onnxruntime_float"], due, rtol=1e-3, atol=1e-3)
    found = check(bundle)
    assert found["front_end"] is None
    assert found["runtimes"]["onnxruntime_float"]["largest_difference"] == 0


def test_its_card_tells_sound_and_cost(bundle, hearer):
    card = (bundle.path / "README.md").read_text()
    cost = hearer.front_end.multiply_accumulates() / 1e6
    assert f"leaf-logtbn (EfficientLEAF) costs {cost:.1f} M multiply-accumulates a second of sound" in card
    assert "`sound` is float32 [1, 8000]" in card
    for absent in ("Log-mel:", "Int8 ranges", "XNNPACK", "None"):
        assert absent not in card


def test_firmware_refuses_it_with_its_cost(bundle, hearer):
    cost = hearer.front_end.multiply_accumulates() / 1e6
    with pytest.raises(
        InputError, match=f"costs {cost:.1f} M multiply-accumulates a second of sound .* --front-end log"
    ):
        Model.open(bundle.path)


def test_pcen_gives_in_onnx_what_it_gives_in_torch():
    student = student_behind(replace(FRONT_END, compression="pcen"))
    listening = trained()[0].listening
    runtime = OnnxRuntime(onnx_float(student.deployed(), listening, sound=True).SerializeToString())
    pcm = golden_pcm(listening, 7)
    with torch.inference_mode():
        due = student(torch.from_numpy(to_float(pcm))).numpy()
    np.testing.assert_allclose(runtime.run(to_float(pcm)), due, rtol=1e-3, atol=1e-3)
    assert student.front_end.filterbank.center_freqs.requires_grad, "the student itself stays as it was"


def test_another_answer_than_torch_is_refused(bundle, tmp_path, monkeypatch):
    run, other = trained()[0], student_behind(replace(FRONT_END, max_freq=400.0))
    monkeypatch.setattr(
        "export.sound.onnx_float", lambda *_, **__: onnx.load_from_string(bundle.contents[ONNX_FLOAT_FILE])
    )
    with pytest.raises(InputError, match="off a probability of torch"):
        write_sound_bundle(tmp_path / "bundle", Origin.of_run(run), other, sound(run.listening, range(3, 4)))
    assert not list(tmp_path.iterdir())


def test_a_manifest_does_not_mix_sound_and_codes(bundle):
    text = json.dumps(json.loads(bundle.manifest.to_json()) | {"front_end": None})
    with pytest.raises(InputError):
        Manifest.from_json(text)
    mixed = replace(
        bundle.manifest, files=bundle.manifest.files | {"model_int8.onnx": bundle.manifest.files[GOLDEN_FILE]}
    )
    with pytest.raises(InputError, match="front_end goes with a float model alone"):
        Manifest.from_json(mixed.to_json())
    good = {"name": "leaf-pcen", "multiply_accumulates": 5}
    assert Manifest.from_json(replace(bundle.manifest, front_end=good).to_json()).front_end == LearntFrontEnd(**good)
    for wrong in ({"name": "logmel"}, {"name": 3}, {"multiply_accumulates": 10**400}, {"multiply_accumulates": 0}):
        with pytest.raises(InputError):
            Manifest.from_json(replace(bundle.manifest, front_end=good | wrong).to_json())


def test_codes_in_its_golden_vectors_are_refused(bundle):
    golden = replace(bundle.golden, codes=np.zeros((8, 61, 64), np.int8))
    with pytest.raises(InputError, match="codes of a network that hears sound"):
        type(golden).from_bytes(golden.to_bytes(), bundle.manifest)


def test_the_cost_is_that_of_what_was_learnt(hearer):
    assert learnt_front_end(hearer).multiply_accumulates != Student(hearer.config).front_end.multiply_accumulates()
