"""Log-mel front ends against the numbers of the published ones: every case that the fixtures list."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import scipy.fft
import scipy.signal
import torch
from safetensors.numpy import load_file

from lungsound.logmel import SPECS, LogMelSpec, analysis_window, log_mel, mel_power, normalise
from lungsound.mel_bands import mel_filters
from lungsound.networks.logmel import LogMel

FIXTURES = Path(os.environ.get("AUSCULT_SHARED", Path(__file__).parents[3] / "shared")) / "reference" / "fixtures"


def cases(system):
    listed = FIXTURES / system / "fixture.json"
    found = json.loads(listed.read_text())["cases"] if listed.is_file() else []
    return [pytest.param(case, id=case["name"]) for case in found]


def m2d_spec(meta):
    constants = {key: meta[key] for key in ("sample_rate", "n_fft", "hop", "n_mels")}
    band = {"f_min": float(meta["fmin"]), "f_max": float(meta["fmax"]), "mel_scale": "slaney", "area_norm": True}
    return LogMelSpec(**constants, **band, window=meta["win_length"], log="ln", floor=2.0**-23, padding="reflect")


def panns_spec(meta, n_mels):
    band = (n_mels, float(meta["fmin"]), float(meta["fmax"]), "slaney", True)
    return LogMelSpec(meta["sr"], meta["n"], meta["hop"], meta["n"], *band, "db", 1e-10, "reflect")


def scl_spec(meta, samples):
    band = (meta["mels"], 50.0, float(meta["fmax"]), "htk", False)
    return LogMelSpec(
        round(samples / meta["sec"]), meta["n"], meta["hop"], meta["n"], *band, "db", 1e-10, "reflect"
    ).with_statistics(meta["mean"], meta["std"])


def efficientat_spec(meta):
    constants = (meta["sr"], meta["win_length"], meta["hopsize"], meta["n_fft"], meta["n_mels"])
    band = (float(meta["fmin"]), float(meta["fmax"]), "kaldi", False)
    mean, std = -meta["shift"], meta["scale"]
    return LogMelSpec(*constants, *band, "ln", meta["log_offset"], "reflect", mean, std, 0.97, "symmetric")


def with_numpy(spec, wave):
    return mel_power(spec, wave), log_mel(spec, wave)


def with_torch(spec, wave):
    module = LogMel(spec)
    wave = torch.from_numpy(wave)
    return module.mel_power(wave).numpy(), module(wave).numpy()


both_front_ends = pytest.mark.parametrize("front_end", [with_numpy, with_torch])


def assert_same_power(ours, theirs, explained=0.0):
    assert (np.abs(ours - theirs) <= 1e-4 * theirs + 1e-7 * theirs.max() + explained).all()


def power_of_bins(spec, wave):
    """The spectrum under the filters, from SciPy's transform of torch's frames."""
    half = spec.n_fft // 2
    padded = torch.nn.functional.pad(torch.from_numpy(wave).double(), (half, half), mode="reflect")
    frames = padded.unfold(-1, spec.n_fft, spec.hop).numpy()
    return np.abs(scipy.fft.rfft(frames * scipy.signal.get_window("hann", spec.n_fft))) ** 2


def test_fixture_folders_are_found(shared):
    assert all(cases(system) for system in ("m2d_logmel", "panns_logmel", "scl_icbhi", "efficientat_mel")), shared


@pytest.mark.parametrize("case", cases("m2d_logmel"))
@both_front_ends
def test_fixture_m2d_logmel(case, front_end):
    tensors = load_file(FIXTURES / "m2d_logmel" / case["file"])
    spec = m2d_spec(case["meta"])
    np.testing.assert_allclose(mel_filters(spec), tensors["weights/mel_basis"], atol=1e-8)
    power, logmel = front_end(spec, tensors["inputs/wave"])
    outputs = {name: value.swapaxes(1, 2) for name, value in tensors.items() if name.startswith("outputs/")}
    assert_same_power(power, outputs["outputs/mel_power"])
    # The reference's float32 transform is felt where the power is near the floor, and only there.
    near_floor = outputs["outputs/mel_power"] < 1e3 * spec.floor
    difference = np.abs(logmel - outputs["outputs/log_mel"]) - case["rtol"] * np.abs(logmel)
    assert (difference <= np.where(near_floor, case["atol"], 1e-4)).all()
    for name in (name for name in outputs if "normalized" in name):
        mean, std = (float(value) for value in name.split("_")[1:])
        np.testing.assert_allclose((logmel - mean) / std, outputs[name], rtol=case["rtol"], atol=case["atol"])


@pytest.mark.parametrize("case", cases("panns_logmel"))
@both_front_ends
def test_fixture_panns_logmel(case, front_end):
    tensors = load_file(FIXTURES / "panns_logmel" / case["file"])
    theirs = tensors["outputs/log_mel"][:, 0]
    spec = panns_spec(case["meta"], theirs.shape[-1])
    np.testing.assert_allclose(mel_filters(spec), tensors["weights/logmel_extractor.melW"].T, atol=1e-8)
    power, logmel = front_end(spec, tensors["inputs/wave"])
    assert_same_power(power, tensors["outputs/mel_power"][:, 0])
    np.testing.assert_allclose(logmel, theirs, rtol=case["rtol"], atol=case["atol"])


@pytest.mark.parametrize("case", cases("scl_icbhi"))
@both_front_ends
def test_fixture_scl_icbhi(case, front_end):
    tensors = load_file(FIXTURES / "scl_icbhi" / case["file"])
    wave = tensors["inputs/wave"][:, 0]
    spec = scl_spec(case["meta"], wave.shape[-1])
    filters = tensors["weights/mel.fb"].T
    np.testing.assert_allclose(mel_filters(spec), filters, atol=1e-5)
    power, logmel = front_end(spec, wave)
    theirs = {name: tensors[f"outputs/{name}"][:, 0].swapaxes(1, 2) for name in ("mel_power", "minmax", "standardised")}
    # torchaudio rounds the band edges to float32: where only the foot of a triangle catches sound, it is felt.
    explained = power_of_bins(spec, wave) @ np.abs(mel_filters(spec) - filters).T
    assert_same_power(power, theirs["mel_power"], explained)
    minmax = (logmel - logmel.min()) / (logmel.max() - logmel.min())
    np.testing.assert_allclose(minmax, theirs["minmax"], rtol=case["rtol"], atol=case["atol"])
    np.testing.assert_allclose(
        (minmax - spec.mean) / spec.std, theirs["standardised"], rtol=case["rtol"], atol=case["atol"]
    )


@pytest.mark.parametrize("case", cases("efficientat_mel"))
@both_front_ends
def test_fixture_efficientat_logmel(case, front_end):
    tensors = load_file(FIXTURES / "efficientat_mel" / case["file"])
    spec = efficientat_spec(case["meta"])
    _, logmel = front_end(spec, tensors["inputs/wave"])
    got = normalise(spec, logmel).swapaxes(1, 2)
    np.testing.assert_allclose(got, tensors["outputs/log_mel"], rtol=case["rtol"], atol=case["atol"])
    if "outputs/filterbank" in tensors:
        assert spec == SPECS["efficientat_32k"].with_statistics(-4.5, 5.0)
        left = (spec.n_fft - spec.window) // 2
        np.testing.assert_allclose(mel_filters(spec)[:, :-1], tensors["outputs/filterbank"], atol=2e-5)
        np.testing.assert_allclose(analysis_window(spec)[left:-left], tensors["outputs/window"], atol=1e-6)
