"""MobileNetV3 against the published weights and numbers of EfficientAT."""

import json
import os
from pathlib import Path

import pytest
import soundfile
import soxr
import torch
from safetensors.torch import load_file

from lungsound.logmel import SPECS, log_mel, normalise
from lungsound.networks.mobilenet import USUAL_STRIDES, MobileNetV3
from lungsound.networks.mobilenet_tagger import MobileNetTagger

SHARED = Path(os.environ.get("AUSCULT_SHARED", Path(__file__).parents[3].parent / "shared"))
FIXTURE = SHARED / "reference" / "fixtures" / "efficientat_mn"
pytestmark = pytest.mark.usefixtures("shared")  # which skips, or fails in CI, where the folder is missing


def cases():
    listing = FIXTURE / "fixture.json"
    if not listing.is_file():
        return [pytest.param({}, id="missing")]
    return [pytest.param(case, id=case["name"]) for case in json.loads(listing.read_text())["cases"]]


def network_of(meta):
    return MobileNetTagger(
        meta["width_mult"],
        meta.get("strides", USUAL_STRIDES),
        meta["num_classes"],
        meta.get("head_type", "mlp"),
        meta.get("multihead_attention_heads", 4),
        dilated=meta.get("dilated", False),
        reduced_tail=meta.get("reduced_tail", False),
        frames=meta["input_dim_t"] if "t" in meta.get("se_dims", "c") else None,
    )


@pytest.mark.parametrize("case", cases())
@torch.inference_mode()
def test_fixture_maps_logits_and_embedding(case):
    meta, tensors = case["meta"], load_file(FIXTURE / case["file"])
    network = network_of(meta).eval()
    state = {name.removeprefix("weights/"): value for name, value in tensors.items() if name.startswith("weights/")}
    if not state:
        state = torch.load(SHARED / "data" / "weights" / meta["weights_file"], weights_only=True)
    network.load_state_dict(state)
    assert sum(value.numel() for value in network.parameters()) == meta["parameters"]
    x = tensors["inputs/log_mel"][:, None]
    got = {f"map_{i}": feature_map for i, feature_map in enumerate(network.layers(x))}
    got["logits"], got["embedding"] = network.tag(x)
    if meta.get("head_type", "mlp") == "mlp":
        got["hidden"] = network.classifier[:3](got["map_16"])
        got["sigmoid_top10_index"] = got["logits"].topk(min(10, meta["num_classes"])).indices
    wanted = {name.removeprefix("outputs/"): value for name, value in tensors.items() if name.startswith("outputs/")}
    if any(name.startswith("train_") for name in wanted):
        got |= trained_once(network_of(meta), state, x)
    assert wanted.keys() <= got.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(got[name], value, rtol=case["rtol"], atol=case["atol"])


def trained_once(network, state, x):
    """One pass on the batch's own statistics, dropout apart."""
    network.load_state_dict(state)
    network.train()
    maps = network.layers(x)
    first, last = network.features[0][1], network.features[16][1]
    return {
        "train_map_0_first": maps[0][:1],
        "train_embedding": maps[-1].mean((2, 3)),
        "train_running_mean_0": first.running_mean,
        "train_running_var_0": first.running_var,
        "train_running_var_16": last.running_var,
    }


def names(folder: str, indices: set[int], network: MobileNetTagger) -> int:
    """How many of every fourth clip of ESC-10 have one of AudioSet's classes among their first three."""
    spec, found = SPECS["efficientat_32k"].with_statistics(-4.5, 5.0), 0
    for file in sorted((SHARED / "data" / "esc10" / folder).glob("*.flac"))[::4]:
        wave, rate = soundfile.read(file, dtype="float32")
        heard = normalise(spec, log_mel(spec, soxr.resample(wave, rate, spec.sample_rate)))
        logits, _ = network.tag(torch.from_numpy(heard).float().mT[None, None])
        found += bool(set(logits[0].topk(3).indices.tolist()) & indices)
    return found


@torch.inference_mode()
def test_published_weights_name_sounds():
    """Rain, crying babies, clocks and sneezes; indices of AudioSet's class_labels_indices.csv."""
    network = MobileNetTagger(0.4).eval()
    network.load_state_dict(torch.load(SHARED / "data" / "weights" / "mn04_as_mAP_432.pt", weights_only=True))
    wanted = {
        "002_-_Rain": {289, 290, 291},  # rain, raindrop, rain on surface
        "004_-_Baby_cry": {22, 23},  # crying, baby cry
        "005_-_Clock_tick": {406, 407, 408},  # clock, tick, tick-tock
        "006_-_Person_sneeze": {49},
    }
    for folder, indices in wanted.items():
        assert names(folder, indices, network) >= 7, folder  # of ten


def test_fixture_names_and_shapes():
    published = json.loads((FIXTURE / "keys_mn04_as.json").read_text())
    ours = {name: list(value.shape) for name, value in MobileNetTagger(0.4).state_dict().items()}
    assert ours == published


@pytest.mark.parametrize(("width", "parameters"), [(0.4, 516_128), (1.0, 2_971_664)])
def test_size_of_the_trunk(width, parameters):
    """As the published counter says."""
    assert sum(value.numel() for value in MobileNetV3(width).parameters()) == parameters
