"""Whether a process uses what lies on disk: the kernel knows, and forgets when the process dies.

Whoever writes or reads holds a shared lock (flock) on the file or folder; whoever removes asks for it alone. Where
there are no such locks (Windows, some network drives) nothing is known to be in use.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover
    fcntl = None  # type: ignore[assignment]


def mark_used(descriptor: int) -> None:
    """Count an open file or folder as in use, and its use as now, until it and all memory maps of it are closed."""
    with suppress(OSError):  # somebody else's
        os.utime(descriptor)
    if fcntl:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


def use_until_exit(path: Path) -> None:
    """Count a file or folder as in use until this process ends."""
    if path not in _used:
        _used[path] = os.open(path, os.O_RDONLY)
        mark_used(_used[path])


_used: dict[Path, int] = {}


@contextmanager
def in_use(path: Path) -> Iterator[None]:
    """Count a file or folder as in use until the block ends."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        mark_used(descriptor)
        yield
    finally:
        os.close(descriptor)


def is_used(path: Path) -> bool:
    """Tell whether any process uses a file, or a folder or anything in it."""
    inside = (Path(folder) / name for folder, _, files in os.walk(path) for name in files) if path.is_dir() else ()
    return any(_is_locked(one) for one in (path, *inside))


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        if fcntl:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in (errno.EWOULDBLOCK, errno.EACCES)
    finally:
        os.close(descriptor)
    return False
