"""CNN6 and CSRA against numbers of the published implementations."""

import pytest
import torch
from fixture_cases import Case, cases

from lungsound.networks.cnn6 import Cnn6
from lungsound.networks.trunk import pool
from students.csra import CsraHead, temperatures_of

pytestmark = pytest.mark.usefixtures("shared")  # which skips, or fails in CI, where the folder is missing


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
