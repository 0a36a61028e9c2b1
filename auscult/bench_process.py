"""One measured thing in a fresh process of its own, so that its peak memory is its own."""

import multiprocessing
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.bundle.memory import limited_memory
from lungsound.errors import InputError
from lungsound.terminal import progress

WARM_UP = 3
PATIENCE = 120.0
"""Seconds that loading and the first runs may take: a file of 200 bytes can ask for hours."""
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Subject:
    """Something to measure.

    Attributes
    ----------
    title : str
        For tables.
    load : callable
        A module's function, called in the fresh process with `arguments`; returns what takes `window`.
    arguments : tuple
        Of plain values, so that they travel between processes.
    window : ndarray
        The input.
    size : int or None
        Bytes of the model file, None where there is none.
    threads : int or None
        Of a runtime that does what somebody's file tells it: its process has limited memory. None for what is ours.
    """

    title: str
    load: Callable[..., Callable[[NDArray[Any]], object]]
    arguments: tuple[Any, ...]
    window: NDArray[Any]
    size: int | None = None
    threads: int | None = None


@dataclass(frozen=True)
class Measured:
    """What a process told of a subject.

    Attributes
    ----------
    load_ms, first_ms : float
        Loading, imports included, and the first run.
    rounds : ndarray of float64, shape [rounds, runs]
        Milliseconds of every run.
    peak_bytes : int
        Most memory that the process held.
    added_bytes : int
        How much of that came with loading and running the subject.
    """

    load_ms: float
    first_ms: float
    rounds: NDArray[np.float64]
    peak_bytes: int
    added_bytes: int


def measure(subjects: dict[str, Subject], rounds: int, runs: int) -> dict[str, Measured]:
    """Measure subjects turn by turn: a few runs of each in every round, so that a drift of the machine hits all alike.

    Parameters
    ----------
    subjects : dict of str to Subject
        By name.
    rounds, runs : int
        Rounds, and runs of every subject in a round.

    Raises
    ------
    InputError
        If a subject cannot be loaded or run, or its process dies. Its other errors are raised as they are.
    """
    names = list(subjects)
    times: dict[str, list[list[float]]] = {name: [] for name in names}
    with ExitStack() as stack:
        loaded, started = {}, {}
        for name, subject in progress(subjects.items(), "loading models"):  # no bar beside what is timed
            loaded[name] = stack.enter_context(_process(subject))
            started[name] = _ask(loaded[name], subject, "load")
        for turn in range(rounds):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                times[name].append(_ask(loaded[name], subjects[name], runs))
        memory = {name: _ask(loaded[name], subjects[name], "memory") for name in names}
    found = {}
    for name in names:
        (load_ms, first_ms), (peak, added) = started[name], memory[name]
        found[name] = Measured(load_ms, first_ms, np.asarray(times[name]), peak, added)
    return found


@contextmanager
def _process(subject: Subject) -> Iterator[Connection]:
    fresh = multiprocessing.get_context("spawn")
    here, there = fresh.Pipe()
    process = fresh.Process(target=_serve, args=(there, subject), daemon=True)
    process.start()
    there.close()
    try:
        yield here
    except BaseException:
        process.kill()  # whatever it does
        raise
    finally:
        here.close()
        process.join(10)
        process.kill()


def _ask(connection: Connection, subject: Subject, what: str | int) -> Any:
    try:
        connection.send(what)
        if what == "load" and not connection.poll(PATIENCE):
            raise InputError(f"{subject.title}: not loaded and run within {PATIENCE:g} s; export a smaller model")
        answer = connection.recv()
    except (EOFError, OSError) as error:
        raise InputError(f"{subject.title}: its process died; measure it alone to see why") from error
    if isinstance(answer, InputError):
        raise InputError(f"{subject.title}: {answer}") from answer
    if isinstance(answer, Exception):
        raise answer
    return answer


def _serve(connection: Connection, subject: Subject) -> None:
    """Answer the other side, which knows how to tell an error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other side is interrupted, and hangs up
    try:
        with nullcontext() if subject.threads is None else limited_memory(subject.threads):
            _answer(connection, subject)
    except Exception as error:
        with suppress(OSError):
            connection.send(error)


def _answer(connection: Connection, subject: Subject) -> None:
    """Answer "load", a number of runs, and "memory" until the other side hangs up."""
    run: Callable[[NDArray[Any]], object] | None = None
    before = 0
    while True:
        try:
            asked = connection.recv()
        except EOFError:
            return
        if asked == "load":
            before = _start_watching_memory()
            begun = time.perf_counter()
            run = subject.load(*subject.arguments)
            load_ms = 1e3 * (time.perf_counter() - begun)
            first_ms, *_ = _times(run, subject.window, 1 + WARM_UP)
            connection.send((load_ms, first_ms))
        elif asked == "memory":
            peak = _peak_bytes()
            connection.send((peak, peak - before))
        elif run is not None:
            connection.send(_times(run, subject.window, asked))


def _times(run: Callable[[NDArray[Any]], object], window: NDArray[Any], runs: int) -> list[float]:
    """Return the milliseconds of every run."""
    times = []
    for _ in range(runs):
        begun = time.perf_counter_ns()
        run(window)
        times.append((time.perf_counter_ns() - begun) / 1e6)
    return times


def _start_watching_memory() -> int:
    """Forget the peak that starting Python left, where the kernel allows, and return the present one in bytes."""
    with suppress(OSError):
        _CLEAR.write_text("5")
    return _peak_bytes()


def _peak_bytes() -> int:
    """Return the high-water mark of resident memory.

    The kernel's own figure where there is one: getrusage's starts at the parent's.
    """
    if _STATUS.is_file():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
