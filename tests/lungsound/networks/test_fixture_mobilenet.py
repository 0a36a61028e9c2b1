"""MobileNetV3 against the published weights and numbers of EfficientAT."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lungsound.networks.mobilenet import USUAL_STRIDES, MobileNetTagger, MobileNetV3

SHARED = Path(os.environ.get("AUSCULT_SHARED", Path(__file__).parents[3].parent / "shared"))
FIXTURE = SHARED / "reference" / "fixtures" / "efficientat_mn"
pytestmark = pytest.mark.usefixtures("shared")  # which skips, or fails in CI, where the folder is missing

OF_OTHERS = ("narrow_attpool_se_ct", "narrow_dilated_tail")
"""Trunks that no published weights have: squeezes over time, and a dilated tail."""


def cases():
    listing = FIXTURE / "fixture.json"
    if not listing.is_file():
        return [pytest.param({}, id="missing")]
    found = [case for case in json.loads(listing.read_text())["cases"] if case["name"] not in OF_OTHERS]
    return [pytest.param(case, id=case["name"]) for case in found]


@pytest.mark.parametrize("case", cases())
@torch.inference_mode()
def test_fixture_maps_logits_and_embedding(case):
    meta, tensors = case["meta"], load_file(FIXTURE / case["file"])
    network = MobileNetTagger(meta["width_mult"], meta.get("strides", USUAL_STRIDES), meta["num_classes"]).eval()
    state = {name.removeprefix("weights/"): value for name, value in tensors.items() if name.startswith("weights/")}
    if not state:
        state = torch.load(SHARED / "data" / "weights" / meta["weights_file"], weights_only=True)
    usual_head = meta.get("head_type", "mlp") == "mlp"
    if not usual_head:
        state = {name: value for name, value in state.items() if name.startswith("features.")}
    network.load_state_dict(state, strict=usual_head)
    x = tensors["inputs/log_mel"][:, None]
    maps = network.layers(x)
    logits, embedding = network.tag(x)
    got = {f"map_{i}": feature_map for i, feature_map in enumerate(maps)} | {"embedding": embedding}
    if usual_head:
        got["logits"] = logits
        assert sum(value.numel() for value in network.parameters()) == meta["parameters"]
    wanted = {name.removeprefix("outputs/"): value for name, value in tensors.items() if name.startswith("outputs/")}
    assert len(got.keys() & wanted.keys()) >= 3
    for name in got.keys() & wanted.keys():
        torch.testing.assert_close(got[name], wanted[name], rtol=case["rtol"], atol=case["atol"])


def test_fixture_names_and_shapes():
    published = json.loads((FIXTURE / "keys_mn04_as.json").read_text())
    ours = {name: list(value.shape) for name, value in MobileNetTagger(0.4).state_dict().items()}
    assert ours == published


@pytest.mark.parametrize(("width", "parameters"), [(0.4, 516_128), (1.0, 2_971_664)])
def test_size_of_the_trunk(width, parameters):
    """As the published counter says."""
    assert sum(value.numel() for value in MobileNetV3(width).parameters()) == parameters
