"""Options that would be ignored are refused, wherever they come from."""

from typing import Annotated

import pytest
import typer

from lungsound.command.recipes import recipe_option
from lungsound.command.usage import refuse_ignored


def fry(
    context: typer.Context,
    pan: str = "none",
    heat: int = 3,
    oil_of_olives: bool = False,
    recipe: Annotated[str | None, recipe_option("fry")] = None,
) -> None:
    """Stand for a command two options of which need a third."""
    if pan == "none":
        refuse_ignored(context, ["heat", "oil_of_olives"], "needs a pan")


def run(*words: object) -> str:
    """What the command complains of, "" if it runs."""
    app = typer.Typer()
    app.command()(fry)
    try:
        typer.main.get_command(app)([str(word) for word in words], standalone_mode=False)
    except typer.BadParameter as error:
        return error.format_message()
    return ""


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], ""),
        (["--pan", "wok", "--heat", 3], ""),
        (["--heat", 2], "--heat: needs a pan"),
        (["--heat", 3], "--heat: needs a pan"),  # the default, but given
        (["--oil-of-olives", "--heat", 3], "--heat / --oil-of-olives: needs a pan"),
    ],
)
def test_what_is_given_and_ignored_is_refused(words, complaint):
    assert run(*words).replace("'", "").removeprefix("Invalid value for ") == complaint


def test_what_a_recipe_gives_is_given(tmp_path):
    recipe = tmp_path / "fry.toml"
    recipe.write_text('command = "fry"\nheat = 3\n')
    assert "--heat (of the recipe)" in run("--recipe", recipe)
    assert run("--recipe", recipe, "--pan", "wok") == ""
    complaint = run("--recipe", recipe, "--heat", 4)
    assert "--heat" in complaint
    assert "of the recipe" not in complaint
