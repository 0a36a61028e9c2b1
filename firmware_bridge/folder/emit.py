"""Writes a program as C: templates in templates/, kernels copied from c/."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from firmware_bridge.c.rendering import render
from firmware_bridge.c.sources import source
from firmware_bridge.compile.memory import Memory
from firmware_bridge.compile.program import CArray, CPointers, CStruct, CValue, Program, Step, Tap
from firmware_bridge.compile.schedule import Schedule
from firmware_bridge.compile.specialise import vectors
from firmware_bridge.compile.specialise.convolution import (
    GATHERED,
    IN_PLACE,
    PATCHED,
    POINTWISE,
    gathered_columns,
    gathered_values,
    patch_values,
    pieces,
)
from firmware_bridge.compile.specialise.depthwise import FOURS, IN_COMMON, THREES, in_common, values_under
from firmware_bridge.compile.split import ENDLESS, Split
from firmware_bridge.plan.network import Network
from lungsound.files.versions import own_version

_VALUES_A_LINE = 24


@dataclass
class _Tables:
    """Constant arrays by content, so that equal tables are stored once."""

    names: dict[tuple[str, bytes], str] = field(default_factory=dict)
    listed: list[dict[str, Any]] = field(default_factory=list)

    def name(self, array: CArray, wanted: str) -> str:
        """Return the C name of `array`, `wanted` if it is new."""
        key = (array.ctype, array.values.astype(np.int64).tobytes())
        if key not in self.names:
            self.names[key] = wanted
            self._list(array.ctype, wanted, [str(int(value)) for value in array.values.reshape(-1)])
        return self.names[key]

    def pointers(self, pointers: CPointers, wanted: str) -> str:
        """Return the C name of a table of pointers."""
        items = [
            "NULL" if array is None else self.name(array, f"{wanted}_{index}")
            for index, array in enumerate(pointers.arrays)
        ]
        self._list(f"{pointers.ctype} *const", wanted, items)
        return wanted

    def _list(self, ctype: str, name: str, items: list[str]) -> None:
        lines = [
            "    " + ", ".join(items[start : start + _VALUES_A_LINE]) + ","
            for start in range(0, len(items), _VALUES_A_LINE)
        ]
        self.listed.append({"ctype": ctype, "name": name, "count": len(items), "body": "\n".join(lines)})


def write_network(folder: Path, network: Network, sha256: str = "") -> None:
    """Write net.c, net.h, au_config.h and the kernels they need into `folder`, which exists.

    `sha256` is that of the model's file, which net.h then names with auscult's version.
    """
    context = _context(network) | {"sha256": sha256, "version": own_version()}
    for name in ("net.c", "net.h", "au_config.h"):
        (folder / name).write_text(render(name, **context))
    for name in kernel_files(network):
        shutil.copyfile(source(name), folder / name)


def kernel_files(network: Network) -> list[str]:
    """Names in c/ of what `network` needs: each kernel in the wanted form if there is one, in plain C otherwise."""
    names = ["au_types.h", "au_stream.h", "au_stream.c"]
    sources = {step.source for step in network.program.steps}
    if network.kernels != "c99":
        names.append("au_dsp.h")
    in_blocks = {IN_PLACE, GATHERED, PATCHED, POINTWISE, vectors.POINTWISE}
    blocks = {_block_header(source, network.kernels) for source in sources & in_blocks}
    packed = bool(blocks) and network.kernels != "mve"
    if blocks:
        names += ["au_block.h", *sorted(blocks)]
        names += ["au_packed.h"] if packed else []
    if packed or sources & {FOURS, THREES}:
        names.append("au_rescale.h")
    if THREES in sources:
        names.append("au_threes.h")
    if network.kernels == "mve" and (blocks or vectors.DEPTHWISE in sources):
        names.append("au_finish_mve.h")
    if vectors.DEPTHWISE in sources:
        names += ["au_column_mve.h", "au_nine_mve.h", "au_nine_eight_mve.h"]
    return (
        names
        + sorted(f"{header}.h" for header in _headers(network.program))
        + sorted(f"{source}.c" for source in sources)
    )


def _block_header(source: str, kernels: str) -> str:
    """Return the file with the innermost work of a convolution; kernel rows in place are bytes always."""
    return f"au_block_{'dsp8' if kernels == 'dsp16' and source != GATHERED else kernels}.h"


def _headers(program: Program) -> set[str]:
    """Every kernel's header: its source's name without the suffix of a core."""
    return {step.source.rpartition("_")[0] for step in program.steps}


def _context(network: Network) -> dict[str, Any]:
    graph, program, memory = network.graph, network.program, network.memory
    tables = _Tables()
    steps = [_step(index, step, program, memory, tables) for index, step in enumerate(program.steps)]
    streams: list[dict[str, Any]] = [
        {"name": _comment(stream.name), "offset": offset, "width": stream.width, "rows": stream.rows, "slots": slots}
        for stream, slots, offset in zip(program.streams, network.schedule.slots, memory.ring_offsets, strict=True)
    ]
    parts = [program] if network.split is None else [network.split.trunk, network.split.head]
    for entry, reader in zip(streams, [reader for part in parts for reader in _deepest_readers(part)], strict=True):
        entry["reader"] = reader
    split = None if network.split is None else _split(network.split, network.schedule, steps, streams)
    source, made = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    return {
        "name": _comment(program.name),
        "arrays": tables.listed,
        "headers": sorted(_headers(program)),
        "steps": steps,
        "streams": streams,
        "split": split,
        "input": program.streams[program.input],
        "output": program.streams[program.output],
        "input_index": program.input,
        "output_index": program.output,
        "input_scale": repr(source.scale),
        "input_zero_point": source.zero_point,
        "output_scale": repr(made.scale),
        "output_zero_point": made.zero_point,
        "memory_bytes": memory.total,
        "blocks": _blocks(network),
        "push_limit": network.push_limit,
        "single_rounding": int(network.rounding == "single"),
        "max_rows": max((step.rows for step in program.steps), default=1),
    }


def _deepest_readers(program: Program) -> list[int]:
    """Return for each stream the deepest step that reads it, counted from the deepest of all; their number if none."""
    count = len(program.steps)
    readers = [count] * len(program.streams)
    for index, step in enumerate(program.steps):
        for tap in step.taps:
            readers[tap.stream] = count - 1 - index
    return readers


def _split(
    split: Split, schedule: Schedule, steps: list[dict[str, Any]], streams: list[dict[str, Any]]
) -> dict[str, Any]:
    """Make a trunk's tables those of a program without an end and a head's its own; returns where the two meet."""
    count = len(split.trunk.streams)
    turns = split.turns(schedule.slots[:count])
    for table, turned, name in zip((streams, steps), turns, ("rows", "runs"), strict=True):
        for index, entry in enumerate(table):
            endless = index < len(turned)
            entry |= {"turn": turned[index], name: ENDLESS} if endless else {"turn": 0}
    for step in steps[len(split.trunk.steps) :]:
        step["output"] -= count
        step["taps"] = [tap | {"stream": tap["stream"] - count} for tap in step["taps"]]
    kept = split.trunk.streams[split.trunk.output]
    return {
        "trunk_streams": count,
        "trunk_steps": len(split.trunk.steps),
        "head_steps": len(split.head.steps),
        "kept": split.trunk.output,
        "rows": kept.rows,
        "head_input": split.head.input,
        "turn": turns[0][split.trunk.input],
        "hop": split.hop,
    }


def _blocks(network: Network) -> dict[str, Any]:
    """Return what the convolutions of a core are told when they are compiled; 0 where there are none of a kind."""
    kernels, steps = network.kernels, network.program.steps
    gathered = [step for step in steps if step.source == GATHERED]
    in_a_list = (FOURS, vectors.DEPTHWISE)
    threes = {in_common(step) for step in steps if step.source == THREES}
    return {
        "in_place": _block_header(IN_PLACE, kernels),
        "gathered": _block_header(GATHERED, kernels),
        "gathered_values": max((gathered_values(step, kernels) for step in gathered), default=0),
        "gathered_columns": max((gathered_columns(step) for step in gathered), default=0),
        "gathered_dilation": max((step.number("dilation_w") for step in gathered), default=1),
        "patch_values": max((patch_values(step) for step in steps if step.source == PATCHED), default=0),
        "pieces": max((pieces(step, kernels) for step in steps if step.source == IN_PLACE), default=0),
        "values_under": max((values_under(step) for step in steps if step.source in in_a_list), default=0),
        "threes": {common: int(common in threes) for common in IN_COMMON},
    }


def _step(index: int, step: Step, program: Program, memory: Memory, tables: _Tables) -> dict[str, Any]:
    name = f"step{index:02d}"
    fold = step.fold is not None
    return {
        "name": name,
        "kind": step.kind,
        "made": _comment(program.streams[step.output].name),
        "op_type": step.op.ctype,
        "op_body": _struct(step.op, name, tables),
        "taps": [_tap(tap, step, program, tables) for tap in step.taps],
        "run": "NULL" if fold else step.kernel,
        "fold": step.kernel if fold else "NULL",
        "fold_window": step.fold,
        "sums": memory.sums_offsets[index],
        "macs": step.macs,
        "output": step.output,
        "emits": step.emits,
        "runs": step.runs,
    }


def _tap(tap: Tap, step: Step, program: Program, tables: _Tables) -> dict[str, Any]:
    row, outside = program.outside_row(step, tap), "NULL"
    if row is not None and tap.outside is not None:
        sign = "minus_" if tap.outside < 0 else ""
        outside = tables.name(row, f"outside_{row.values.size}_{sign}{abs(tap.outside)}")
    return {
        "outside": outside,
        "stream": tap.stream,
        "kernel": tap.kernel,
        "stride": tap.stride,
        "dilation": tap.dilation,
        "pad": tap.pad,
    }


def _struct(struct: CStruct, name: str, tables: _Tables) -> str:
    lines = [f"    .{key} = {_value(value, f'{name}_{key}', tables)}," for key, value in struct.fields.items()]
    return "{\n" + "\n".join(lines) + "\n}"


def _value(value: CValue, name: str, tables: _Tables) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, CArray):
        return tables.name(value, name)
    if isinstance(value, CPointers):
        return tables.pointers(value, name)
    if isinstance(value, tuple):
        return "{" + ", ".join(str(item) for item in value) + "}"
    if isinstance(value, dict):
        return "{" + ", ".join(f".{key} = {_value(item, f'{name}_{key}', tables)}" for key, item in value.items()) + "}"
    return str(value)


def _comment(text: str) -> str:
    """`text` made harmless in a C comment: an untrusted name could close it or continue its line."""
    kept = "".join(char if char.isalnum() or char in " _-./:;[]()" else "_" for char in text)
    return kept.replace("*/", "__").replace("/*", "__")[:80]
