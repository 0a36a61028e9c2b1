"""The encoder and the fusion against numbers of the published implementation."""

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from lungsound.logmel import log_mel, normalise
from teachers.fusion import Fusion, flatten_grid, stack_frequency
from teachers.m2d import names as m2d_names
from teachers.m2d.config import NORM_STATS, M2DConfig
from teachers.m2d.encoder import M2DEncoder, fit_columns, position_table
from teachers.m2d.names import M2DName

SHARED = Path(os.environ.get("AUSCULT_SHARED", Path(__file__).parents[3].parent / "shared"))
FIXTURES = SHARED / "reference" / "fixtures"
pytestmark = pytest.mark.usefixtures("shared")  # which skips, or fails in CI, where the folder is missing


def cases(system: str) -> list[Any]:
    listing = FIXTURES / system / "fixture.json"
    if not listing.is_file():
        return [pytest.param({}, id="missing")]
    return [pytest.param(case, id=case["name"]) for case in json.loads(listing.read_text())["cases"]]


class Case:
    """Tensors and tolerance of one case."""

    def __init__(self, system: str, case: dict[str, Any]) -> None:
        self.meta = case.get("meta", {})
        self._tolerance = {"rtol": case["rtol"], "atol": case["atol"]}
        self.weights, self.inputs, self.outputs = {}, {}, {}
        for key, value in load_file(FIXTURES / system / case["file"]).items():
            kind, name = key.split("/", 1)
            getattr(self, kind)[name] = value

    def encoder(self) -> M2DEncoder:
        sizes = self.meta["embed_dim"], self.meta["depth"], self.meta["heads"]
        encoder = M2DEncoder(M2DConfig(*sizes, tuple(self.meta["input_size"]), tuple(self.meta["patch_size"])))
        state = {"norm_stats": encoder.norm_stats} | self.weights
        encoder.load_state_dict({name: value for name, value in state.items() if name in encoder.state_dict()})
        return encoder.eval()

    def check(self, got: torch.Tensor, name: str) -> None:
        torch.testing.assert_close(got, self.outputs[name], **self._tolerance, msg=lambda text: f"{name}: {text}")


