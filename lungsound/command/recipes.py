"""Recipes: flat TOML files that give a command its options by name; the command line wins over them."""

import hashlib
import tomllib
import types
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

import typer

from lungsound.errors import InputError, first_line
from lungsound.files.untrusted import read_bytes

NOT_OF_A_RECIPE = ("recipe", "resume", "runs", "json_output")
"""Parameters that say where and how a command runs here, not what it does."""

_ENDING = ".toml"
_LARGEST = 2**16
_KINDS = {bool: "true or false", int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Recipe:
    """A recipe as its file has it.

    Attributes
    ----------
    place : str
        The file, or the name of one that is shipped; for sentences.
    command : str
        The command it is for.
    follows : str
        Paper and table, "" where it follows none.
    values : dict
        By option, without the dashes before it; not yet checked against the command.
    sha256 : str
        Of the file.
    """

    place: str
    command: str
    follows: str
    values: dict[str, Any]

    sha256: str

    def credit(self) -> dict[str, str]:
        """Return what a run stores of the recipe that it follows."""
        return {"name": self.place, "sha256": self.sha256}

    @classmethod
    def open(cls, name: str) -> Self:
        """Read a recipe.

        Parameters
        ----------
        name : str
            Of a shipped one, or the path of a ``.toml`` file.

        Raises
        ------
        InputError
            If there is none, or it is not flat TOML that names its command.
        """
        if not name.endswith(_ENDING) and name not in shipped():
            raise InputError(f"no recipe called {name!r}; {_meant(name, shipped())}, or name a {_ENDING} file")
        own = files("recipes").joinpath(*f"{name}{_ENDING}".split("/"))
        content = own.read_bytes() if name in shipped() else read_bytes(Path(name), _LARGEST)
        try:
            values = tomllib.loads(content.decode())
        except (ValueError, RecursionError) as error:
            raise InputError(f"{name}: not TOML ({first_line(error)}); mend the file") from error
        command, follows = values.pop("command", None), values.pop("follows", "")
        if not isinstance(command, str) or not isinstance(follows, str):
            raise InputError(f'{name}: does not say which command it is for; write command = "distill", for instance')
        return cls(name, command, follows, values, hashlib.sha256(content).hexdigest())


def shipped() -> list[str]:
    """Return the names of the recipes that come with auscult; those of a folder begin with its name."""
    top = list(files("recipes").iterdir())
    found = [("", file) for file in top] + [(f"{f.name}/", file) for f in top if f.is_dir() for file in f.iterdir()]
    return sorted(folder + file.name.removesuffix(_ENDING) for folder, file in found if file.name.endswith(_ENDING))


def recipe_option(command: str) -> Any:
    """Return the option ``--recipe`` of a command; it is read before the others and gives them their defaults.

    Parameters
    ----------
    command : str
        As `auscult` has it.
    """

    def follow(context: typer.Context, name: str | None) -> str | None:
        if name is not None and not context.resilient_parsing:
            context.default_map = defaults(Recipe.open(name), command, context)
        return name

    return typer.Option(
        "--recipe",
        metavar="NAME|FILE.toml",
        is_eager=True,
        callback=follow,
        autocompletion=lambda: [name for name in shipped() if Recipe.open(name).command == command],
        help="Take the options from a recipe; those given here win. `auscult recipes` lists them.",
    )


def defaults(recipe: Recipe, command: str, context: typer.Context) -> dict[str, Any]:
    """Return the values of a recipe by the command's parameters.

    Parameters
    ----------
    recipe : Recipe
        As read.
    command : str
        The command that shall follow it.
    context : typer.Context
        Of that command.

    Raises
    ------
    InputError
        If the recipe is for another command, or a key or the type or range of a value is not an option's.
    """
    if recipe.command != command:
        raise InputError(f"{recipe.place}: a recipe for {recipe.command}, not for {command}; name another")
    hints = get_type_hints(context.command.callback)
    options = {
        max(parameter.opts, key=len).lstrip("-"): parameter
        for parameter in context.command.params
        if parameter.name in hints and parameter.name not in NOT_OF_A_RECIPE
    }
    found = {}
    for key, value in recipe.values.items():
        if key not in options:
            raise InputError(
                f"{recipe.place}: {key!r} is no option of {command} that a recipe gives; {_meant(key, options)}"
            )
        parameter = options[key]
        if wanted := _unlike(value, hints[str(parameter.name)]):
            raise InputError(f"{recipe.place}: {key} must be {wanted}, got {str(value)[:40]!r}")
        try:
            parameter.process_value(context, value)
        except typer.BadParameter as error:
            raise InputError(f"{recipe.place}: {key} = {str(value)[:40]}: {error.message}") from error
        found[str(parameter.name)] = value
    return found


def _unlike(value: object, annotation: Any) -> str:
    """Return what an option of this annotation wants where a value is of another type, else ""."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(kind for kind in get_args(annotation) if kind is not type(None))
    if get_origin(annotation) is list:
        (inner,) = get_args(annotation)
        fits = isinstance(value, list) and not any(_unlike(item, inner) for item in value)
        return "" if fits else f"a list, each item {_KINDS.get(inner, 'text in quotes')}"
    if isinstance(value, bool) or annotation is bool:
        fits = isinstance(value, bool) and annotation is bool
    elif annotation in (int, float):
        fits = isinstance(value, int if annotation is int else int | float)
    else:
        fits = isinstance(value, str)
    return "" if fits else _KINDS.get(annotation, "text in quotes")


def _meant(name: str, choices: Collection[str]) -> str:
    """Return what to write instead of an unknown name, in words."""
    close = get_close_matches(name, choices, n=1)
    return f"perhaps {close[0]} is meant" if close else f"choose from {', '.join(sorted(choices))}"
