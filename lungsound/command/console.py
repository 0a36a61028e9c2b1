"""How commands end: errors in a sentence on stderr, an exit code, one JSON object on stdout."""

import io
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import typer

from lungsound.errors import InputError, first_line, on_a_screen, os_sentence
from lungsound.files.cache import FAULTS, cache_folder
from lungsound.files.plain_json import dumps
from lungsound.files.record import Range
from lungsound.files.versions import versions
from lungsound.terminal import err

OWN = ("auscult", "lungsound", "teachers", "students", "distill", "export", "firmware_bridge")
"""Packages of which a missing module is a fault, not something to install."""

INTERRUPTED = 130

_NUMBERS = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "greater": "a number",
    "less": "a number",
}
"""How pydantic's types of faults begin where an option takes a number, and what it then must be."""


def run(app: Callable[..., object]) -> NoReturn:
    """Run a typer app: exit 0, 1 with one sentence, 2 on wrong usage, 130 when interrupted.

    What nobody expected is one sentence too: it names the file that holds the traceback.

    Parameters
    ----------
    app : callable
        Takes ``standalone_mode``, as typer's apps do.
    """
    _write_whatever_comes()
    try:
        code = app(standalone_mode=False)  # else typer says "Aborted." and nothing else of an EOFError
        sys.stdout.flush()
    except Exception as error:
        code = _tell(error)
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # pressed once more: it ends anyway
        err.print("interrupted", style="bold red")
    try:
        sys.stdout.flush()
    except OSError:  # nobody reads on, or it was told above: Python's own flush at the end shall not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code if isinstance(code, int) else 0)


def print_json(values: dict[str, Any]) -> None:
    """Print one JSON object on stdout."""
    sys.stdout.write(dumps(values))


def _write_whatever_comes() -> None:
    """Let stdout and stderr escape what the terminal's encoding lacks; one that is closed swallows what comes."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _tell(error: Exception) -> int:
    """Say on stderr what stopped a command; return the exit code."""
    if isinstance(error, typer.Abort):
        cause = error.__cause__ or error.__context__
        if isinstance(cause, KeyboardInterrupt):
            return INTERRUPTED
        error = cause if isinstance(cause, Exception) else error
    if hasattr(error, "format_message"):  # typer's own, of wrong usage
        return _tell_usage(error)
    if isinstance(error, BrokenPipeError):  # as `| head` breaks one that has read enough
        return 1
    sentence = _sentence(error) or _unexpected(error)
    err.print(f"error: {on_a_screen(sentence)}", style="bold red", markup=False, highlight=False)
    return 1


def _tell_usage(error: Any) -> int:
    from typer.rich_utils import rich_format_error

    error.message = on_a_screen(_of_a_number(error) or error.message)
    rich_format_error(error)
    return int(error.exit_code)


def _of_a_number(error: Any) -> str | None:
    """Return value and range of an option's number that does not fit, which pydantic's words lack; else None."""
    faults: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    kind = _NUMBERS.get(faults[0]["type"].partition("_")[0]) if faults else None
    if kind is None:
        return None
    least, most = error.param.min, error.param.max
    within = "" if None in (least, most) else f" {Range(least, most)}"
    return f"{faults[0]['input']} must be {kind}{within}"


def _sentence(error: Exception) -> str | None:
    """Return what a user can mend, None if nobody knows what."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] not in OWN:
        return f"the package {error.name} is missing; pip install 'auscult-edge[train]'"
    if isinstance(error, MemoryError) or _is_out_of_memory(error):
        return "the memory of this machine is full; close other programs, or ask for smaller batches or windows"
    if isinstance(error, OSError) and error.errno is not None:
        return os_sentence(error)
    if isinstance(error, ValueError) and str(error).startswith("embedded null"):
        return "a path holds a NUL character, which no path has; mend it where it is written"
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):  # pathlib's, up to Python 3.12
        return f"{str(error).rpartition(' ')[2]}: a circle of links; name the file itself"
    return None


def _is_out_of_memory(error: Exception) -> bool:
    """Return whether torch lacks memory: on the GPU a class of its own, else its allocator's words."""
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def _unexpected(error: Exception) -> str:
    """Store the traceback of what nobody expected and return where it lies."""
    about = {"command": sys.argv, "versions": versions(), "python": sys.version}
    text = "".join(traceback.format_exception(error)) + "\n" + dumps(about)
    name = f"{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    for folder in (cache_folder() / FAULTS, Path(tempfile.gettempdir())):
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / f"auscult-{name}"
            file.write_text(text, encoding="utf-8", errors="backslashreplace")
            return f"{_named(error)}. This is a fault of auscult; please report it with {file}, which says how it came"
    return f"{_named(error)}. This is a fault of auscult; please report it"


def _named(error: Exception) -> str:
    said = first_line(error)
    return f"{type(error).__name__}: {said}" if said != type(error).__name__ else said
