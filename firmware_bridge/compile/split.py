"""A program in two: a trunk that never ends, which all overlapping windows share, and a head for each of them.

What a step without padding in time makes depends on the rows under it alone, wherever a window begins. So the rows that
two windows make of the frames they share are the same, bit for bit, if the windows are a whole number of rows apart.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from firmware_bridge.compile.program import Program, Step, without_unused_streams

ENDLESS = 65535
"""Rows and runs of a trunk in C: more than its counters reach (au_stream.h has 16 bits for them)."""


@dataclass(frozen=True)
class Split:
    """A trunk and a head, which meet in one tensor.

    Attributes
    ----------
    trunk, head : Program
        Each whole in itself, for one window; the trunk's output is the head's input.
    hop : int
        Rows of input from one window to the next.
    stream_paces : tuple of Fraction
        Rows of input for each row of the trunk's streams.
    step_paces : tuple of Fraction
        Rows of input for each run of the trunk's steps.
    """

    trunk: Program
    head: Program
    hop: int
    stream_paces: tuple[Fraction, ...]
    step_paces: tuple[Fraction, ...]

    @property
    def joined(self) -> Program:
        """Both as one program: the trunk's streams and steps, then the head's."""
        count = len(self.trunk.streams)
        steps = tuple(
            replace(
                step,
                output=step.output + count,
                taps=tuple(replace(tap, stream=tap.stream + count) for tap in step.taps),
            )
            for step in self.head.steps
        )
        return replace(
            self.trunk,
            streams=self.trunk.streams + self.head.streams,
            steps=self.trunk.steps + steps,
            output=self.head.output + count,
        )

    @property
    def endless(self) -> Program:
        """The trunk without an end."""
        return replace(
            self.trunk,
            streams=tuple(replace(stream, rows=1 << 30) for stream in self.trunk.streams),
            steps=tuple(replace(step, runs=1 << 30) for step in self.trunk.steps),
        )

    @property
    def hop_rows(self) -> int:
        """Rows of what the two share, from one window to the next."""
        return int(self.hop / self.stream_paces[self.trunk.output])

    @property
    def trunk_macs(self) -> int:
        """Multiply-accumulates of the trunk from one window to the next."""
        paced = zip(self.trunk.steps, self.step_paces, strict=True)
        return sum(step.macs * int(self.hop / pace) for step, pace in paced)

    @property
    def head_macs(self) -> int:
        """Multiply-accumulates of the head, once a window."""
        return _macs(self.head.steps)

    def turns(self, slots: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return by how much the counters of streams and steps may be set back together.

        A whole number of turns of every ring, and of what the trunk does again and again, so that nothing else changes.

        Parameters
        ----------
        slots : tuple of int
            Rows of every ring of the trunk.
        """
        folds = [
            pace * step.fold.stride
            for step, pace in zip(self.trunk.steps, self.step_paces, strict=True)
            if step.fold is not None
        ]
        period = math.lcm(*(pace.numerator for pace in (*self.stream_paces, *self.step_paces, *folds)))
        rows = [int(period / pace) for pace in self.stream_paces]
        times = math.lcm(*(size // math.gcd(size, count) for size, count in zip(slots, rows, strict=True)))
        return tuple(times * count for count in rows), tuple(times * int(period / pace) for pace in self.step_paces)

    def highest(self, slots: tuple[int, ...]) -> int:
        """Return what no counter of the trunk exceeds: they are set back where a window begins."""
        ahead = self.trunk.streams[self.trunk.input].rows + self.hop
        counters = zip(self.turns(slots), (self.stream_paces, self.step_paces), strict=True)
        return max(
            turn + math.ceil(ahead / pace) for turns, paces in counters for turn, pace in zip(turns, paces, strict=True)
        )


def split(program: Program, hop: int) -> Split | str:
    """Cut a program where windows can share what lies before.

    Of all places that leave the least work to the head, the one that keeps the fewest bytes for it.

    Parameters
    ----------
    program : Program
        One window of it.
    hop : int
        Rows of input from one window to the next.

    Returns
    -------
    Split or str
        In words why it cannot be cut, or is not worth it: less than half of the work would be shared.
    """
    paces = _Paces(program, hop)
    cuts = [cut for stream in paces.of_streams if (cut := _cut(program, stream, paces.of_steps)) is not None]
    why = next(iter(paces.reasons), "layers far apart read what lies before them")
    if not cuts:
        return why
    trunk, head = min(cuts, key=lambda cut: (_macs(cut[1].steps), _kept(cut[0]), -len(cut[0].steps)))
    if _macs(trunk.steps) < _macs(head.steps):
        percent = 100 * _macs(trunk.steps) // _macs(trunk.steps + head.steps)
        return f"only {percent} % of the multiply-accumulates could be shared: {why}"
    again = _Paces(trunk, hop)
    streams = tuple(again.of_streams[stream] for stream in range(len(trunk.streams)))
    return Split(trunk, head, hop, streams, tuple(again.of_steps[step] for step in range(len(trunk.steps))))


class _Paces:
    """Rows of input for each row and each run of what can be shared, by index, and why the rest cannot."""

    def __init__(self, program: Program, hop: int) -> None:
        self.program, self.hop = program, hop
        self.of_streams = {program.input: Fraction(1)}
        self.of_steps: dict[int, Fraction] = {}
        self.reasons: list[str] = []
        for index, step in enumerate(program.steps):
            if not all(tap.stream in self.of_streams for tap in step.taps):
                continue
            pace = self.of_streams[step.taps[0].stream] * step.taps[0].stride
            made = pace * step.fold.stride if step.fold else pace / step.emits
            why = self._why_not(step, pace, made)
            if why is None:
                self.of_steps[index] = pace
                self.of_streams[step.output] = made
            else:
                self.reasons.append(f"{step.kind} that makes '{program.streams[step.output].name}' {why}")

    def _why_not(self, step: Step, pace: Fraction, made: Fraction) -> str | None:
        if any(tap.kernel == 0 for tap in step.taps) or (step.fold and step.fold.kernel >= step.runs > 1):
            return "waits for all of time"
        if any(tap.pad or self.program.leaves(step, tap) for tap in step.taps) or (
            step.fold and _folds_beyond(self.program, step)
        ):
            return "pads time"
        if any(self.of_streams[tap.stream] * tap.stride != pace for tap in step.taps):
            return "reads rows of different lengths"
        if any((self.hop / each).denominator != 1 for each in (pace, made)):
            return f"makes a row of {made} frames, and a hop of {self.hop} is no whole number of them"
        return None


def _folds_beyond(program: Program, step: Step) -> bool:
    """Whether a fold takes runs before the first or after the last."""
    fold = step.fold
    return fold is not None and (
        fold.pad != 0 or (program.streams[step.output].rows - 1) * fold.stride + fold.kernel > step.runs
    )


def _cut(program: Program, stream: int, shareable: dict[int, Fraction]) -> tuple[Program, Program] | None:
    """Return what makes a stream, and what makes the output of it alone; None if there is no such cut."""
    before = _makers(program, stream, program.input)
    behind = _makers(program, program.output, stream)
    makes_output = program.output == stream or any(program.steps[index].output == program.output for index in behind)
    reads = {tap.stream for index in behind for tap in program.steps[index].taps}
    made = {program.steps[index].output for index in behind} | {stream}
    if not before or not before <= shareable.keys() or not makes_output or not reads <= made:
        return None
    trunk, head = (tuple(program.steps[index] for index in sorted(part)) for part in (before, behind))
    return (
        without_unused_streams(replace(program, steps=trunk, output=stream)),
        without_unused_streams(replace(program, steps=head, input=stream)),
    )


def _makers(program: Program, stream: int, source: int) -> set[int]:
    """Return the steps that `stream` needs, but those that `source` needs."""
    needed, found = {stream} - {source}, set()
    for index in range(len(program.steps) - 1, -1, -1):
        step = program.steps[index]
        if step.output in needed:
            found.add(index)
            needed |= {tap.stream for tap in step.taps} - {source}
    return found


def _kept(trunk: Program) -> int:
    made = trunk.streams[trunk.output]
    return made.rows * made.width


def _macs(steps: tuple[Step, ...]) -> int:
    return sum(step.macs * step.runs for step in steps)
