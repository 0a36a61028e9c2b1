"""A lock that one process holds at a time, and that the kernel takes from it when it dies."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from lungsound.errors import InputError

LOCK_FILE = ".lock"
"""What a folder's lock is called that lies in the folder itself; sentences then name the folder."""

_PATIENCE = 1.0
"""Seconds of waiting without a word."""

_LARGEST = 4096


@contextmanager
def held(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold an exclusive lock until the block ends, between processes and threads alike.

    While it is held, the file says who holds it: pid, host and since when. It stays when the lock is given back, for
    others may wait at it.

    Parameters
    ----------
    path : Path
        The file that is locked; made if it is missing, with its folder.
    wait : bool
        Wait where another process holds it, and after a second say on stderr for whom; else refuse.

    Raises
    ------
    InputError
        If another process holds it and nobody waits, or the file cannot be locked.
    """
    from filelock import FileLock, Timeout  # brings asyncio, which help need not wait for

    lock = FileLock(path, fallback_to_soft=False, on_acquired=_sign)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=_PATIENCE if wait else 0)
        except Timeout:
            if not wait:
                raise InputError(f"{_locked(path)}: in use by {_holder(path)}; wait until it has ended") from None
            print(f"waiting for {_holder(path)}, which uses {_locked(path)}", file=sys.stderr, flush=True)
            lock.acquire()
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or "its file system has no locks"
        raise InputError(f"{path}: cannot be locked ({reason}); name a folder that can be written") from error
    try:
        yield
    finally:
        lock.release()


def _sign(descriptor: int) -> None:
    """Write who holds a lock into its file."""
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}"}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _locked(path: Path) -> Path:
    return path.parent if path.name == LOCK_FILE else path


def _holder(path: Path) -> str:
    """Return who holds a lock, in words."""
    try:
        with path.open("rb") as file:
            said = json.loads(file.read(_LARGEST))
        return f"process {int(said['pid'])} on {said['host']!s:.80} since {said['since']!s:.20}"
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return "another process"
