"""Steps moved to the kernels of a core: other functions, weights in the order that those want, and a convolution in
one step with the average pool behind it.

What decides is the shape of a layer, and of its channels each by itself (channels.py). A step that stays with plain
C, in the same program, says why in its note.
"""

import dataclasses

from firmware_bridge.compile.program import Program, Step
from firmware_bridge.compile.specialise import vectors
from firmware_bridge.compile.specialise.convolution import convolution, pointwise
from firmware_bridge.compile.specialise.depthwise import depthwise
from firmware_bridge.compile.specialise.fuse import fuse_pools
from firmware_bridge.compile.specialise.product import fully_connected
from firmware_bridge.compile.specialise.sums import add

_MOVES = {
    "au_conv": convolution,
    "au_depthwise": depthwise,
    "au_fully_connected": fully_connected,
    "au_add": add,
}


def specialise(program: Program, kernels: str) -> Program:
    """`program` with the kernels "dsp8", "dsp16" or "mve"; "c99" is what it comes with."""
    if kernels == "c99":
        return program
    moved = dataclasses.replace(program, steps=tuple(_moved(step, kernels) for step in program.steps))
    fused = fuse_pools(moved)
    one_by_one = vectors.pointwise if kernels == "mve" else pointwise
    return dataclasses.replace(fused, steps=tuple(one_by_one(step) for step in fused.steps))


def _moved(step: Step, kernels: str) -> Step:
    if kernels == "mve" and vectors.takes(step):
        return vectors.depthwise(step)
    move = _MOVES.get(step.kernel)
    return move(step, kernels) if move else step
