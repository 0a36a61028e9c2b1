"""`--recipe`: a file gives the options, the command line wins, and what a command does not know is refused."""

import os
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from lungsound.command import options
from lungsound.command.data_option import Data
from lungsound.command.recipes import Recipe, recipe_option
from lungsound.errors import InputError


def cook(
    context: typer.Context,
    epochs: options.Epochs = 3,
    rate: Annotated[float, typer.Option("--learning-rate")] = 0.5,
    data: Data = ["synthetic"],  # noqa: B006
    weights: Path | None = None,
    drop_shared: options.DropShared = False,
    recipe: Annotated[str | None, recipe_option("cook")] = None,
    resume: Path | None = None,
) -> None:
    """Stand for a training."""


def parse(*words: object) -> dict[str, Any]:
    """The values that `cook` would get."""
    app = typer.Typer()
    app.command()(cook)
    return typer.main.get_command(app).make_context("cook", [str(word) for word in words]).params


@pytest.fixture
def file(tmp_path):
    """Write a recipe and return its path."""

    def write(text: str | bytes) -> Path:
        path = tmp_path / "mine.toml"
        path.write_bytes(text if isinstance(text, bytes) else f'command = "cook"\n{text}'.encode())
        return path

    return write


WHOLE = """
epochs = 8
learning-rate = 4e-3
data = ["sprsound:a", "icbhi2017:b"]
weights = "w.pth"
drop-shared = true
"""


def test_a_recipe_gives_every_kind_of_option(file):
    path = file(WHOLE)
    assert parse("--recipe", path) == {
        "epochs": 8,
        "rate": 4e-3,
        "data": ["sprsound:a", "icbhi2017:b"],
        "weights": Path("w.pth"),
        "drop_shared": True,
        "recipe": str(path),
        "resume": None,
    }


def test_the_command_line_wins_wherever_it_stands(file):
    path = file(WHOLE)
    words = ["--epochs", 2, "--data", "synthetic", "--no-drop-shared"]
    for line in ([*words, "--recipe", path], ["--recipe", path, *words]):
        values = parse(*line)
        assert (values["epochs"], values["data"], values["drop_shared"]) == (2, ["synthetic"], False)
        assert values["rate"] == 4e-3


def test_what_a_recipe_leaves_out_keeps_its_default(file):
    assert parse("--recipe", file("epochs = 8"))["rate"] == 0.5


def test_whole_numbers_are_numbers(file):
    assert parse("--recipe", file("learning-rate = 1"))["rate"] == 1.0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("epoch = 3", "'epoch' is no option of cook that a recipe gives; perhaps epochs is meant"),
        ("zzz = 3", "choose from data, drop-shared, epochs, learning-rate, weights"),
        ('resume = "run"', "'resume' is no option of cook that a recipe gives"),
        ('recipe = "other"', "'recipe' is no option of cook that a recipe gives"),
        ("rate = 3", "'rate' is no option of cook"),
        ('epochs = "3"', "epochs must be a whole number, got '3'"),
        ("epochs = 3.5", "epochs must be a whole number, got '3.5'"),
        ("epochs = true", "epochs must be a whole number, got 'True'"),
        ("epochs = 0", "epochs = 0: "),
        ("epochs = 2020-01-01", "epochs must be a whole number"),
        ("drop-shared = 1", "drop-shared must be true or false, got '1'"),
        ('learning-rate = "fast"', "learning-rate must be a number, got 'fast'"),
        ('data = "synthetic"', "data must be a list, each item text in quotes, got 'synthetic'"),
        ("data = [1]", "data must be a list, each item text in quotes"),
        ("weights = []", "weights must be text in quotes"),
        ("[epochs]\nof = 3", "epochs must be a whole number, got"),
        ("epochs = 3\nepochs = 4", "not TOML ("),
        ("epochs =", "not TOML ("),
    ],
)
def test_what_the_command_does_not_take_is_one_sentence(file, text, sentence):
    path = file(text)
    with pytest.raises(InputError) as refused:
        parse("--recipe", path)
    assert str(refused.value).startswith(f"{path}: ")
    assert sentence in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xfe", "not TOML ("),
        (b"", "does not say which command it is for"),
        (b"command = 3", "does not say which command it is for"),
        (b'command = "cook"\nfollows = 3', "does not say which command it is for"),
        (b'command = "distill"', "a recipe for distill, not for cook"),
        (b'command = "cook"\nepochs = ' + b"[" * 30_000, "not TOML ("),
        (b"#" * 70_000, "more than the 65,536 bytes"),
    ],
)
def test_what_is_no_recipe_of_this_command_is_one_sentence(file, content, sentence):
    with pytest.raises(InputError, match=r"^.*mine\.toml: ") as refused:
        parse("--recipe", file(content))
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("name", "why"),
    [("none.toml", "no such file"), ("folder.toml", "is a folder"), ("pipe.toml", "is a pipe; name a regular file")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, why):
    (tmp_path / "folder.toml").mkdir()
    os.mkfifo(tmp_path / "pipe.toml")
    path = str(tmp_path / name)
    with pytest.raises(InputError, match=why) as refused:
        parse("--recipe", path)
    assert path in str(refused.value)


def test_a_name_that_is_not_shipped_is_told_which_are():
    with pytest.raises(InputError, match="perhaps sprsound2022-student is meant"):
        parse("--recipe", "sprsound2022-studnet")
    with pytest.raises(InputError, match=r"choose from fusion/.*, sprsound2022-"):
        parse("--recipe", "zzz")


@given(st.binary(max_size=200))
def test_any_bytes_are_one_sentence(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "any.toml"
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:  # a recipe needs more letters than hypothesis finds
        Recipe.open(str(path))
    assert len(str(refused.value).splitlines()) == 1
