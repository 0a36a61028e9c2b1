"""Things that are stored once: of two processes that need one, one makes it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from lungsound.errors import InputError
from lungsound.files.cache import LOCKS
from lungsound.files.lock import held
from lungsound.terminal import err

T = TypeVar("T")


def stored_once(cache: Path, path: Path, opened: Callable[[], T | None], make: Callable[[], T | None]) -> T:
    """Return what is stored, made first where it is missing or damaged; of two processes one makes it.

    Parameters
    ----------
    cache : Path
        Folder that holds the lock under which it is made.
    path : Path
        Where it lies.
    opened : callable
        Opens it; None where it is missing or damaged.
    make : callable
        Stores it at `path`, whole or not at all, and opens it.

    Raises
    ------
    InputError
        If it cannot be opened when it has been made, or what `opened` and `make` raise.
    """
    found = opened()
    if found is not None:
        return found
    with held(cache / LOCKS / path.name, wait=True):
        found = opened()  # another process may have made it meanwhile
        if found is not None:
            return found
        if path.exists():
            err.print(f"note: {path} is damaged; it is made again", style="yellow", markup=False, highlight=False)
        found = make()
    if found is None:
        raise InputError(f"{path}: is not what was written a moment ago; check the disk, or set $AUSCULT_CACHE")
    return found
