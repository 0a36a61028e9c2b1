"""Where things that can be made again are kept."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from lungsound.errors import InputError
from lungsound.files.lock import held

LOCKS = "locks"
"""Folder in the cache of the locks under which things are made."""

T = TypeVar("T")


def cache_folder() -> Path:
    """Return ``$AUSCULT_CACHE``, or ``~/.cache/auscult`` where it is not set; the folder may not exist yet."""
    chosen = os.environ.get("AUSCULT_CACHE")
    return Path(chosen).expanduser().resolve() if chosen else Path.home() / ".cache" / "auscult"


def stored_once(path: Path, opened: Callable[[], T | None], make: Callable[[], None]) -> T:
    """Return what is stored, made first where it is missing or damaged; of two processes one makes it.

    Parameters
    ----------
    path : Path
        Where it lies, two steps below the cache folder: ``CACHE/KIND/NAME``.
    opened : callable
        Opens it; None where it is missing or damaged.
    make : callable
        Stores it at `path`, whole or not at all.
    """
    found = opened()
    if found is not None:
        return found
    with held(path.parent.parent / LOCKS / path.name, wait=True):
        found = opened()  # another process may have made it meanwhile
        if found is not None:
            return found
        if path.exists():
            print(f"note: {path} is damaged; it is made again", file=sys.stderr, flush=True)
        make()
    found = opened()
    if found is None:
        raise InputError(
            f"{path}: is not what was written a moment ago; the disk may be failing; set AUSCULT_CACHE elsewhere"
        )
    return found
