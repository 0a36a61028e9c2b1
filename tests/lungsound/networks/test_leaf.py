"""EfficientLEAF against published numbers and against its formula in float64."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

from lungsound.errors import InputError
from lungsound.logmel import SPECS
from lungsound.networks.leaf import Leaf
from lungsound.networks.leaf_config import LeafConfig, front_end_named, leaf_config

CASES = {"logtbn_default", "logtbn_64_2k_hop512", "logtbn_perturbed", "pcen", "leaf_pcen"}
"""Those that may not be missing; others that the fixture gets must be met, too."""
SMALL = LeafConfig(n_filters=6, num_groups=2, min_freq=80, max_freq=900, sample_rate=2000, window=64, hop=24)


def published(shared):
    folder = shared / "reference" / "fixtures" / "efficientleaf"
    cases = json.loads((folder / "fixture.json").read_text())["cases"]
    assert {case["name"] for case in cases} >= CASES
    for case in cases:
        told = dict(case.get("meta", {}).get("kw", {"num_groups": 1, "compression": "pcen"}))  # plain LEAF's defaults
        rate = told.get("sample_rate", 16000)
        window, hop = (
            round(told.pop(key, ms) * rate / 1000) for key, ms in (("window_len", 25), ("window_stride", 10))
        )
        yield case, Leaf(LeafConfig(**told, window=window, hop=hop)), load_file(folder / case["file"])


def test_every_published_case_is_met(shared):
    for case, leaf, tensors in published(shared):
        weights = {key[8:]: value for key, value in tensors.items() if key.startswith("weights/")}
        for name in [name for name in weights if name.startswith("init/")]:
            torch.testing.assert_close(leaf.state_dict()[name[5:]], weights.pop(name), rtol=1e-5, atol=0)
        leaf.load_state_dict(weights)
        found = outputs(leaf, tensors["inputs/wave"], trained="outputs/train" in tensors)
        due = {key[8:]: value for key, value in tensors.items() if key.startswith("outputs/")}
        assert found.keys() >= due.keys(), case["name"]
        for name, value in due.items():
            within = {"rtol": case["rtol"], "atol": case["atol"]}
            said = f"{case['name']}, {name}: {{}}".format
            torch.testing.assert_close(found[name].reshape(value.shape), value, **within, msg=said)


def outputs(leaf, wave, *, trained):
    """Return everything that fixtures hold, bands before frames."""
    found = {"filterbank": leaf.filterbank(wave), "eval": leaf.eval()(wave).transpose(-1, -2)}
    found["out"] = found["eval"]
    if trained:
        found["train"] = leaf.train()(wave).transpose(-1, -2)
        found["train"].square().mean().backward()
        found |= {f"grad/{name}": parameter.grad for name, parameter in leaf.named_parameters()}
    return found


def test_groups_move_and_reach_as_published(shared):
    for case, leaf, _ in published(shared):
        if case["name"] == "logtbn_perturbed":  # moved since
            continue
        groups = leaf.filterbank.groups()
        found = [(g.stride, g.hop, g.filters.shape[-1], g.windows.shape[-1]) for g in groups]
        keys = ("conv_stride", "pool_stride", "kernel_size", "pool_window")
        due = [tuple(group[key] for key in keys) for group in case.get("meta", {}).get("groups", [])]
        assert found == due or case["name"] == "leaf_pcen"
        samples = case["inputs"]["wave"][0][1]
        assert leaf.config.frames(samples) == case["outputs"]["filterbank"][0][2]


def moved(config: LeafConfig, seed: int) -> Leaf:
    """Return a front end whose parameters lie anywhere, beyond their limits too."""
    leaf, draw = Leaf(config), np.random.default_rng(seed)
    n = config.n_filters
    state = {"center_freqs": (-0.2, 3.4), "bandwidths": (0.2, 40), "pooling_widths": (0.0, 0.8)}
    for name, (low, high) in state.items():
        leaf.filterbank.get_parameter(name).data = torch.tensor(draw.uniform(low, high, n), dtype=torch.float32)
    return leaf.eval()


@pytest.mark.parametrize("seed", range(4))
def test_energies_are_those_of_the_formula(seed):
    """Eq. 1 to 3 of the paper, a sample, a filter and a frame at a time."""
    leaf = moved(SMALL, seed)
    wave = np.random.default_rng(seed).normal(0, 0.3, 131)
    found = leaf.filterbank(torch.tensor(wave, dtype=torch.float32)[None])[0].detach().numpy()
    size, z = SMALL.window + 1, math.sqrt(2 * math.log(2)) / math.pi
    limits = {"center_freqs": (0, math.pi), "bandwidths": (2 * z, size * z), "pooling_widths": (2 / size, 0.5)}
    values = [leaf.filterbank.get_parameter(n).double().detach().numpy().clip(*limit) for n, limit in limits.items()]
    for first in (0, 3):
        group = slice(first, first + 3)
        stride = max(d for d in (1, 2, 3, 4, 6, 8, 12, 24) if d <= max(1, math.pi / values[0][group].max()))
        reach = int(values[1][group].max() * 4.77) // 2
        span = int(size / stride + 0.5) // 2
        for band in range(first, first + 3):
            centre, width, pooling = (value[band] for value in values)
            time = np.arange(-reach, reach + 1)
            gabor = np.exp(-(time**2) / (2 * width**2) + 1j * centre * time) / (math.sqrt(2 * math.pi) * width)
            energy = []
            for place in range(0, len(wave), stride):
                heard = [(wave[place + t], g) for t, g in zip(time, gabor, strict=True) if 0 <= place + t < len(wave)]
                energy.append(abs(sum(x * g for x, g in heard)) ** 2)
            deviation = pooling * size / stride / (2 * span + 1) * span  # of the window, in energies
            places = np.arange(len(energy))
            frames = [
                np.exp(-0.5 * ((places - frame) / deviation) ** 2)[abs(places - frame) <= span]
                @ np.array(energy)[abs(places - frame) <= span]
                for frame in range(0, len(energy), SMALL.hop // stride)
            ]
            np.testing.assert_allclose(found[band], frames, rtol=2e-4, atol=1e-7)


def test_smoothing_is_the_recursion():
    leaf = Leaf(replace(SMALL, compression="pcen")).eval()
    s = torch.tensor([0.0, 0.001, 0.04, 0.5, 0.99, 1.0])
    leaf.compression.s.data = s
    energy = torch.rand(2, 6, 90) ** 4
    found = leaf.compression(energy)[:, 0].detach().double()
    energy, s = energy.double().clamp(min=1e-5), s.double()
    smooth = energy[..., 0]
    for frame in range(90):
        smooth = (1 - s) * smooth + s * energy[..., frame]
        due = (energy[..., frame] / (1e-12 + smooth) ** 0.96 + 2) ** 0.5 - 2**0.5
        torch.testing.assert_close(found[..., frame], due, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("compression", ["logtbn", "pcen"])
def test_fixed_filters_give_the_same(compression):
    leaf = moved(replace(SMALL, compression=compression), 0)
    wave = torch.randn(2, 200)
    before = leaf(wave)
    assert before.shape == (2, leaf.config.channels, leaf.config.frames(200), 6)
    leaf.fix()
    assert torch.equal(leaf(wave), before)
    assert not list(leaf.filterbank.parameters())


def test_the_cost_is_what_torch_counts():
    leaf = moved(SMALL, 1)
    with FlopCounterMode(display=False) as counted:
        leaf.filterbank(torch.zeros(1, 12 * SMALL.sample_rate))  # in which every hop ends
    squares = sum(2 * 3 * SMALL.sample_rate // group.stride for group in leaf.filterbank.groups())
    assert leaf.multiply_accumulates() == pytest.approx(counted.get_total_flops() / 2 / 12 + squares, rel=1e-3)


def test_a_front_end_begins_where_its_logmel_listens():
    config = front_end_named("leaf-logtbn", SPECS["multibreath"])
    assert config == LeafConfig("logtbn", 64, 8, 50.0, 2000.0, 16000, 1024, 512)
    assert config.name == "leaf-logtbn"
    assert front_end_named("logmel", SPECS["multibreath"]) is None
    for name, spec in SPECS.items():
        made = front_end_named("leaf-pcen", spec)
        samples = spec.samples(0.2)
        spectrogram = Leaf(made).eval()(torch.zeros(1, samples))
        assert spectrogram.shape == (1, 1, made.frames(samples), spec.n_mels), name
    with pytest.raises(InputError, match="choose one of logmel, leaf-logtbn, leaf-pcen"):
        front_end_named("leaf", SPECS["m2d"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"compression": "log"}, "must be logtbn or pcen"),
        ({"num_groups": 4}, "must divide n_filters"),
        ({"max_freq": 2000.0}, "half the sample rate"),
        ({"window": 2**20}, "window and hop"),
        ({"n_filters": 0}, "n_filters"),
        ({"n_filters": 2.5}, "whole number"),
    ],
)
def test_what_cannot_be_is_refused(change, said):
    with pytest.raises(InputError, match=said):
        replace(SMALL, **change)
    with pytest.raises(InputError, match=said):
        leaf_config(asdict(SMALL) | change)
