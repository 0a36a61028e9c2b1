"""Work on many recordings, on all cores."""

import signal
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def in_parallel(work: Callable[[A], B], items: Sequence[A], *, worth_a_pool: int = 16, at_once: int = 4) -> Iterator[B]:
    """Yield what `work` makes of each item, in their order, on all cores.

    In processes, as short array operations hold Python's lock.

    Parameters
    ----------
    work : callable
        What is to be done; it goes to other processes.
    items : sequence
        Recordings, or what takes as long.
    worth_a_pool : int
        Fewer items are done before the processes have started.
    at_once : int
        Items that a process takes at once.
    """
    if len(items) < worth_a_pool:
        yield from map(work, items)
        return
    from concurrent.futures import ProcessPoolExecutor  # what reads a sound alone need not wait for it

    with ProcessPoolExecutor(initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)) as pool:
        yield from pool.map(work, items, chunksize=at_once)