@pytest.mark.parametrize("case", cases("m2d_encoder"))
@torch.inference_mode()
def test_fixture_m2d_encoder(case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    it = Case("m2d_encoder", case)
    if "num_classes" in it.meta:
        check_finetuned(it, tmp_path, monkeypatch)
    elif "dur_frames" in it.meta:
        encoder = it.encoder()
        encoder.set_width(it.meta["dur_frames"])
        it.check(encoder.pos_embed, "pos_embed")
        it.check(encoder.encode(it.inputs["x"]), "frames")
    elif it.weights:
        check_encodings(it)
    else:
        check_positions(it)


def check_encodings(it: Case) -> None:
    encoder = it.encoder()
    for output in it.outputs:
        name, kind = output.rsplit(".", 1)
        x = it.inputs[name]
        got = {
            "tokens": lambda x=x: encoder(x),
            "layers": lambda x=x: torch.stack(encoder.layers(x)),
            "frames": lambda x=x: encoder.encode(x),
            "clip": lambda x=x: encoder.encode(x).mean(dim=1),
            "frame_layers": lambda x=x: torch.stack([stack_frequency(grid) for grid in encoder.encode_layers(x)]),
        }[kind]()
        it.check(got, output)


def check_positions(it: Case) -> None:
    for output in it.outputs:
        if found := re.fullmatch(r"sincos_(\d+)x(\d+)_(\d+)", output):
            rows, columns, width = map(int, found.groups())
            it.check(position_table(width, (rows, columns)), output)
        else:
            rows, columns = map(int, re.fullmatch(r"bicubic_\d+x\d+_to_(\d+)x(\d+)", output).groups())
            it.check(fit_columns(it.inputs["pos"], rows, columns), output)


def check_finetuned(it: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(m2d_names.SIZES, "base", (it.meta["embed_dim"], it.meta["depth"], it.meta["heads"]))
    (mels, frames), (patch_mels, patch_frames) = it.meta["input_size"], it.meta["patch_size"]
    path = tmp_path / f"m2d_vit_base-{mels}x{frames}p{patch_mels}x{patch_frames}p16k-250101-ft" / "checkpoint-300.pth"
    path.parent.mkdir()
    torch.save(it.weights, path)
    encoder = M2DEncoder.read(path).eval()
    spec = normalise(encoder.logmel, log_mel(encoder.logmel, it.inputs["wave"].numpy()))
    x = torch.from_numpy(spec.astype(np.float32)).transpose(-1, -2)[:, None]
    it.check(x.contiguous(), "normalized_spec")
    got = encoder.encode(x)
    it.check(got, "frames")
    statistics = it.weights["module.head.norm.running_mean"], it.weights["module.head.norm.running_var"]
    head = it.weights["module.head.mlp.mlp.0.weight"], it.weights["module.head.mlp.mlp.0.bias"]
    it.check(F.linear(F.batch_norm(got.mean(dim=1), *statistics), *head), "logits")


def test_fixture_m2d_names(shared: Path) -> None:
    names = json.loads((shared / "reference/fixtures/m2d_encoder/names.json").read_text())
    for text, wanted in names.items():
        name = M2DName.parse(text)
        assert (name.model, list(name.input_size), list(name.patch_size)) == (
            wanted["model"],
            wanted["input_size"],
            wanted["patch_size"],
        )
        assert f"{name.sample_rate // 1000}k" == wanted["sr"]


def recipe(seed: int, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Draw the weights of `m2d_full` as its recipe says."""
    draw = np.random.RandomState(seed)
    drawn = {}
    for name in sorted(state):
        if name in ("pos_embed", "norm_stats") or not state[name].is_floating_point():
            drawn[name] = state[name]
            continue
        values = draw.standard_normal(tuple(state[name].shape))
        if state[name].ndim <= 1:
            values = 1 + 0.1 * values if name.endswith("weight") else 0.05 * values
        else:
            values *= 0.02
        drawn[name] = torch.from_numpy(values.astype(np.float32))
    return drawn


@pytest.mark.slow
@pytest.mark.parametrize("case", cases("m2d_full"))
@torch.inference_mode()
def test_fixture_m2d_full(case: dict[str, Any]) -> None:
    it = Case("m2d_full", case)
    shape = tuple(it.meta["input_size"]), tuple(it.meta["patch_size"])
    config = M2DConfig(*m2d_names.SIZES["base"], *shape)
    with torch.device("meta"):  # no weight is drawn that the recipe's replaces
        encoder = M2DEncoder(config).eval()
    tables = {"pos_embed": position_table(config.embed_dim, config.grid), "norm_stats": torch.tensor(NORM_STATS)}
    encoder.load_state_dict(recipe(case["seed"], encoder.state_dict()) | tables, assign=True)
    draw = np.random.RandomState(case["seed"] + 1)
    x = torch.from_numpy(draw.standard_normal((1, 1, shape[0][0], it.meta["frames"])).astype(np.float32))
    if "x" in it.inputs:
        torch.testing.assert_close(x, it.inputs["x"], rtol=0, atol=0)
    grids = encoder.encode_layers(x)
    it.check(torch.stack([stack_frequency(grid).mean(dim=1) for grid in grids]), "layers_clip_mean")
    it.check(grids[-1][:, 0], "last_frames_first_block")
    it.check(torch.stack([tokens[:, 0] for tokens in encoder.layers(x)]), "cls_layers")


def test_fixture_m2d_keys(shared: Path) -> None:
    listings = sorted((shared / "reference/fixtures/m2d_full").glob("keys_*.json"))
    assert listings
    for listing in listings:
        published = {name: list(shape) for name, shape in json.loads(listing.read_text()).items()}
        size = M2DName.parse(listing.stem.removeprefix("keys_").replace("_encoder_only", ""))
        with torch.device("meta"):
            ours = {name: list(value.shape) for name, value in M2DEncoder(size.config).state_dict().items()}
        assert ours.items() <= published.items()
        if "encoder_only" in listing.stem:
            assert ours == published


@pytest.mark.parametrize("case", cases("m2d_fusion"))
@torch.inference_mode()
def test_fixture_m2d_fusion(case: dict[str, Any]) -> None:
    it = Case("m2d_fusion", case)
    encoder = it.encoder()
    grids = encoder.encode_layers(it.inputs["x"])
    it.check(torch.stack([stack_frequency(grid) for grid in grids]), "layers")
    for output in it.outputs:
        if output == "layers":
            continue
        name, pooling, kind = output.split(".")
        layers = tuple(it.meta["sets"][name])
        fusion = Fusion(it.meta["depth"], layers, learnable=kind != "pooled_fixed1", pooling=pooling)
        if kind != "pooled_fixed1":
            fusion.weight.copy_(it.inputs["layer_weights"][[layer - 1 for layer in layers]])
        it.check(torch.cat(fusion.weigh(grids), dim=-1) if kind == "fused" else fusion(grids), output)
        assert (
            fusion(grids).shape[-1]
            == len(layers) * {"frames": stack_frequency, "tokens": flatten_grid}[pooling](grids[0]).shape[-1]
        )
