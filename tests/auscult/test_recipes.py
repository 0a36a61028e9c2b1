"""Every shipped recipe: its command takes it, and says the same as the words on top of the file."""

import json
import shlex
import tomllib
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import pytest

from auscult.cli import load
from lungsound.command.recipes import NOT_OF_A_RECIPE, Recipe, shipped
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from lungsound.training.runs import Run

TRAINED_FIRST = {"size", "weights", "teacher_logmel", "teacher_epochs"}
"""Options of `distill` that say how a teacher is trained where none is there yet."""

MULTI_BREATH = ("cnn6", "cnn14", "mobilenetv2", "resnet22")

OF_A_DEVICE = {"target", "ram", "flash", "instructions_per_second", "overlapping"}
"""Options of `distill` that choose a size, in the place of those that say it."""

LEFT_OUT = {
    "finetune": {"weights", "from_run"},
    "pretrain": {
        "weights", "label", "teacher", "teacher_weights", "teacher_run", "repeat", "share", "noise",
        "precision", "strategy", "devices", "nodes", "workers", "compile", "checkpoint_steps", "checkpoint_epochs",
    },
    "teacher-run": {"teacher", "from_run", "student_weights", *TRAINED_FIRST},
    "teacher": {
        "teacher_run", "from_run", "student_weights", "temperature", "teacher_misses", "logit_weight",
        "embedding_weight", *TRAINED_FIRST,
    },
}  # fmt: skip
"""What a recipe may leave out: files of one's own, and what means nothing beside what it says."""


def place_of(name: str) -> Path:
    return Path(str(files("recipes"))) / f"{name}.toml"


def words_on_top(name: str) -> list[list[str]]:
    """The commands in the comment of a recipe, as a shell splits them."""
    lines = place_of(name).read_text().splitlines()
    comment = [line.removeprefix("#").strip() for line in lines[: lines.index("")]]
    comment = "\n".join(comment).replace("\\\n", "").splitlines()
    return [shlex.split(line) for line in comment if line.startswith(("auscult ", "distill "))]


command_of = cache(load)


def parsed(words: list[str]) -> dict[str, object]:
    """The values that a command would get from a command line."""
    name, *rest = words[1:] if words[0] == "auscult" else words
    values = command_of(name).make_context(name, rest).params
    return {key: value for key, value in values.items() if key != "recipe"}


def test_there_are_recipes():
    rows = {f"multibreath/{network}-{head}" for network in MULTI_BREATH for head in ("linear", "csra")}
    assert {"sprsound2022-teacher", "sprsound2022-student"} | rows <= set(shipped())


@pytest.mark.parametrize("name", [name for name in shipped() if name.startswith("multibreath/")])
def test_multi_breath_rows_are_students_that_hear_eight_seconds(name):
    recipe = Recipe.open(name)
    network, head, *_ = name.removeprefix("multibreath/").split("-")
    values = recipe.values
    assert (values["student"], values["head"], values["width"]) == (network, head, 1.0)
    assert (values["learning-rate"], values["batch-size"], values["protocol"]) == (1e-3, 64, ["cycles"])
    assert Listening.with_whole_hop(SPECS[values["logmel"]], values["seconds"], values["hop"]).frames == 251
    assert "arXiv:2407.10828, " in recipe.follows


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
    left_out -= {"size", "frames", "patch", "target_start"} if recipe.values.get("weights") else set()
    left_out -= {"teacher", "size"} if recipe.values.get("from-run") else set()
    left_out -= {"heads"} if values.get("head") == "linear" else set()
    left_out -= {"depth"} if values.get("student") != "stream" else set()
    left_out -= OF_A_DEVICE if "width" in recipe.values else set()
    kind = (
        recipe.command
        if recipe.command != "distill"
        else next(key for key in ("teacher-run", "teacher") if key in recipe.values)
    )
    assert left_out <= LEFT_OUT[kind]
    assert recipe.follows


def test_the_figures_come_from_the_recipes():
    figures = (Path(__file__).parents[2] / "docs" / "figures.md").read_text()
    for name in ("sprsound2022-teacher", "sprsound2022-student"):
        assert " ".join(words_on_top(name)[0]) in figures
    assert "--recipe sprsound2022-labels" in figures


@pytest.mark.slow
def test_a_run_tells_which_recipe_it_followed(auscult, place, small_options, tmp_path):
    recipe = tmp_path / "mine.toml"
    words = [f'data = ["icbhi2017:{place / "corpus"}"]', 'protocol = ["stream"]', "seconds = 2.0", "validation = 0.34"]
    words += ['command = "distill"', "epochs = 9", "width = 0.0625", 'teacher = "none"']
    recipe.write_text("\n".join(words))
    code, said, complaint = auscult("distill", "--recipe", recipe, "--epochs", 1, "--runs", tmp_path / "runs", "--json")
    assert code == 0, complaint
    run = Run.load(Path(json.loads(said)["run"]))
    assert run.options["recipe"] == {"name": str(recipe), "sha256": sha256(recipe.read_bytes()).hexdigest()}
    assert (run.options["epochs"], run.model["width"], run.protocols) == (1, 0.0625, ("stream",))
    told = json.loads(auscult("runs", tmp_path / "runs", "--json")[1])
    assert told["runs"][0]["recipe"]["name"] == str(recipe)


def test_recipes_are_listed(auscult):
    code, said, _ = auscult("recipes", "--json")
    assert code == 0
    for row in json.loads(said)["recipes"]:
        written = tomllib.loads(place_of(row["name"]).read_text())
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
