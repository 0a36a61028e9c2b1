"""A convolution and the average over 2 x 2 behind it as one step: the convolution's rows are never stored."""

import dataclasses

from firmware_bridge.compile.program import CStruct, Fold, Program, Step, without_unused_streams
from firmware_bridge.compile.specialise.convolution import GATHERED, IN_PLACE, PATCHED

_SHARED = (("in_width", "out_width"), ("channels", "out_channels"))


def fuse_pools(program: Program) -> Program:
    """Join every convolution in blocks with the pool that alone reads it, where the pool is 2 x 2 without padding."""
    steps = list(program.steps)
    gone: set[int] = set()
    for index, step in enumerate(program.steps):
        pool = _pool_behind(program, step)
        if pool is not None:
            behind = program.steps[pool]
            steps[index] = _fused(program, step, behind)
            gone.add(pool)
    kept = tuple(step for index, step in enumerate(steps) if index not in gone)
    return without_unused_streams(dataclasses.replace(program, steps=kept))


def _pool_behind(program: Program, step: Step) -> int | None:
    readers = [
        index for index, other in enumerate(program.steps) if any(tap.stream == step.output for tap in other.taps)
    ]
    blocks = step.kernel in (IN_PLACE, GATHERED, PATCHED) and step.number("out_channels") % 2 == 0
    if blocks and step.output != program.output and len(readers) == 1 and _two_by_two(program, step, readers[0]):
        return readers[0]
    return None


def _two_by_two(program: Program, conv: Step, reader: int) -> bool:
    pool = program.steps[reader]
    if pool.kernel != "au_average_pool_fold16" or pool.fold is None:
        return False
    kernel = [pool.number(name) for name in ("kernel_h", "kernel_w", "stride_w")] + [pool.fold.stride]
    unpadded = pool.number("pad_left") == pool.fold.pad == 0 and 2 * pool.number("out_width") <= conv.number(
        "out_width"
    )
    # A RESHAPE between the two cuts the same row into other columns.
    alike = all(pool.number(there) == conv.number(here) for there, here in _SHARED)
    complete = 2 * program.streams[pool.output].rows <= conv.runs
    unbounded = (pool.number("low"), pool.number("high")) == (-128, 127)
    return kernel == [2, 2, 2, 2] and alike and unpadded and complete and unbounded


def _fused(program: Program, conv: Step, pool: Step) -> Step:
    """Columns that the pool leaves out are not computed."""
    width = 2 * pool.number("out_width")
    fields = conv.op.fields | {"out_width": width}
    macs = conv.macs // conv.number("out_width") * width
    fold = Fold(2, 2, 0, 2 * program.streams[pool.output].width)
    return dataclasses.replace(
        conv, kernel=f"{conv.kernel}_pool", op=CStruct(conv.op.ctype, fields), output=pool.output, macs=macs, fold=fold
    )
