"""ADD and SUB without broadcasting in a core's kernel."""

import dataclasses
import math

from firmware_bridge.compile.program import CStruct, CValue, Step

_HEADROOM = 20  # of both sides of a sum (au_elementwise_c99.c)
_MOST_OFFSET = (1 << 30) - 2


def add(step: Step, _: str) -> Step:
    """`step` with au_add_alike (au_elementwise_dsp.c), where that fits."""
    struct = _sum_of_alike(step)
    if isinstance(struct, str):
        return dataclasses.replace(step, note=struct)
    return dataclasses.replace(step, kernel="au_add_alike", source="au_elementwise_dsp", op=struct)


def _sum_of_alike(step: Step) -> CStruct | str:
    """Return what au_add_alike (au_elementwise_dsp.c) is told, or why it does not fit: XNNPACK's rounding ends in a
    shift to the left.
    """
    fields = step.op.fields
    sides = [_addend(fields[name]) for name in ("left", "right")]
    sizes, shift = fields["sizes"], -step.number("shift")
    assert isinstance(sizes, tuple)
    if None in sides or math.prod(sizes) != sizes[-1]:
        return "a side is constant, broadcast, or scaled beyond the usual"
    offset = (1 << shift >> 1) + (step.number("out_zero") << shift) if shift > 0 else _MOST_OFFSET + 1
    if abs(offset) > _MOST_OFFSET:
        return "its sum is rounded once, or scaled beyond the usual"
    made = {name: fields[name] for name in ("multiplier", "low", "high")}
    made |= {"left": sides[0], "right": sides[1], "count": sizes[-1], "offset": offset, "shift": shift}
    return CStruct("au_sum_t", made)


def _addend(side: CValue) -> dict[str, CValue] | None:
    """One side of a sum. The larger scale is halved: no shift, but the multiplier for one half."""
    assert isinstance(side, dict)
    multiplier, shift, zero = side["multiplier"], side["shift"], side["zero"]
    assert isinstance(multiplier, int)
    assert isinstance(shift, int)
    if side["constant"] is not None or side["steps"] != (0, 0, 0, 1) or (shift == 0 and abs(multiplier) != 1 << 30):
        return None
    more = int(shift == 0)
    half = 1 << (more - shift) >> 1
    return {"multiplier": multiplier, "half": half, "zero": zero, "headroom": _HEADROOM + more, "shift": more - shift}
