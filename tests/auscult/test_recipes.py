"""Every shipped recipe: its command takes it, and says the same as the words on top of the file."""

import json
import shlex
import tomllib
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import pytest
import typer

from auscult.cli import CONTENTS
from lungsound.command.recipes import NOT_OF_A_RECIPE, Recipe, shipped

OF_A_TEACHER_TRAINED_FIRST = {"teacher", "size", "weights", "teacher_logmel", "teacher_epochs"}
"""Options of `distill` that mean nothing with --teacher-run."""


def words_on_top(name: str) -> list[list[str]]:
    """The commands in the comment of a recipe, as a shell splits them."""
    lines = (files("recipes") / f"{name}.toml").read_text().splitlines()
    comment = [line.removeprefix("#").strip() for line in lines[: lines.index("")]]
    return [shlex.split(line) for line in comment if line.startswith(("auscult ", "distill "))]


def parsed(words: list[str]) -> dict[str, object]:
    """The values that a command would get from a command line."""
    name, *rest = words[1:] if words[0] == "auscult" else words
    module, function, _ = CONTENTS[name]
    app = typer.Typer()
    app.command()(getattr(import_module(module), function))
    values = typer.main.get_command(app).make_context(name, rest).params
    return {key: value for key, value in values.items() if key != "recipe"}


def test_there_are_recipes():
    assert {"sprsound2022-teacher", "sprsound2022-student"} <= set(shipped())


@pytest.mark.parametrize("name", shipped())
def test_the_words_on_top_say_what_the_recipe_says(name):
    short, long = words_on_top(name)
    assert short[short.index("--recipe") + 1] == name
    assert "--recipe" not in long
    assert parsed(short) == parsed(long)


@pytest.mark.parametrize("name", shipped())
def test_a_recipe_names_every_option_of_its_command(name):
    recipe = Recipe.open(name)
    values = parsed([recipe.command, "--recipe", name])
    written = {key.replace("-", "_") for key in recipe.values}
    left_out = {key for key in values if key not in NOT_OF_A_RECIPE} - written
    allowed = {"weights"} if recipe.command == "finetune" else OF_A_TEACHER_TRAINED_FIRST
    assert left_out <= allowed
    assert recipe.follows


def test_the_readme_trains_with_the_recipes():
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for name in ("sprsound2022-teacher", "sprsound2022-student"):
        assert " ".join(words_on_top(name)[0]) in readme


def test_recipes_are_listed(auscult):
    code, said, _ = auscult("recipes", "--json")
    assert code == 0
    for row in json.loads(said)["recipes"]:
        written = tomllib.loads((files("recipes") / f"{row['name']}.toml").read_text())
        assert written == row["values"] | {"command": row["command"], "follows": row["follows"]}
    said = auscult("recipes")[1]
    assert all(name in said for name in shipped())


@pytest.mark.parametrize("command", ["distill", "finetune"])
def test_a_recipe_of_another_command_is_refused(auscult, command):
    other = next(name for name in shipped() if Recipe.open(name).command != command)
    code, said, complaint = auscult(command, "--recipe", other)
    assert (code, said) == (1, "")
    assert f"not for {command}" in complaint


def test_what_a_recipe_leaves_to_its_user_is_asked_for(auscult, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    complaint = auscult("finetune", "--recipe", "sprsound2022-teacher")[2]
    assert "ROOT: no such folder; name the folder of sprsound" in complaint
    complaint = auscult("distill", "--recipe", "sprsound2022-student")[2]
    assert "RUN: no finished run here" in complaint
