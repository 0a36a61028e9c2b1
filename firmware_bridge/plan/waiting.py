"""What a network holds whole, since a layer needs the last row of it, or of another tensor, before it can begin."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_bridge.compile.memory import Memory
from firmware_bridge.compile.program import Program, Step

_Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Held:
    """A tensor of several rows, all of which are in its ring when a step first runs.

    Attributes
    ----------
    stream : int
        The tensor.
    step : int
        Who reads it.
    waits_for : int or None
        Another input of the step, which comes last; None where the step reads the tensor at once.
    """

    stream: int
    step: int
    waits_for: int | None = None


def held_whole(program: Program, slots: tuple[int, ...]) -> list[Held]:
    """Return what is held whole, in the order of the steps that read it.

    Parameters
    ----------
    program : Program
        What runs.
    slots : tuple of int
        Rows that each stream's ring holds.
    """
    pushed: dict[int, _Counts] = {program.input: np.arange(1, program.streams[program.input].rows + 1)}
    found = []
    for index, step in enumerate(program.steps):
        needed = _needed(step, program, pushed)
        for tap in step.taps:
            rows = program.streams[tap.stream].rows
            at_once = tap.kernel == 0 or (tap.kernel - 1) * tap.dilation - tap.pad >= rows - 1
            others = [
                (int(need[0]), other.stream) for other, need in zip(step.taps, needed, strict=True) if other != tap
            ]
            if rows > 1 and at_once:
                found.append(Held(tap.stream, index))
            elif slots[tap.stream] == rows > 1 and others and max(others)[0] >= pushed[tap.stream][-1]:
                found.append(Held(tap.stream, index, max(others)[1]))
        pushed[step.output] = _made(step, np.max(needed, axis=0))[: program.streams[step.output].rows]
    return found


def _needed(step: Step, program: Program, pushed: dict[int, _Counts]) -> list[_Counts]:
    """Rows of input that each run of `step` needs, by tap."""
    runs, needed = np.arange(step.runs), []
    for tap in step.taps:
        last = program.streams[tap.stream].rows - 1
        if tap.kernel:
            rows = np.minimum(runs * tap.stride - tap.pad + (tap.kernel - 1) * tap.dilation, last)
        else:
            rows = np.full(step.runs, last)
        needed.append(np.where(rows < 0, 0, pushed[tap.stream][rows]))
    return needed


def _made(step: Step, needed: _Counts) -> _Counts:
    """Rows of input that each row of the output needs."""
    fold = step.fold
    if fold is None:
        return np.repeat(needed, step.emits)
    ends = np.arange(step.runs) * fold.stride - fold.pad + fold.kernel - 1
    return np.repeat(needed[np.minimum(ends, step.runs - 1)], step.emits)


def whole_facts(program: Program, memory: Memory, held: list[Held]) -> list[dict[str, Any]]:
    """Return every tensor that is held whole, and who reads it first, as plain values for JSON."""
    first = {item.stream: item for item in reversed(held)}
    facts = []
    for item in sorted(first.values(), key=lambda item: item.step):
        stream, step = program.streams[item.stream], program.steps[item.step]
        facts.append(
            {
                "tensor": stream.name,
                "rows": stream.rows,
                "row_values": stream.width,
                "bytes": memory.ring_bytes[item.stream],
                "operator": step.kind,
                "made": program.streams[step.output].name,
                "waits_for": None if item.waits_for is None else program.streams[item.waits_for].name,
            }
        )
    return facts


def whole_text(facts: list[dict[str, Any]]) -> list[str]:
    """Return the same for people."""
    if not facts:
        return ["no tensor waits for all of time: each keeps only the rows that the next layer still reads"]
    total = sum(fact["bytes"] for fact in facts)
    lines = [f"tensors that wait for all of time, held whole in {total} bytes side by side:"]
    for fact in facts:
        late = fact["waits_for"]
        why = "reads it at once" if late is None else f"needs '{late}' too, which comes last"
        size = f"{fact['rows']} x {fact['row_values']}, {fact['bytes']} bytes"
        lines.append(f"  '{fact['tensor']}' ({size}): {fact['operator']} that makes '{fact['made']}' {why}")
    return lines
