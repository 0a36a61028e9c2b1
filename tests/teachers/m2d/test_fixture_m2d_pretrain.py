"""A step of pre-training against numbers of the published implementation."""

import json
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from fixture_cases import FIXTURES, Case, cases
from safetensors.torch import load_file

from teachers.m2d.config import M2DConfig
from teachers.m2d.duo import Duo, DuoConfig
from teachers.m2d.losses import token_loss
from teachers.m2d.masking import Mask, visible_patches
from teachers.pretraining.schedules import learning_rate, moving_average
from teachers.pretraining.sound.noise import mix

pytestmark = pytest.mark.usefixtures("shared")


def duo(it: Case) -> Duo:
    meta = it.meta
    encoder = M2DConfig(
        meta["embed_dim"], meta["depth"], meta["heads"], tuple(meta["input_size"]), tuple(meta["patch_size"])
    )
    predictor = meta["decoder_embed_dim"], meta["decoder_depth"], meta["decoder_heads"]
    network = Duo(DuoConfig(encoder, predictor, offline=meta["kw"].get("off_emb_dim", 0)))
    network.load_state_dict(it.weights)  # every published name, and no other
    return network


@pytest.mark.parametrize("case", cases("m2d_pretrain", "mask_ratio"))
def test_fixture_m2d_pretrain(case: dict[str, Any]) -> None:
    it = Case("m2d_pretrain", case)
    network, inputs = duo(it), it.inputs
    order = torch.argsort(inputs["noise"], dim=1)
    visible = visible_patches(order.shape[1], it.meta["mask_ratio"])
    assert (order.equal(inputs["ids_shuffle"]), visible) == (True, int(inputs["len_keep"]))
    mask = Mask(order, visible)
    assert torch.argsort(order, dim=1).equal(inputs["ids_restore"])

    output = network(inputs["x"], mask)

    it.close(output.latent, "latent")
    it.close(output.prediction, "pred")
    it.close(output.target, "target")
    loss = token_loss(output.prediction, output.target)
    if output.offline is not None:
        wanted = inputs["target_offline"]
        classes = wanted.ndim == 2
        offline = (
            F.binary_cross_entropy_with_logits(output.offline.mean(dim=1), wanted)
            if classes
            else token_loss(output.offline, wanted)
        )
        it.close(loss, "loss_m2d")
        it.close(offline, "loss_off")
        loss = it.meta["kw"]["loss_m2d"] * loss + it.meta["kw"]["loss_off"] * offline
    else:
        it.close(token_loss(output.prediction, output.target, "squared"), "loss_mse_normtarget")
        it.close(token_loss(output.prediction, output.target, standardise=False), "loss_norm_mse_rawtarget")
    it.close(loss, "loss")

    loss.backward()
    gradients = {name: value.grad for name, value in network.named_parameters() if value.grad is not None}
    for name in (name.removeprefix("grad/") for name in it.outputs if name.startswith("grad/")):
        it.close(gradients[name], f"grad/{name}")
    norms = {name: float(gradient.norm()) for name, gradient in gradients.items()}
    assert norms == pytest.approx(it.meta["grad_norms"], rel=1e-4, abs=1e-6)
    assert set(it.meta["params_without_gradient"]) == set(network.state_dict()) - set(norms)

    network.average(0.9)
    for name in (name.removeprefix("ema0.9/") for name in it.outputs if name.startswith("ema0.9/")):
        it.close(network.state_dict()[name], f"ema0.9/{name}")


def test_fixture_m2d_pretrain_noise() -> None:
    listed = json.loads((FIXTURES / "m2d_pretrain" / "fixture.json").read_text())["cases"]
    (case,) = (case for case in listed if case["name"] == "noise_mix")
    stored = load_file(FIXTURES / "m2d_pretrain" / case["file"])
    clean, noise = (stored[f"inputs/{name}"] for name in ("clean", "noise"))
    for name in case["outputs"]:
        mixed = mix(clean, noise, float(name.removeprefix("mixed_")))
        torch.testing.assert_close(mixed, stored[f"outputs/{name}"], rtol=case["rtol"], atol=case["atol"])


def test_fixture_m2d_pretrain_schedules() -> None:
    stored = json.loads((FIXTURES / "m2d_pretrain" / "schedules.json").read_text())
    for case in stored["lr"]:
        told = case["cfg"]
        assert told["min_lr"] == 0
        for epoch, wanted in case["points"]:
            got = learning_rate(told["lr"], epoch, told["epochs"], told["warmup_epochs"])
            assert got == pytest.approx(wanted, rel=1e-9, abs=1e-18)
    for case in stored["ema"]:
        for step, wanted in case["points"]:
            assert moving_average(case["init"], case["final"], step, case["total_steps"]) == pytest.approx(
                wanted, rel=1e-13
            )
