"""Where rings and sums lie: blocks that are never alive at the same time share memory."""

from dataclasses import dataclass

import numpy as np

from firmware_bridge.compile.program import Program
from firmware_bridge.compile.schedule import Schedule


@dataclass(frozen=True)
class Memory:
    """The layout.

    Parameters
    ----------
    ring_offsets, ring_bytes : tuple of int
        By stream.
    sums_offsets, sums_bytes : tuple of int
        By step; 0 for a step without sums.
    total : int
        Bytes, a multiple of 4.
    """

    ring_offsets: tuple[int, ...]
    ring_bytes: tuple[int, ...]
    sums_offsets: tuple[int, ...]
    sums_bytes: tuple[int, ...]
    total: int


def lay_out(program: Program, schedule: Schedule) -> Memory:
    """Place every block at the lowest offset that no block alive at the same time covers, the largest block first.

    Parameters
    ----------
    program : Program
        What runs.
    schedule : Schedule
        When each block is alive.
    """
    rings = tuple(
        -(-slots * stream.width // 4) * 4 for stream, slots in zip(program.streams, schedule.slots, strict=True)
    )
    sums = tuple(-(-step.sums_bytes // 4) * 4 for step in program.steps)
    sizes = (*rings, *sums)
    alive = schedule.alive.astype(np.int32)
    conflict = (alive @ alive.T) > 0
    offsets = [0] * len(sizes)
    placed: list[int] = []
    for block in sorted(range(len(sizes)), key=lambda index: -sizes[index]):
        if sizes[block] == 0:
            continue
        busy = sorted((offsets[other], offsets[other] + sizes[other]) for other in placed if conflict[block, other])
        offsets[block] = _first_gap(busy, sizes[block])
        placed.append(block)
    total = max((offsets[block] + sizes[block] for block in placed), default=4)
    count = len(program.streams)
    return Memory(tuple(offsets[:count]), rings, tuple(offsets[count:]), sums, total)


def _first_gap(busy: list[tuple[int, int]], size: int) -> int:
    offset = 0
    for begin, end in busy:
        if begin - offset >= size:
            break
        offset = max(offset, end)
    return offset
