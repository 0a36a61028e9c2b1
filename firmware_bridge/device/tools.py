"""Runs a compiler or one of its companions."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lungsound.errors import InputError


class ToolRefused(InputError):
    """What a compiler refused, with all that it said."""

    def __init__(self, sentence: str, said: str) -> None:
        super().__init__(sentence)
        self.said = said


@contextmanager
def cannot_be_run(command: list[str]) -> Iterator[None]:
    """Turn what the system says of a program that it cannot start into an `InputError`."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{command[0]} cannot be run ({error.strerror}); install it again") from error


def run_tool(command: list[str], folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a compiler or one of its companions; what it refuses, or that it cannot be run, is an `InputError`."""
    with cannot_be_run(command):
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, cwd=folder)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error:" in line.lower() or "overflow" in line]
        said = (lines or done.stderr.splitlines() or ["it said nothing"])[0]
        raise ToolRefused(f"{command[0]} refused with exit code {done.returncode}: {said}", done.stderr)
    return done
