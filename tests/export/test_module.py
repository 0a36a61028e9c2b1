"""Networks from somebody's Python file: made, loaded, or refused in a sentence."""

import random

import pytest
import torch
from safetensors.torch import save, save_file
from torch import nn

from export.module import load_module
from lungsound.errors import InputError

NETWORK = """
from dataclasses import dataclass

import torch
from torch import nn

@dataclass
class Config:
    channels: int = 3

def make(channels=Config().channels):
    torch.manual_seed(1)
    layers = nn.Conv2d(1, channels, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 2)
    return nn.Sequential(*layers).half()

class Model(nn.Module):
    pass

def fails():
    raise RuntimeError("no such\\nlayer")

def gives_text():
    return "a network"

def leaves():
    raise SystemExit(0)

number = 3
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "network.py"
    path.write_text(NETWORK)
    return path


def state(**changes) -> dict[str, torch.Tensor]:
    torch.manual_seed(2)
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    return {**network.state_dict(), **changes}


def test_a_function_makes_the_network(file):
    network = load_module(f"{file}:make")
    assert not network.training
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32}
    assert network(torch.zeros(1, 1, 9, 9)).shape == (1, 2)


def test_a_class_makes_it_too(file):
    assert type(load_module(f"{file}:Model")).__name__ == "Model"


def test_what_stands_beside_the_file_can_be_imported(file):
    (file.parent / "my_layers_for_a_test.py").write_text("from torch import nn\nLayer = nn.Identity\n")
    file.write_text("from my_layers_for_a_test import Layer\n")
    assert isinstance(load_module(f"{file}:Layer"), nn.Identity)


@pytest.mark.parametrize(
    "store",
    [
        lambda path: save_file(state(), path.with_suffix(".safetensors")),
        lambda path: torch.save(state(), path.with_suffix(".pth")),
        lambda path: torch.save({"state_dict": state(), "epoch": 3}, path.with_suffix(".pt")),
        lambda path: torch.save({"model": state()}, path.with_suffix(".ckpt")),
    ],
)
def test_weights_are_loaded(file, store):
    store(file.parent / "weights")
    (weights,) = file.parent.glob("weights.*")
    loaded = load_module(f"{file}:make", weights).state_dict()
    assert all(torch.equal(value, state()[name]) for name, value in loaded.items())


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("{file}", r"write FILE\.py:NAME"),
        ("{file}:", r"write FILE\.py:NAME"),
        ("{file}:two words", r"write FILE\.py:NAME"),
        ("{folder}/none.py:make", r"none\.py: no such file"),
        ("{file}:unknown", "has no function or class 'unknown'"),
        ("{file}:number", "has no function or class 'number'"),
        ("{file}:fails", r"fails\(\) raises RuntimeError \(no such\)"),
        ("{file}:leaves", r"leaves\(\) raises SystemExit"),
        ("{file}:gives_text", r"gives a str; it must return a torch\.nn\.Module"),
        ("{folder}/text.txt:make", "is no Python file"),
    ],
)
def test_a_place_that_makes_no_network(file, place, said):
    (file.parent / "text.txt").write_text("make = 1")
    with pytest.raises(InputError, match=said) as refused:
        load_module(place.format(file=file, folder=file.parent))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import a_package_that_is_not_there", r"ModuleNotFoundError \(No module named"),
        ("def make(:", r"SyntaxError"),
        ("1 / 0", r"ZeroDivisionError \(division by zero\) when it is run"),
        ("import sys; sys.exit(3)", r"SystemExit"),
        ("raise ValueError", r"raises ValueError when it is run"),
    ],
)
def test_a_file_that_raises(file, source, said):
    file.write_text(source)
    with pytest.raises(InputError, match=said) as refused:
        load_module(f"{file}:make")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({k: v for k, v in state().items() if k != "0.bias"}, r"lacks 0\.bias"),
        (state(**{"9.bias": torch.zeros(1)}), r"has unknown 9\.bias"),
        ({f"net.{k}": v for k, v in state().items()}, r"lacks 0\.bias, 0\.weight, 3\.bias and more"),
        (state(**{"3.bias": torch.zeros(5)}), r"3\.bias is \[5\] where the network has \[2\]"),
        (state(**{"3.bias": torch.full((2,), torch.nan)}), r"3\.bias holds a value that is not finite"),
    ],
)
def test_weights_that_do_not_fit(file, tensors, said):
    weights = file.parent / "weights.safetensors"
    save_file(tensors, weights)
    with pytest.raises(InputError, match=said):
        load_module(f"{file}:make", weights)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("w.safetensors", b"no tensors", "not a safetensors file"),
        ("w.pth", b"no tensors", "not a file of tensors alone"),
    ],
)
def test_weights_that_are_damaged(file, name, content, said):
    (file.parent / name).write_bytes(content)
    with pytest.raises(InputError, match=said):
        load_module(f"{file}:make", file.parent / name)


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {"a": 3}}, torch.zeros(2)])
def test_a_checkpoint_without_a_state(file, content):
    torch.save(content, file.parent / "w.pth")
    with pytest.raises(InputError, match="holds no state of tensors by name"):
        load_module(f"{file}:make", file.parent / "w.pth")


def test_weights_that_are_missing(file):
    with pytest.raises(InputError, match=r"none\.safetensors: no such file"):
        load_module(f"{file}:make", file.parent / "none.safetensors")


def test_mutated_safetensors_cost_input_errors_alone(file, tmp_path):
    weights, content, said = tmp_path / "weights.safetensors", save(state()), []
    end = 8 + int.from_bytes(content[:8], "little") + 16  # of the header, and a few of the values
    for number in range(300):
        rng, changed = random.Random(number), bytearray(content)
        for _ in range(rng.choice([1, 1, 2, 6])):
            place = rng.randrange(end)
            changed[place] = rng.choice([changed[place] ^ 1 << rng.randrange(8), ord(rng.choice('0123456789,[]{}":'))])
        if number % 10 == 0:
            del changed[rng.randrange(len(changed)) :]
        weights.write_bytes(changed)
        try:
            load_module(f"{file}:make", weights)
        except InputError as error:
            said.append(str(error))
    assert all(sentence.startswith(str(weights)) and len(sentence) < 600 for sentence in said)
    assert "\n" not in "".join(said)
    assert 3 < len(said) < 297
