import argparse
import contextlib
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lungsound.errors import InputError
from teachers.m2d import names as m2d_names
from teachers.m2d.encoder import M2DEncoder
from teachers.m2d.names import M2DName

FOLDER = "m2d_x_vit_base-80x48p16x16p16k-250101-MdfiDdffsd50ks6"
OLD_FOLDER = "m2d_vit_base-80x48p16x16-221006-mr7"


@pytest.fixture(autouse=True)
def _small_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(m2d_names.SIZES, "base", (16, 2, 2))


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    encoder = M2DEncoder(M2DName.parse(FOLDER).config)
    encoder.norm_stats.copy_(torch.tensor([-8.5, 3.5]))
    return {name: value.clone() for name, value in encoder.state_dict().items()}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def save(content: Any, folder: str = FOLDER, file: str = "checkpoint-300.pth") -> Path:
        path = tmp_path / folder / file
        path.parent.mkdir(exist_ok=True)
        torch.save(content, path)
        return path

    return save


def check_equal(encoder: M2DEncoder, state: dict[str, torch.Tensor]) -> None:
    got = encoder.state_dict()
    assert got.keys() == state.keys()
    for name in state:
        torch.testing.assert_close(got[name], state[name], rtol=0, atol=0)


def test_full_pretraining_file(write: Callable[..., Path], state: dict[str, torch.Tensor]) -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([weight], betas=(0.9, 0.95))
    weight.sum().backward()
    optimizer.step()
    extra = {"mask_token": torch.zeros(1, 1, 8), "decoder_embed.weight": torch.zeros(8, 16)}
    extra |= {f"target_{name}": value for name, value in state.items() if name.startswith("blocks")}
    content = {
        "model": state | extra,
        "optimizer": optimizer.state_dict(),
        "epoch": 300,
        "scaler": {"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 7},
        "args": argparse.Namespace(model="m2d_vit_base", input_size=[80, 48], blr=3e-4, resume="", norm_stats=None),
    }
    encoder = M2DEncoder.read(write(content))
    check_equal(encoder, state)
    assert (encoder.logmel.mean, encoder.logmel.std) == (-8.5, 3.5)


def test_encoder_alone(write: Callable[..., Path], state: dict[str, torch.Tensor]) -> None:
    check_equal(M2DEncoder.read(write(state)), state)


def test_file_without_statistics_gets_those_of_audioset(
    write: Callable[..., Path], state: dict[str, torch.Tensor]
) -> None:
    del state["norm_stats"]
    logmel = M2DEncoder.read(write(state, folder=OLD_FOLDER)).logmel
    assert (logmel.mean, logmel.std) == (pytest.approx(-7.1), pytest.approx(4.2))


@pytest.mark.parametrize("prefix", ["backbone.", "module.ar.runtime.backbone."])
def test_saved_runtime_and_fine_tuned(write: Callable[..., Path], state: dict[str, torch.Tensor], prefix: str) -> None:
    heads = {"module.head.norm.running_mean": torch.zeros(80), "module.head.mlp.mlp.0.weight": torch.zeros(7, 80)}
    wrapped = {prefix + name: value for name, value in state.items()} | heads | {"cls_token": torch.zeros(1)}
    check_equal(M2DEncoder.read(write(wrapped)), state)


def test_name_of_the_file_where_the_folder_says_nothing(
    write: Callable[..., Path], state: dict[str, torch.Tensor]
) -> None:
    check_equal(M2DEncoder.read(write(state, folder="downloads", file=f"{FOLDER}.pth")), state)


def test_relative_path_in_the_published_folder(
    write: Callable[..., Path], state: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write(state).parent)
    check_equal(M2DEncoder.read(Path("checkpoint-300.pth")), state)


def refused(path: Path, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        M2DEncoder.read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_unknown_name(write: Callable[..., Path], state: dict[str, torch.Tensor]) -> None:
    refused(write(state, folder="downloads", file="best.pth"), "keep the published folder name")


def test_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / FOLDER / "checkpoint-300.pth", "no such file")


class Attack:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._path}",)


def test_pickle_that_would_run_a_command(write: Callable[..., Path], tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    refused(write({"model": Attack(touched)}), "damaged, or not a file of tensors alone")
    path = tmp_path / FOLDER / "plain.pth"
    path.write_bytes(pickle.dumps(Attack(touched), protocol=2))
    refused(path, "damaged, or not a file of tensors alone")
    assert not touched.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([1, 2, 3], "holds a list"),
        ("weights", "holds a str"),
        ({"epoch": 3}, "cls_token is missing"),
        ({"model": 3}, "cls_token is missing"),
        (torch.zeros(3), "holds a Tensor"),
    ],
)
def test_pickle_of_something_else(write: Callable[..., Path], content: Any, reason: str) -> None:
    refused(write(content), reason)


def test_text_and_empty_files(tmp_path: Path) -> None:
    path = tmp_path / FOLDER / "checkpoint-300.pth"
    path.parent.mkdir()
    for content in (b"", b"not found", b"<!DOCTYPE html><html></html>", b"PK\x03\x04", b"\x80\x02}q\x00."):
        path.write_bytes(content)
        refused(path, "damaged|is missing")


def test_file_cut_or_changed_anywhere(write: Callable[..., Path], state: dict[str, torch.Tensor]) -> None:
    path = write({"model": state, "args": argparse.Namespace(epochs=300), "epoch": 300})
    whole = path.read_bytes()
    for share in (0.01, 0.3, 0.6, 0.9, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        refused(path, "damaged")
    draw = torch.Generator().manual_seed(0)
    pickled = whole.index(b"data.pkl")
    for _ in range(150):
        changed = bytearray(whole)
        where = pickled + int(torch.randint(0, 6000, (1,), generator=draw))
        changed[where % len(whole)] ^= 1 << int(torch.randint(0, 8, (1,), generator=draw))
        path.write_bytes(changed)
        with contextlib.suppress(InputError):  # any other error fails the test
            M2DEncoder.read(path)


def test_wrong_tensors(write: Callable[..., Path], state: dict[str, torch.Tensor]) -> None:
    for value, reason in (
        (state["norm.weight"][:-1], r"norm.weight is torch.float32 \[15\]"),
        (state["norm.weight"].long(), "norm.weight is torch.int64"),
        (state["norm.weight"].to(torch.complex64), "norm.weight is torch.complex64"),
        (torch.full((16,), torch.nan), "norm.weight holds a value that is not finite"),
    ):
        refused(write(state | {"norm.weight": value}), reason)
    refused(write(state | {"norm_stats": torch.tensor([-7.1, 0.0])}), "standard deviation of 0")
    del state["blocks.1.mlp.fc2.bias"]
    refused(write(state), re.escape("blocks.1.mlp.fc2.bias is missing"))


def test_name_that_promises_another_shape(write: Callable[..., Path], state: dict[str, torch.Tensor]) -> None:
    refused(write(state, folder=FOLDER.replace("80x48", "80x608")), "pos_embed is .* keep the published folder name")
