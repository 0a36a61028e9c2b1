"""How many instructions a core runs for a second of sound: an estimate, made before anything is built.

``effort.json`` holds what a kernel takes on a core: for each run, each value made or read, each multiply-accumulate and
what else :func:`step_work` counts. ``benchmarks/fit_effort.py`` counted small networks in QEMU by step, and fitted
these costs so that no count is more than they say.
"""

import functools
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firmware_bridge.compile.program import Program, Step
from firmware_bridge.device.targets import Target
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.network import Network, step_runs
from lungsound.fixed_point.fft import fft_radices
from lungsound.logmel import LogMelSpec
from lungsound.mel_bands import mel_filters

COSTS = Path(__file__).with_name("effort.json")
ENGINE, FRONT_END = "engine", "front_end"
"""What costs instructions beside the kernels: the schedule that runs them, and the log-mel."""

_LANES = 16  # bytes of a vector of Cortex-M55
_COPIED = 48  # values under a kernel that plain C copies side by side (au_conv_c99.c)

Work = Mapping[str, int]
Costs = Mapping[str, float]


@dataclass(frozen=True)
class Effort:
    """Instructions that a network and its front end are likely to take, from above.

    Attributes
    ----------
    steps : tuple of int
        Of each step of the network, for one decision.
    engine : int
        Of finding out which step is next, and its rows, for one decision.
    front_end : int
        Of the frames of one decision; 0 of a network without front end.
    seconds : float
        Of sound from one decision to the next; 0 of a network without front end.
    """

    steps: tuple[int, ...]
    engine: int
    front_end: int
    seconds: float

    @property
    def network(self) -> int:
        """Instructions of the network for one decision."""
        return sum(self.steps) + self.engine

    @property
    def a_second(self) -> dict[str, int]:
        """Instructions for each second of sound by part; empty of a network without front end."""
        if not self.seconds:
            return {}
        return {"network": round(self.network / self.seconds), "front_end": round(self.front_end / self.seconds)}

    @property
    def steps_a_second(self) -> list[int]:
        """Instructions of each step for each second of sound."""
        return [round(step / self.seconds) for step in self.steps]

    def text(self, target: str) -> str:
        """Return the same for people."""
        if not self.seconds:
            return f"about {self.network:,} instructions a window on {target}, an estimate"
        parts = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in self.a_second.items())
        whole = sum(self.a_second.values())
        return f"about {whole:,} instructions a second of sound on {target}, an estimate: {parts}"


def effort_of(footprint: Footprint, target: Target) -> Effort | str:
    """Estimate the instructions of an application.

    Parameters
    ----------
    footprint : Footprint
        The model, its layout, and whether windows overlap.
    target : Target
        The core.

    Returns
    -------
    Effort or str
        Why there is no estimate, in words.
    """
    network = footprint.network
    if why := no_estimate(target, network.kernels, network.rounding):
        return why
    known = costs()[target.name]
    kernels = known[kernels_named(network.kernels, network.rounding)]
    program, runs = network.program, step_runs(network)
    if lacking := sorted({step.kernel for step in program.steps} - set(kernels)):
        return f"there is no estimate of instructions, as {' and '.join(lacking)} was never counted on {target.name}"
    steps = [
        instructions(step_work(program, step, count), kernels[step.kernel])
        for step, count in zip(program.steps, runs, strict=True)
    ]
    engine = instructions(engine_work(network), kernels[ENGINE])
    interface = footprint.model.interface
    if interface is None:
        return Effort(tuple(steps), engine, 0, 0.0)
    listening = interface.listening
    spec = listening.logmel
    seconds = listening.hop_seconds if footprint.overlapping else listening.seconds
    # Centred frames are each window's own; others go on from window to window.
    frames = listening.frames if spec.padding == "reflect" else math.ceil(seconds * spec.sample_rate / spec.hop)
    front_end = frames * instructions(frame_work(spec), known[FRONT_END])
    return Effort(tuple(steps), engine, front_end, seconds)


def facts_of(effort: Effort | str) -> dict[str, Any]:
    """Return an estimate, or why there is none, as plain values for JSON."""
    if isinstance(effort, str):
        names = "network", "front_end", "network_a_second", "front_end_a_second", "a_second"
        return {"why_not": effort} | dict.fromkeys(names)
    of_sound = effort.seconds > 0
    return {
        "why_not": None,
        "network": effort.network,
        "front_end": effort.front_end if of_sound else None,
        "network_a_second": effort.a_second.get("network"),
        "front_end_a_second": effort.a_second.get("front_end"),
        "a_second": sum(effort.a_second.values()) if of_sound else None,
    }


def no_estimate(target: Target, kernels: str | None = None, rounding: str = "double") -> str | None:
    """Say why there is none for a core, its usual or other kernels, and a rounding; None if there is one."""
    known = [name for name in costs().get(target.name, {}) if name != FRONT_END]
    wanted = kernels_named(kernels or target.kernels, rounding)
    if wanted in known:
        return None
    none = f"there is no estimate of instructions for {target.name}"
    if not known:
        return f"{none}, as QEMU counts none; there is one for {', '.join(costs())}"
    return f"{none} with kernels {wanted}; there is one with {'; '.join(known)}"


