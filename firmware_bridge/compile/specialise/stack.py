"""Stack that grows with a step."""

from firmware_bridge.compile.program import Step
from firmware_bridge.compile.specialise.convolution import (
    GATHERED,
    IN_PLACE,
    PATCHED,
    gathered_stack,
    patched_stack,
    pieces_stack,
)
from firmware_bridge.compile.specialise.depthwise import FOURS, values_under
from firmware_bridge.compile.specialise.vectors import DEPTHWISE

_POINTER_BYTES = 4  # of a 32-bit core


def stack_bytes(step: Step, kernels: str) -> int:
    """Return bytes of the rows it is given, and of what its kernel gathers, cuts or lists of them."""
    rows = _POINTER_BYTES * step.rows
    if step.source == GATHERED:
        return rows + gathered_stack(step, kernels)
    if step.source == PATCHED:
        return rows + patched_stack(step)
    if step.source == IN_PLACE:
        return rows + pieces_stack(step, kernels)
    return rows + (_POINTER_BYTES * values_under(step) if step.source in (FOURS, DEPTHWISE) else 0)
