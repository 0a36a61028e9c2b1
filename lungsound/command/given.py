"""Options that would be ignored are refused."""

from collections.abc import Collection

import typer

from lungsound.errors import InputError


def given(context: typer.Context) -> dict[str, str]:
    """Return the options that somebody gave, on the command line or in a recipe: parameter name to spelling."""
    sources = {parameter: context.get_parameter_source(str(parameter.name)) for parameter in context.command.params}
    # By name: typer carries a click of its own.
    told = [parameter for parameter, source in sources.items() if source is not None and source.name != "DEFAULT"]
    return {str(parameter.name): max(parameter.opts, key=len) for parameter in told}


def refuse_ignored(context: typer.Context, reason: str, ignored: Collection[str]) -> None:
    """Refuse options that do not count.

    Parameters
    ----------
    context : typer.Context
        Of the command.
    reason : str
        Why they do not: "with --teacher-run".
    ignored : collection of str
        Names of their parameters.

    Raises
    ------
    InputError
        If one was given.
    """
    found = sorted(spelling for name, spelling in given(context).items() if name in ignored)
    if found:
        raise InputError(
            f"{', '.join(found)}: would be ignored {reason}; leave {'it' if len(found) == 1 else 'them'} out"
        )


def refuse_beside_resume(context: typer.Context) -> None:
    """Refuse every option beside ``--resume`` but ``--json``, since an interrupted training has its settings."""
    others = {str(parameter.name) for parameter in context.command.params} - {"resume", "json_output"}
    refuse_ignored(context, "with --resume, which goes on with the settings of the run", others)
