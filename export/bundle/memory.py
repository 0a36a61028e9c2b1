"""A limit on the memory that a model from anybody may take."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lungsound.errors import InputError

MOST = 1 << 30
"""Bytes that loading or running a model may take; the published networks take a twentieth."""
_A_THREAD = 1 << 27
"""Addresses that each further thread reserves, for its stack and its heap."""


@contextmanager
def limited_memory(threads: int = 1) -> Iterator[None]:
    """Let the process grow by `MOST` bytes while a runtime does what a file tells it; only Linux limits it.

    Parameters
    ----------
    threads : int
        That the runtime computes with.

    Raises
    ------
    InputError
        If it would have taken more.
    """
    if sys.platform != "linux":
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = [used + MOST + (threads - 1) * _A_THREAD, *(limit for limit in before if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), before[1]))
    try:
        yield
    except MemoryError as error:
        raise InputError(f"needs more than {MOST >> 20} MB of memory; export the run again") from error
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
