"""The two streams of a terminal: answers on stdout, progress and notes on stderr."""

import os
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.box import SIMPLE
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

T = TypeVar("T")

out = Console(soft_wrap=True, emoji=False)  # a path may hold :x:
err = Console(stderr=True, soft_wrap=True, emoji=False)

_BETWEEN = 3
"""Characters between two columns."""

_NARROWEST = 12
"""Characters that a column of text may be folded to."""

_pipe = Console(width=10_000, emoji=False)
"""For tables where stdout is no terminal: a pipe and a file take lines of any length."""


def print_table(table: Table) -> None:
    """Print a table of which nothing is cut.

    The first column, of names that someone may want to copy, and columns of figures stay whole; a terminal folds the
    others. Where that is no terminal, or one too narrow, the lines are as long as they must be, and without rules.
    """
    if table.title:
        out.print(table.title, style="italic", highlight=False, markup=False)
    table.title, table.pad_edge, table.show_edge = None, False, False
    for place, column in enumerate(table.columns):
        column.no_wrap, column.overflow = place == 0 or column.justify == "right", "fold"
    if out.is_terminal and sum(map(_least_width, table.columns)) - _BETWEEN <= out.width:
        table.box = SIMPLE
        out.print(table, soft_wrap=False)
    else:
        table.box = None
        _pipe.print(table)


def _least_width(column: Column) -> int:
    """Return the characters a column needs, with what is between it and the next."""
    whole = max(cell_len(line) for cell in (column.header, *column.cells) for line in str(cell).split("\n"))
    return (whole if column.no_wrap else min(whole, _NARROWEST)) + _BETWEEN


def progress(items: Iterable[T], doing: str, total: int | None = None) -> Generator[T, None, None]:
    """Iterate over `items` with a progress bar on stderr; silent where stderr is no terminal."""
    with _display() as shown:
        task = shown.add_task(doing, total=total)
        try:
            yield from shown.track(items, total=total, task_id=task)
        finally:
            shown.remove_task(task)


@contextmanager
def activity() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows on stderr what is being done, until the block ends; silent where that is no terminal.

    For work whose end cannot be told in steps; where it can, see :func:`progress`.
    """
    with _display() as shown:
        task = shown.add_task("", total=None)
        try:
            yield lambda doing: shown.update(task, description=doing, refresh=True)
        finally:
            shown.remove_task(task)


@contextmanager
def without_notes() -> Iterator[None]:
    """Drop what compiled libraries write on stderr as "INFO: ..." until the block ends; the rest comes then."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            caught.seek(0)
            for line in caught:
                if not line.startswith(b"INFO: "):
                    os.write(2, line)


class _BarOfSteps(ProgressColumn):
    """A bar where the steps are known, nothing elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = BarColumn()

    def render(self, task: Task) -> object:  # type: ignore[override]
        """Return what stands in the column."""
        return self._bar.render(task) if task.total else Text()


_displays: list[Progress] = []


@contextmanager
def _display() -> Iterator[Progress]:
    """Yield the display that is shown already, for a terminal shows one at a time; else a new one."""
    if _displays:
        yield _displays[-1]
        return
    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), _BarOfSteps(), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as shown:
        _displays.append(shown)
        try:
            yield shown
        finally:
            _displays.remove(shown)
