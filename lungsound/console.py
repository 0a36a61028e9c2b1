"""How commands speak: errors in a sentence, progress on stderr, one JSON object on stdout."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, track

from lungsound.errors import InputError
from lungsound.plain_json import dumps

T = TypeVar("T")

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)


def run(app: Callable[[], object]) -> NoReturn:
    """Run a typer app: exit 0, 1 with one sentence on bad input, 2 on wrong usage, 130 when interrupted."""
    try:
        app()
    except InputError as error:
        err.print(f"error: {error}", style="bold red", markup=False, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("interrupted", style="bold red")
        sys.exit(130)
    sys.exit(0)


def print_json(values: dict[str, Any]) -> None:
    """Print one JSON object on stdout."""
    sys.stdout.write(dumps(values))


def progress(items: Iterable[T], doing: str, total: int | None = None) -> Iterator[T]:
    """Iterate over `items` with a progress bar on stderr; silent where stderr is no terminal."""
    return iter(track(items, description=doing, total=total, console=err, transient=True, disable=not err.is_terminal))


@contextmanager
def activity() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows on stderr what is being done, until the block ends; silent where that is no terminal.

    For work whose end cannot be told in steps; where it can, see :func:`progress`.
    """
    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as shown:
        task = shown.add_task("", total=None)
        yield lambda doing: shown.update(task, description=doing)
