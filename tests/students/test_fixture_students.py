"""CNN6 and CSRA against numbers of the published implementations."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lungsound.networks.cnn6 import Cnn6, pool
from lungsound.networks.panns import PannsCnn6
from students.csra import CsraHead, temperatures_of

SHARED = Path(os.environ.get("AUSCULT_SHARED", Path(__file__).parents[2].parent / "shared"))
FIXTURES = SHARED / "reference" / "fixtures"
FRONT_END = ("spectrogram_extractor.", "logmel_extractor.")
pytestmark = pytest.mark.usefixtures("shared")  # which skips, or fails in CI, where the folder is missing


def cases(system: str, wanted: str) -> list[Any]:
    """Cases whose meta has the key `wanted`, or key=value."""
    listing = FIXTURES / system / "fixture.json"
    if not listing.is_file():
        return [pytest.param({}, id="missing")]
    key, _, value = wanted.partition("=")
    found = [
        case
        for case in json.loads(listing.read_text())["cases"]
        if key in case.get("meta", {}) and value in ("", case["meta"][key])
    ]
    assert found, f"no case of {system} has {wanted}"
    return [pytest.param(case, id=case["name"]) for case in found]


class Case:
    """Tensors and tolerance of one case."""

    def __init__(self, system: str, case: dict[str, Any]) -> None:
        self.meta, self._rtol, self._atol = case["meta"], case["rtol"], case["atol"]
        self.seed = case["seed"]
        self.weights, self.inputs, self.outputs = {}, {}, {}
        groups = {"weights": self.weights, "inputs": self.inputs, "outputs": self.outputs}
        for name, value in load_file(FIXTURES / system / case["file"]).items():
            group, _, rest = name.partition("/")
            groups[group][rest] = value

    def close(self, got: torch.Tensor, name: str) -> None:
        """Compare with an output, absolute differences relative to its scale where that is above one."""
        wanted = self.outputs[name]
        torch.testing.assert_close(
            got,
            wanted,
            rtol=self._rtol,
            atol=self._atol * max(1.0, float(wanted.abs().max())),
            msg=lambda m: f"{name}: {m}",
        )


def weights_by_recipe(network: torch.nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """Follow the fixture's written recipe for networks whose weights are not stored."""
    random = np.random.RandomState(seed)
    state = dict(network.state_dict())
    for name in sorted(state):
        if not state[name].is_floating_point():
            continue
        a = random.standard_normal(tuple(state[name].shape))
        if name.endswith("running_var"):
            value = 0.5 + np.abs(a)
        elif name.endswith("running_mean"):
            value = 0.1 * a
        elif a.ndim == 1 and name.endswith("weight"):
            value = 1 + 0.1 * a
        elif a.ndim <= 1:
            value = 0.05 * a
        else:
            value = a * np.sqrt(2 / np.prod(a.shape[1:]))
        state[name] = torch.from_numpy(np.asarray(value, np.float32))
    return state


@pytest.mark.parametrize("case", cases("panns", "kind=Cnn6"))
def test_fixture_panns_cnn6(case):
    case = Case("panns", case)
    widths = case.meta.get("widths", (64, 128, 256, 512))
    classes = case.outputs["clipwise_output"].shape[1]
    network = PannsCnn6(tuple(widths), case.outputs["log_mel"].shape[-1], classes).eval()
    stored = {name: value for name, value in case.weights.items() if not name.startswith(FRONT_END)}
    network.load_state_dict(stored or weights_by_recipe(network, case.seed))
    with torch.no_grad():
        output = network.tag(case.outputs["log_mel"])
    got = {
        "feature_map": output.feature_map,
        "feature_map_mean_over_freq": output.feature_map.mean(3),
        "pooled": output.pooled,
        "embedding": output.embedding,
        "clipwise_output": output.probabilities,
    }
    for name in got.keys() & case.outputs.keys():
        case.close(got[name], name)
    if "trainable_parameters" in case.meta:
        assert sum(p.numel() for p in network.parameters()) == case.meta["trainable_parameters"]


def test_fixture_panns_names_and_shapes():
    published = json.loads((FIXTURES / "panns" / "keys_Cnn6.json").read_text())
    expected = {name: tuple(shape) for name, shape in published.items() if not name.startswith(FRONT_END)}
    assert {name: tuple(value.shape) for name, value in PannsCnn6().state_dict().items()} == expected


@pytest.mark.parametrize("case", cases("scl_icbhi", "cnn"))
def test_fixture_scl_cnn6_sees_mel_before_time(case):
    case = Case("scl_icbhi", case)
    trunk = Cnn6(case.meta["cnn"]).eval()
    trunk.load_state_dict({name: value for name, value in case.weights.items() if name.startswith("conv_block")})
    with torch.no_grad():
        embedding = pool(trunk(case.outputs["standardised"]))
    case.close(embedding, "embedding")
    case.close(embedding @ case.weights["linear.weight"].T + case.weights["linear.bias"], "logits")


@pytest.mark.parametrize("case", cases("csra", "H"))
def test_fixture_csra_published_form(case):
    case = Case("csra", case)
    heads, lam = case.meta["H"], case.meta["lam"]
    weights = [case.weights[f"multi_head.{h}.head.weight"] for h in range(heads)]
    classes, channels = weights[0].shape[:2]
    temperatures = temperatures_of(heads)
    whole = CsraHead(channels, classes, temperatures, lam)
    whole.load_heads(weights)
    single = [CsraHead(channels, classes, temperatures[h : h + 1], lam) for h in range(heads)]
    for head, weight in zip(single, weights, strict=True):
        head.load_heads([weight])
    with torch.no_grad():
        case.close(whole(case.inputs["x"]), "logits")
        case.close(torch.stack([head(case.inputs["x"]) for head in single]), "per_head")


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("base", ["score_map", "feature_map"])
@pytest.mark.parametrize("case", cases("csra", "temperatures"))
def test_fixture_csra_readings_of_multibreath(case, base, normalised):
    case = Case("csra", case)
    weights = case.weights["heads.weight"]
    _, classes, channels = weights.shape
    head = CsraHead(channels, classes, case.meta["temperatures"], case.meta["lam"], normalise=normalised, base=base)
    head.load_heads([weight[:, :, None, None] for weight in weights])
    with torch.no_grad():
        logits = head(case.inputs["x"].transpose(2, 3))  # stored as frequency before time
    case.close(logits, f"{base}.{'normalised' if normalised else 'plain'}")
