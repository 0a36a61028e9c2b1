"""Where things that can be made again are kept, what lies there, and how it goes."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lungsound.files.leftovers import age, leftovers, remove
from lungsound.files.use import is_used

LOCKS = "locks"
"""Folder in the cache of the locks under which things are made."""

FAULTS = "faults"
"""Folder in the cache for what nobody expected."""

KINDS = {
    "features": ("features/[!.]*", "log-mels of windows"),
    "teacher_outputs": ("teacher_outputs/[!.]*", "what teachers say of windows"),
    "layers": ("layers/[!.]*", "what layers of encoders make of windows"),
    "synthetic": ("synthetic-*", "the embedded corpus"),
    "teachers": ("teachers/[!.]*", "published weights"),
    "programs": ("programs/[!.]*", "classifiers that were built from their C"),
    "faults": (f"{FAULTS}/[!.]*", "reports of what nobody expected"),
    "locks": (f"{LOCKS}/[!.]*", "locks under which things are made"),
    "leftovers": (None, "what killed processes left"),
}
"""Name of each kind of entry: the pattern of its paths in the cache, and what it is."""

DOWNLOADED = "teachers"
"""The kind that is not made here, but comes from far away."""


@dataclass(frozen=True)
class Entry:
    """A file or folder of the cache.

    Attributes
    ----------
    path : Path
        Where it lies.
    kind : str
        One of `KINDS`.
    size : int
        Bytes, with all that lies in it.
    unused : float
        Seconds since it was used last.
    """

    path: Path
    kind: str
    size: int
    unused: float


def cache_folder() -> Path:
    """Return ``$AUSCULT_CACHE``, or ``~/.cache/auscult`` where it is not set; the folder may not exist yet."""
    chosen = os.environ.get("AUSCULT_CACHE")
    return Path(chosen).expanduser().resolve() if chosen else Path.home() / ".cache" / "auscult"


def entries(cache: Path) -> Iterator[Entry]:
    """Yield what lies in a cache, kind by kind; what is none of `KINDS` is somebody else's."""
    for kind, (pattern, _) in KINDS.items():
        for path in _left(cache) if pattern is None else sorted(cache.glob(pattern)):
            try:
                yield Entry(path, kind, _size(path), age(path))
            except OSError:  # another process removed it meanwhile
                continue


def removed(found: list[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Remove entries; return those that are gone, and those that a process uses or that cannot be removed."""
    gone: list[Entry] = []
    kept: list[Entry] = []
    for entry in found:
        if not is_used(entry.path):
            remove(entry.path)
        (kept if entry.path.exists() else gone).append(entry)
    return gone, kept


def _left(cache: Path) -> list[Path]:
    """Return leftovers of any age; in the stores every hidden name, as an earlier state called its temporaries so."""
    hidden = [path for kind in ("features", "teacher_outputs") for path in sorted((cache / kind).glob(".*"))]
    return [*leftovers(cache, 0), *leftovers(cache / "teachers", 0), *hidden]


def _size(path: Path) -> int:
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum((Path(folder) / name).lstat().st_size for folder, _, files in os.walk(path) for name in files)
