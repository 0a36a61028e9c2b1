"""Depthwise convolutions in the kernel that takes four channels at a time."""

import dataclasses

import numpy as np

from firmware_bridge.compile.program import CArray, CStruct, Step
from firmware_bridge.compile.specialise.channels import Channels, Integers, words

FOURS = "au_depthwise_fours"
"""Function, and the file that holds it."""
_MOST_UNDER = 64


def depthwise(step: Step, _: str) -> Step:
    """`step` with au_depthwise_fours where its shape allows."""
    why = _why_not(step)
    if why:
        return dataclasses.replace(step, note=why)
    channels = Channels.of(step)
    fields = step.op.fields | {"weights": CArray("int8_t", _fours(step)), "fours": _known(channels)}
    fields |= dict.fromkeys(("bias", "multiplier", "shift"))
    op = CStruct(step.op.ctype, fields)
    return dataclasses.replace(step, kernel=FOURS, source=FOURS, op=op, note=channels.note)


def values_under(step: Step) -> int:
    """Values of one channel under a kernel."""
    return step.number("kernel_h") * step.number("kernel_w")


def _why_not(step: Step) -> str:
    if step.number("in_channels") % 4:
        return f"{step.number('in_channels')} channels are no multiple of 4"
    if step.number("depth_multiplier") > 1:
        return f"its depth multiplier is {step.number('depth_multiplier')}"
    if step.number("dilation_w") > 1:
        return f"its kernel is dilated by {step.number('dilation_w')}"
    return f"{values_under(step)} values lie under its kernel" if values_under(step) > _MOST_UNDER else ""


def _known(channels: Channels) -> CArray:
    """Bias and scale of four channels as au_depthwise_fours.c reads them."""
    bias, multiplier, shift, offset = channels.in_multiples(4)
    shifts = (shift << np.array([0, 8, 16, 24])).sum(axis=1, keepdims=True)
    return words(np.concatenate([bias, multiplier, offset, shifts], axis=1))


def _fours(step: Step) -> Integers:
    """Weights [kernel_h, kernel_w, out] as [out / 4, kernel_h, kernel_w, 4]."""
    return step.array("weights").reshape(-1, step.number("in_channels") // 4, 4).transpose(1, 0, 2).reshape(-1)
