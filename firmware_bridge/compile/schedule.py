"""The schedule, simulated when generating: which rows are alive when, hence how large every ring is and what one
push costs.

The policy is that of au_stream.c: after a row of input, the deepest step that is ready runs, again and again, until
none is, or until the next would exceed what one push may cost; then it waits for the next push.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_bridge.compile.program import Program, Step
from lungsound.errors import InputError

_MOST_WORK = 4_000_000  # events times blocks, seconds of simulation; 8 s through CNN6 are 0.1 million


@dataclass(frozen=True)
class Schedule:
    """What the simulation found.

    Parameters
    ----------
    slots : tuple of int
        Rows that each stream's ring must hold.
    alive : ndarray of bool, [streams + steps, events]
        When each ring holds rows somebody still needs, and each fold its sums. An event is a row pushed or a step run.
    push_macs : tuple of int
        Multiply-accumulates of every push, and of every share of work left after the last one.
    """

    slots: tuple[int, ...]
    alive: npt.NDArray[np.bool_]
    push_macs: tuple[int, ...]


class _Simulation:
    def __init__(self, program: Program, push_limit: int) -> None:
        self.program = program
        self.push_limit = push_limit
        self.written = [0] * len(program.streams)
        self.runs = [0] * len(program.steps)
        self.slots = [1] * len(program.streams)
        self.events: list[list[bool]] = []
        self.consumers: list[list[tuple[int, int]]] = [[] for _ in program.streams]
        for index, step in enumerate(program.steps):
            for position, tap in enumerate(step.taps):
                self.consumers[tap.stream].append((index, position))

    def run(self) -> Schedule:
        macs = []
        for _ in range(self.program.streams[self.program.input].rows):
            self._write(self.program.input, 1, None)
            macs.append(self._work())
        while self._deepest_ready() is not None:
            macs.append(self._work())
        return Schedule(tuple(self.slots), np.asarray(self.events, np.bool_).T, tuple(macs))

    def _work(self) -> int:
        macs = 0
        while (index := self._deepest_ready()) is not None:
            step = self.program.steps[index]
            # The first step runs whatever it costs, or nothing ever would.
            if self.push_limit and macs and step.macs > max(0, self.push_limit - macs):
                break
            self._write(step.output, step.emits if self._makes_rows(index) else 0, index)
            self.runs[index] += 1
            macs += step.macs
        return macs

    def _deepest_ready(self) -> int | None:
        for index in range(len(self.runs) - 1, -1, -1):
            step = self.program.steps[index]
            if self.runs[index] < step.runs and all(
                self._last_needed(step, position, self.runs[index]) < self.written[tap.stream]
                for position, tap in enumerate(step.taps)
            ):
                return index
        return None

    def _last_needed(self, step: Step, position: int, run: int) -> int:
        tap = step.taps[position]
        rows = self.program.streams[tap.stream].rows
        if tap.kernel == 0:
            return rows - 1
        return min(rows - 1, run * tap.stride - tap.pad + (tap.kernel - 1) * tap.dilation)

    def _first_needed(self, index: int, position: int) -> int:
        """Return the first row of the tap's stream that run number `runs` or a later one still reads."""
        step, run = self.program.steps[index], self.runs[index]
        tap = step.taps[position]
        rows = self.program.streams[tap.stream].rows
        if run >= step.runs:
            return rows
        if tap.kernel == 0:
            return 0
        return max(0, run * tap.stride - tap.pad)

    def _freed(self, stream: int) -> int:
        if stream == self.program.output:
            return 0
        rows = self.program.streams[stream].rows
        return min((self._first_needed(*consumer) for consumer in self.consumers[stream]), default=rows)

    def _makes_rows(self, index: int) -> bool:
        step, run = self.program.steps[index], self.runs[index]
        if step.fold is None:
            return True
        inside = (run + step.fold.pad) % step.fold.stride
        more = self.written[step.output] < self.program.streams[step.output].rows
        return more and (inside == step.fold.kernel - 1 or (inside < step.fold.kernel and run + 1 == step.runs))

    def _write(self, stream: int, rows: int, step: int | None) -> None:
        """Record `rows` new rows of `stream`, made by `step` while its inputs are still there."""
        self.written[stream] += rows
        occupied = self.written[stream] - min(self._freed(stream), self.written[stream] - rows)
        granule = 1 if step is None else self.program.steps[step].emits
        self.slots[stream] = max(self.slots[stream], -(-occupied // granule) * granule)
        alive = [self.written[index] > self._freed(index) for index in range(len(self.written))]
        alive[stream] |= rows > 0
        folds = [self._sums_alive(index, index == step) for index in range(len(self.runs))]
        self.events.append(alive + folds)

    def _sums_alive(self, index: int, running: bool) -> bool:
        step = self.program.steps[index]
        fold = step.fold
        if fold is None:
            return False
        if running:
            return True
        started = self.runs[index] > 0 and (self.runs[index] - 1 + fold.pad) % fold.stride < fold.kernel - 1
        return started and self.runs[index] < step.runs


def simulate(program: Program, push_limit: int = 0) -> Schedule:
    """Let one window of input pass through `program` and watch its rows.

    Parameters
    ----------
    program : Program
        What runs.
    push_limit : int
        Multiply-accumulates that one push may cost, unless a single step costs more; the rest waits for the next push
        and rings grow for it. 0 does everything that can be done.

    Raises
    ------
    InputError
        If the program has so many rows and steps that watching them would take minutes: a made-up file.
    """
    events = program.streams[program.input].rows + sum(step.runs for step in program.steps)
    if events * (len(program.streams) + len(program.steps)) > _MOST_WORK:
        raise InputError(
            f"{program.name}: {events} rows in {len(program.streams)} tensors are too many to schedule; "
            "shorten the window or leave out layers"
        )
    return _Simulation(program, push_limit).run()
