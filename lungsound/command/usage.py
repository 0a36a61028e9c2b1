"""Options that a command would ignore are refused, so that nobody believes that they did something."""

from collections.abc import Iterable

import typer


def is_given(context: typer.Context, name: str) -> bool:
    """Return whether a parameter was given, on the command line or by a recipe."""
    return _source(context, name) in ("COMMANDLINE", "DEFAULT_MAP")


def refuse_ignored(context: typer.Context, names: Iterable[str], why: str) -> None:
    """Refuse parameters that were given and would be ignored.

    Parameters
    ----------
    context : typer.Context
        Of the command.
    names : iterable of str
        Parameters, as the command's function has them.
    why : str
        What follows their options in the sentence, such as ``means something with --target alone``.

    Raises
    ------
    typer.BadParameter
        Naming those that were given, on the command line or by a recipe.
    """
    given = [name for name in names if is_given(context, name)]
    if given:
        raise typer.BadParameter(why, param_hint=[_words(context, name) for name in given])


def data_given(context: typer.Context, data: list[str]) -> list[str]:
    """Return the corpora that were given; none where `data` is a default."""
    return data if is_given(context, "data") else []


def refuse_beside_resume(context: typer.Context) -> None:
    """Refuse whatever was given beside ``--resume``, ``--data`` and ``--json``.

    An interrupted training has settings of its own; only where its corpora lie now may be said.
    """
    names = [str(parameter.name) for parameter in context.command.params]
    beside = ("resume", "data", "json_output")
    # A recipe is named alone, not with all that it says.
    others = ["recipe"] if is_given(context, "recipe") else [name for name in names if name not in beside]
    refuse_ignored(context, others, "ignored with --resume, which goes on with the settings of the run; leave it out")


def _source(context: typer.Context, name: str) -> str:
    return getattr(context.get_parameter_source(name), "name", "")


def _words(context: typer.Context, name: str) -> str:
    """Return a parameter as a user writes it, and where it stands if that is no command line."""
    option = next(max(found.opts, key=len) for found in context.command.params if found.name == name)
    return f"{option} (of the recipe)" if _source(context, name) == "DEFAULT_MAP" else option
