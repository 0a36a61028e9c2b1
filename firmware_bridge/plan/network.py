"""What a network takes, before anything is built: RAM by layer, flash, multiply-accumulates, the worst push, and
whether it fits.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from firmware_bridge.compile.memory import Memory, lay_out
from firmware_bridge.compile.operators import lower
from firmware_bridge.compile.program import CArray, CPointers, CValue, Program, Step
from firmware_bridge.compile.schedule import Schedule, simulate, simulate_split
from firmware_bridge.compile.specialise.stack import stack_bytes
from firmware_bridge.compile.specialise.steps import specialise
from firmware_bridge.compile.split import Split, split
from firmware_bridge.device.targets import KERNELS
from firmware_bridge.plan.waiting import Held, held_whole, whole_facts, whole_text
from firmware_bridge.tflite.graph import Graph
from lungsound.errors import InputError
from lungsound.files.record import Range

ROUNDINGS = ("double", "single")
PUSH_MACS = Range(0, 2**32 - 2)
"""Limits on a push; 0 for none. The most is what C's uint32_t holds beside NET_PUSH_COST's own sign of none."""

# Sizes of the C structures on a 32-bit core (au_stream.h), and of the counters that a context holds for each.
_STREAM_BYTES, _STEP_BYTES, _TAP_BYTES, _COUNTER_BYTES = 12, 40, 16, 2
_ARRAY_BYTES = {"int8_t": 1, "au_value_t": 1, "int32_t": 4, "uint32_t": 4}


@dataclass(frozen=True)
class Network:
    """A model laid out for one choice of kernels and rounding.

    Parameters
    ----------
    graph : Graph
        The model.
    program : Program
        Its streams and steps.
    schedule : Schedule
        How rows pass through them.
    memory : Memory
        Where rings and sums lie.
    kernels : str
        One of `KERNELS`.
    rounding : str
        "double" (LiteRT's reference kernels) or "single" (XNNPACK).
    push_limit : int
        Multiply-accumulates that one push may cost; 0 for no limit.
    split : Split or None
        The trunk and the head that the program joins, where windows share the trunk; None for a program that begins
        anew with every window.
    """

    graph: Graph
    program: Program
    schedule: Schedule
    memory: Memory
    kernels: str
    rounding: str
    push_limit: int = 0
    split: Split | None = None

    @property
    def context_bytes(self) -> int:
        """sizeof(net_t): counters, rings and sums; the stack comes on top."""
        counters = _COUNTER_BYTES * (len(self.program.streams) + len(self.program.steps) + (self.split is not None))
        return -(-counters // 4) * 4 + self.memory.total

    @property
    def stack_bytes(self) -> int:
        """Stack that grows with the model: of the step that gathers, cuts or lists most of its rows."""
        return max((stack_bytes(step, self.kernels) for step in self.program.steps), default=0)

    @property
    def constant_bytes(self) -> int:
        """Flash of weights and tables, each counted once."""
        arrays: dict[tuple[str, bytes], int] = {}
        for step in self.program.steps:
            outside = [self.program.outside_row(step, tap) for tap in step.taps]
            for array in (*_arrays(step), *(row for row in outside if row is not None)):
                content = array.values.astype(np.int64).tobytes()
                arrays[array.ctype, content] = array.values.size * _ARRAY_BYTES[array.ctype]
        taps = sum(len(step.taps) for step in self.program.steps)
        return (
            sum(arrays.values())
            + _STREAM_BYTES * len(self.program.streams)
            + _STEP_BYTES * len(self.program.steps)
            + _TAP_BYTES * taps
        )


def plan_network(graph: Graph, kernels: str = "c99", rounding: str = "double", push_limit: int = 0) -> Network:
    """Lay out a checked graph.

    Parameters
    ----------
    graph : Graph
        From `parse_tflite`.
    kernels, rounding : str
        Of `KERNELS` and `ROUNDINGS`.
    push_limit : int
        Within `PUSH_MACS`; see `simulate`.

    Raises
    ------
    InputError
        If `kernels` or `rounding` is not one of the choices, the limit is not one, or an operator cannot become
        firmware.
    """
    for what, asked, choices in (("kernels", kernels, KERNELS), ("rounding", rounding, ROUNDINGS)):
        if asked not in choices:
            raise InputError(f"unknown {what} '{asked}'; choose from {', '.join(choices)}")
    if not PUSH_MACS.least <= push_limit <= PUSH_MACS.most:
        raise InputError(
            f"a push cannot be limited to {push_limit} multiply-accumulates; "
            f"choose 1 to {PUSH_MACS.most}, or 0 for no limit"
        )
    program = specialise(lower(graph, single_rounding=rounding == "single"), kernels)
    schedule = simulate(program, push_limit)
    memory = lay_out(program, schedule)
    return Network(graph, program, schedule, memory, kernels, rounding, push_limit)


def share(network: Network, hop: int) -> Network | str:
    """Lay the same network out for windows that overlap and share its trunk.

    Parameters
    ----------
    network : Network
        Of one window.
    hop : int
        Rows of input from one window to the next.

    Returns
    -------
    Network or str
        Why they cannot, in words.
    """
    found = split(network.program, hop)
    if isinstance(found, str):
        return found
    schedule = simulate_split(found, network.push_limit)
    if schedule is None:
        return "its windows have more rows than the counters of a trunk without an end can take"
    program = found.joined
    return replace(network, program=program, schedule=schedule, memory=lay_out(program, schedule), split=found)


def report(network: Network) -> dict[str, Any]:
    """Everything that is known without building: bytes, multiply-accumulates, and what waits for all of time."""
    program, schedule, memory = network.program, network.schedule, network.memory
    held, runs = _held(network), step_runs(network)
    layers = []
    for index, step in enumerate(program.steps):
        stream = program.streams[step.output]
        layers.append(
            {
                "operator": step.kind,
                "kernel": step.source.removeprefix("au_"),
                "note": step.note,
                "tensor": stream.name,
                "rows": stream.rows,
                "row_values": stream.width,
                "ring_rows": schedule.slots[step.output],
                "ring_bytes": memory.ring_bytes[step.output],
                "sums_bytes": memory.sums_bytes[index],
                "constant_bytes": sum(array.values.size * _ARRAY_BYTES[array.ctype] for array in _arrays(step)),
                "macs": step.macs * runs[index],
                "whole": [program.streams[item.stream].name for item in held if item.step == index],
            }
        )
    pushes = schedule.push_macs
    return {
        "model": program.name,
        "kernels": network.kernels,
        "rounding": network.rounding,
        "context_bytes": network.context_bytes,
        "constant_bytes": network.constant_bytes,
        "input_ring_bytes": memory.ring_bytes[program.input],
        "stack_of_rows_bytes": network.stack_bytes,
        "blocks_bytes": sum(memory.ring_bytes) + sum(memory.sums_bytes),
        "macs": sum(pushes),
        "macs_of_average_push": sum(pushes) // schedule.pushes,
        "macs_of_worst_push": max(pushes),
        "push_limit": network.push_limit,
        "shares_after_last_push": len(pushes) - schedule.pushes,
        "whole": whole_facts(program, memory, held),
        "whole_bytes": sum(memory.ring_bytes[stream] for stream in {item.stream for item in held}),
        "shared": _shared(network),
        "layers": layers,
    }


def _held(network: Network) -> list[Held]:
    """Return what waits for all of time; of a trunk without an end nothing can."""
    slots, split = network.schedule.slots, network.split
    if split is None:
        return held_whole(network.program, slots)
    streams, steps = len(split.trunk.streams), len(split.trunk.steps)
    return [
        Held(item.stream + streams, item.step + steps, None if item.waits_for is None else item.waits_for + streams)
        for item in held_whole(split.head, slots[streams:])
    ]


def step_runs(network: Network) -> list[int]:
    """How often each step runs for one decision."""
    split = network.split
    if split is None:
        return [step.runs for step in network.program.steps]
    return [int(split.hop / pace) for pace in split.step_paces] + [step.runs for step in split.head.steps]


def _shared(network: Network) -> dict[str, Any] | None:
    """Return what windows share as plain values for JSON, None where each begins anew."""
    split = network.split
    if split is None:
        return None
    kept = split.trunk.streams[split.trunk.output]
    return {
        "tensor": kept.name,
        "rows": network.schedule.slots[split.trunk.output],
        "row_values": kept.width,
        "bytes": network.memory.ring_bytes[split.trunk.output],
        "hop_rows": split.hop_rows,
        "trunk_macs": split.trunk_macs,
        "head_macs": split.head_macs,
    }


def _shared_text(shared: dict[str, Any] | None) -> list[str]:
    if shared is None:
        return []
    return [
        f"windows share the trunk up to '{shared['tensor']}', of which {shared['rows']} rows of {shared['row_values']} "
        f"values are kept ({shared['bytes']} bytes); every {shared['hop_rows']} rows the head looks at them: "
        f"{shared['trunk_macs']} MAC of the trunk and {shared['head_macs']} of the head a decision"
    ]


def _limit_text(facts: dict[str, Any]) -> list[str]:
    if not facts["push_limit"]:
        return []
    return [
        f"a push is limited to {facts['push_limit']} MAC or one step; after the last row "
        f"{facts['shares_after_last_push']} more calls of net_work() finish the window"
    ]


def report_text(facts: dict[str, Any]) -> str:
    """Return the report as text, a line a layer; layers that have ``instructions`` say these, too."""
    estimated = any("instructions" in layer for layer in facts["layers"])
    lines = [
        f"{facts['model']}: kernels {facts['kernels']}, rounding {facts['rounding']}",
        f"context {facts['context_bytes']} bytes, constants {facts['constant_bytes']} bytes",
        f"multiply-accumulates (MAC): {facts['macs'] / 1e6:.1f} M a {'decision' if facts['shared'] else 'window'}, "
        f"{facts['macs_of_average_push']} in a push on average, {facts['macs_of_worst_push']} in the worst",
        *_shared_text(facts["shared"]),
        *_limit_text(facts),
        *whole_text(facts["whole"]),
        "",
        f"{'operator':<18}{'ring':>12}{'bytes':>8}{'sums':>7}{'constants':>11}{'M MAC':>9}"
        f"{' M instr.' if estimated else ''}  {'kernel':<21}tensor",
    ]
    for layer in facts["layers"]:
        ring = f"{layer['ring_rows']} x {layer['row_values']}"
        instructions = f"{layer['instructions'] / 1e6:>9.2f}" if estimated else ""
        remarks = "; ".join(filter(None, ("waits for all of time" if layer["whole"] else "", layer["note"])))
        remarks = f" ({remarks})" if remarks else ""
        lines.append(
            f"{layer['operator']:<18}{ring:>12}{layer['ring_bytes']:>8}{layer['sums_bytes']:>7}{layer['constant_bytes']:>11}"
            f"{layer['macs'] / 1e6:>9.2f}{instructions}  {layer['kernel']:<21}{layer['tensor']}{remarks}"
        )
    lines += [
        "",
        f"Rings and sums are {facts['blocks_bytes']} bytes side by side; those never alive together share memory.",
        f"The stack comes on top; {facts['stack_of_rows_bytes']} bytes of it hold what one step reads.",
    ]
    return "\n".join(lines) + "\n"


def _arrays(step: Step) -> list[CArray]:
    found: list[CArray] = []
    waiting: list[CValue] = list(step.op.fields.values())
    while waiting:
        value = waiting.pop()
        if isinstance(value, CArray):
            found.append(value)
        elif isinstance(value, CPointers):
            waiting += value.arrays
        elif isinstance(value, dict):
            waiting += value.values()
    return found
