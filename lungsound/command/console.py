"""How commands end: errors in a sentence on stderr, an exit code, one JSON object on stdout."""

import sys
from collections.abc import Callable
from typing import Any, NoReturn

from lungsound.errors import InputError
from lungsound.files.plain_json import dumps
from lungsound.terminal import err

OWN = ("auscult", "lungsound", "teachers", "students", "distill", "export", "firmware_bridge")
"""Packages of which a missing module is a fault, not something to install."""


def run(app: Callable[[], object]) -> NoReturn:
    """Run a typer app: exit 0, 1 with one sentence on bad input, 2 on wrong usage, 130 when interrupted."""
    try:
        app()
    except InputError as error:
        err.print(f"error: {error}", style="bold red", markup=False, highlight=False)
        sys.exit(1)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in OWN:
            raise
        sentence = f"error: the package {error.name} is missing; pip install 'auscult-edge[train]'"
        err.print(sentence, style="bold red", markup=False, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("interrupted", style="bold red")
        sys.exit(130)
    sys.exit(0)


def print_json(values: dict[str, Any]) -> None:
    """Print one JSON object on stdout."""
    sys.stdout.write(dumps(values))
