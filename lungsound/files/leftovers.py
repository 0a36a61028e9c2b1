"""What writers that were killed leave behind: hidden names beside what they were writing."""

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

from lungsound.files.use import is_used

UNFINISHED = ".auscult"
"""How the name of a temporary ends, after what it shall be called and eight random characters."""

EARLIER = ".auscult-earlier"
"""The same for the folder that holds what is being replaced."""

_NAME = re.compile(rf"\.(.+)\.[a-z0-9_]{{8}}({UNFINISHED}|{EARLIER})")
_DAY = 24 * 3600.0


def leftovers(folder: Path, seconds: float = _DAY) -> list[Path]:
    """Return what killed writers left in a folder.

    Parameters
    ----------
    folder : Path
        Looked through, without what lies deeper.
    seconds : float
        Younger ones are left out, and those that a process writes.
    """
    with suppress(OSError):
        return sorted(
            path for path in folder.iterdir() if _is_left(path) and age(path) >= seconds and not is_used(path)
        )
    return []


def sweep(folder: Path) -> None:
    """Remove the leftovers of a folder that are older than a day, as far as that can be done."""
    for path in leftovers(folder):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder; what cannot be removed stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def age(path: Path) -> float:
    """Return the seconds since a file, or a folder and what lies in it, was changed last."""
    newest = path.lstat().st_mtime
    for inside, _, files in os.walk(path):
        newest = max([newest, *((Path(inside) / name).lstat().st_mtime for name in files)])
    return time.time() - newest


def _is_left(path: Path) -> bool:
    """Tell whether a name is a temporary's; what was being replaced counts only once its place is taken again."""
    name = _NAME.fullmatch(path.name)
    return name is not None and (name[2] == UNFINISHED or (path.parent / name[1]).exists())
