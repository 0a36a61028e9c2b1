"""The schedule, simulated when generating: which rows are alive when, hence how large every ring is and what one
push costs.

The policy is that of au_stream.c: after a row of input, the deepest step that is ready runs, again and again, until
none is, or until the next would exceed what one push may cost; then it waits for the next push.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_bridge.compile.program import Program, Step
from firmware_bridge.compile.split import ENDLESS, Split
from lungsound.errors import InputError

_MOST_WORK = 4_000_000  # events times blocks, seconds of simulation; 8 s through CNN6 are 0.1 million
_ROUND = sorted(1 << power for power in range(18)) + sorted(3 << power for power in range(17))

_Alive = npt.NDArray[np.bool_]


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
    pushes : int
        How many of them are pushes.
    """

    slots: tuple[int, ...]
    alive: _Alive
    push_macs: tuple[int, ...]
    pushes: int


class _Simulation:
    def __init__(self, program: Program, push_limit: int) -> None:
        self.program = program
        self.push_limit = push_limit
        self.written = [0] * len(program.streams)
        self.runs = [0] * len(program.steps)
        self.slots = [1] * len(program.streams)
        self.events: list[list[bool]] = []
        self.macs: list[int] = []  # of every step that ran
        self.read = 0  # rows of the output that nobody needs any longer
        self.consumers: list[list[tuple[int, int]]] = [[] for _ in program.streams]
        for index, step in enumerate(program.steps):
            for position, tap in enumerate(step.taps):
                self.consumers[tap.stream].append((index, position))

    def run(self, pushes: int) -> list[int]:
        """Push so many rows and do what is left; returns the cost of every push and share."""
        macs = []
        for _ in range(pushes):
            self._write(self.program.input, 1, None)
            macs.append(self._work())
        while self._deepest_ready() is not None:
            macs.append(self._work())
        return macs

    def alive(self) -> list[bool]:
        """Whether each ring holds rows that somebody still needs, and each fold its sums, between two events."""
        rings = [self.written[index] > self._freed(index) for index in range(len(self.written))]
        return rings + [self._sums_alive(index, False) for index in range(len(self.runs))]

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
            self.macs.append(step.macs)
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
            return self.read
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
        alive = self.alive()
        alive[stream] |= rows > 0
        if step is not None:
            alive[len(self.written) + step] |= self._sums_alive(step, True)
        self.events.append(alive)

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
    _check_work(program, 1)
    pushes = program.streams[program.input].rows
    simulation = _Simulation(program, push_limit)
    macs = simulation.run(pushes)
    return Schedule(tuple(simulation.slots), np.asarray(simulation.events, np.bool_).T, tuple(macs), pushes)


def simulate_split(split: Split, push_limit: int = 0) -> Schedule | None:
    """Let windows that overlap pass through a trunk and a head, of which `split.joined` is one program.

    Between two windows the trunk has nothing left to do, so that every window behind the first is like the second:
    what these two need is enough for all that follow. Those two are watched.

    Parameters
    ----------
    split : Split
        What runs.
    push_limit : int
        As in `simulate`.

    Returns
    -------
    Schedule or None
        The pushes and shares are those of one hop, or, of the shares, of the first window where it has more. None if
        the counters of C would never be set back, which takes windows of tens of thousands of rows.

    Raises
    ------
    InputError
        As `simulate` does.
    """
    windows = 2
    if split.trunk.streams[split.trunk.input].rows + split.hop >= ENDLESS:
        return None
    _check_work(split.joined, windows)
    trunk, head = _Simulation(split.endless, push_limit), _Simulation(split.head, 0)
    head.run(split.head.streams[split.head.input].rows)
    found: list[tuple[int, list[int]]] = []
    idle = np.zeros(len(trunk.alive()), np.bool_)
    for window in range(windows):
        pushes = split.hop if window else split.trunk.streams[split.trunk.input].rows
        macs = trunk.run(pushes)
        found.append((pushes, macs[:-1] + _shares(macs[-1], head.macs, push_limit)))
        idle |= np.asarray(trunk.alive())
        trunk.read += split.hop_rows
    slots = _rings_that_come_round(split, trunk.slots)
    if slots is None:
        return None
    alive = _joined(split, np.asarray(trunk.events, np.bool_).T, np.asarray(head.events, np.bool_).T, idle)
    (first, before), (hop, macs) = found
    more = max(0, (len(before) - first) - (len(macs) - hop))
    return Schedule(slots + tuple(head.slots), alive, (*macs, *[0] * more), hop)


def _check_work(program: Program, windows: int) -> None:
    events = windows * (program.streams[program.input].rows + sum(step.runs for step in program.steps))
    if events * (len(program.streams) + len(program.steps)) > _MOST_WORK * windows:
        raise InputError(
            f"{program.name}: {events // windows} rows in {len(program.streams)} tensors are too many to schedule; "
            "shorten the window or leave out layers"
        )


def _shares(spent: int, costs: list[int], push_limit: int) -> list[int]:
    """Return the cost of every share when steps follow a push that has spent so much."""
    shares = [spent]
    for cost in costs:
        if push_limit and shares[-1] and cost > max(0, push_limit - shares[-1]):
            shares.append(0)
        shares[-1] += cost
    return shares


def _rings_that_come_round(split: Split, slots: list[int]) -> tuple[int, ...] | None:
    """Return rings no shorter than `slots`, whose turns together are short enough for counters of 16 bits.

    Rings of lengths without a common measure come round late: those of two or three times a power of two do not.
    """
    emits = {step.output: step.emits for step in split.trunk.steps}
    groups = [emits.get(stream, 1) for stream in range(len(slots))]
    rounded = [
        group * min(size for size in _ROUND if size * group >= slot) for slot, group in zip(slots, groups, strict=True)
    ]
    return next((tried for tried in (tuple(slots), tuple(rounded)) if split.highest(tried) < ENDLESS), None)


def _joined(split: Split, trunk: _Alive, head: _Alive, idle: _Alive) -> _Alive:
    """Return what is alive when, blocks in the order of the joined program: the head works while the trunk is idle."""
    streams = len(split.trunk.streams), len(split.head.streams)
    during_trunk = np.zeros((len(head), trunk.shape[1]), np.bool_)
    during_head = np.repeat(idle[:, None], head.shape[1], axis=1)
    of_trunk, of_head = np.hstack([trunk, during_head]), np.hstack([during_trunk, head])
    rings = of_trunk[: streams[0]], of_head[: streams[1]]
    sums = of_trunk[streams[0] :], of_head[streams[1] :]
    return np.vstack([*rings, *sums])