def kernels_named(kernels: str, rounding: str) -> str:
    """Return what costs of these kernels are called."""
    return f"{kernels}, {rounding} rounding"


@functools.cache
def costs() -> dict[str, dict[str, Any]]:
    """Return the costs by target, then of the front end and, by kernels and rounding, of each C function."""
    return dict(json.loads(COSTS.read_text()))


def instructions(work: Work, cost: Costs) -> int:
    """Return what some work costs."""
    return math.ceil(sum(count * cost.get(what, 0.0) for what, count in work.items()))


def step_work(program: Program, step: Step, runs: int) -> dict[str, int]:
    """Return what a step has to do in so many runs, in the units of its costs."""
    read = 0
    for tap in step.taps:
        stream = program.streams[tap.stream]
        read += (tap.kernel or stream.rows) * stream.width
    work = {"run": 1, "read": read, "value": step.emits * program.streams[step.output].width, "mac": step.macs}
    if {"kernel_h", "in_channels"} <= step.op.fields.keys():
        work |= _conv_work(step) if "out_channels" in step.op.fields else _depthwise_work(step, work["value"])
    work = {what: runs * count for what, count in work.items()}
    if step.fold:
        made = program.streams[step.output]
        work["finish"] = made.rows * made.width * runs // step.runs
    return work


def _conv_work(step: Step) -> dict[str, int]:
    """Return what a run does beside: kernels take two columns and two channels at a time, or vectors of values."""
    columns, made, height, width, channels = (
        step.number(name) for name in ("out_width", "out_channels", "kernel_h", "kernel_w", "in_channels")
    )
    made_pairs, column_pairs, under = -(-made // 2), -(-columns // 2), height * width * channels
    if step.kernel == "au_conv" and under <= _COPIED:
        lines, rest = column_pairs, column_pairs * (under % 4)
    else:
        whole = sum(_whole(step, column) for column in range(0, columns, 2))
        at_edges = (column_pairs - whole) * width
        lines = height * (whole + at_edges)
        rest = height * (whole * (width * channels % 4) + at_edges * (channels % 4))
    return {
        "value": columns * made,
        "place": columns * height * width,
        "pair": column_pairs * made_pairs,
        "block": column_pairs * made_pairs * under,
        "line": made_pairs * lines,
        "rest": made_pairs * rest,
        "four": column_pairs * -(-made // 4),
        "many": column_pairs * -(-made // 4) if width * channels > _LANES else 0,
        "vector": column_pairs * -(-made // 4) * height * -(-width * channels // _LANES),
    }


def _whole(step: Step, column: int) -> bool:
    """Whether values under an output column and the next lie side by side in each row, none outside of the tensor."""
    stride, left = step.number("stride_w"), column * step.number("stride_w") - step.number("pad_left")
    last = left + (stride if column + 1 < step.number("out_width") else 0) + step.number("kernel_w") - 1
    return step.number("dilation_w") == 1 and left >= 0 and last < step.number("in_width")


def _depthwise_work(step: Step, made: int) -> dict[str, int]:
    """Return what a run does beside: four channels of one column or two at a time, or vectors of sixteen."""
    columns, height, width, channels = (
        step.number(name) for name in ("out_width", "kernel_h", "kernel_w", "in_channels")
    )
    pairs, fours, sixteens = -(-columns // 2), -(-channels // 4) * made // (columns * channels), -(-channels // _LANES)
    work = {"place": columns * height * width, "line": made * height, "pair": pairs, "block": pairs * fours}
    work["four"] = columns * fours
    eight = channels == 8 and step.number("stride_w") == 1
    if height == width == 3 and (eight or channels >= _LANES):
        return work | {"nine": columns * sixteens, "edge": sum(not _whole(step, column) for column in range(columns))}
    return work | {"sixteen": columns * sixteens, "vector": columns * height * width * sixteens}


def engine_work(network: Network) -> dict[str, int]:
    """Return what the schedule has to do for one decision."""
    program = network.program
    deepest = {tap.stream: index for index, step in enumerate(program.steps) for tap in step.taps}
    work: Counter[str] = Counter(push=program.streams[program.input].rows)
    if network.split:
        work["push"] = network.split.hop
    work["scan"] = work["push"] * len(program.steps)
    for index, (step, runs) in enumerate(zip(program.steps, step_runs(network), strict=True)):
        work["run"] += runs
        work["row"] += runs * step.rows
        work["tap"] += runs * len(step.taps)
        work["beyond"] += runs * max(0, deepest.get(step.output, index) - index)
    return dict(work)


def frame_work(spec: LogMelSpec) -> dict[str, int]:
    """Return what one frame of the front end takes."""
    radices = fft_radices(spec.n_fft)
    work = Counter({"frame": 1, "sample": spec.n_fft, "hop": spec.hop, "band": spec.n_mels})
    work["bin"] = int(np.count_nonzero(mel_filters(spec)))
    for radix in radices:
        work[f"radix_{radix}"] += spec.n_fft // 2
    if spec.normalisation == "recording":
        work["mean"] = spec.n_mels
    return dict(work)
