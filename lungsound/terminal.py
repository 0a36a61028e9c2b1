"""The two streams of a terminal: answers on stdout, progress and notes on stderr."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, track

T = TypeVar("T")

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)


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
