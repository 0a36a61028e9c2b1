"""Layers in the kernels of a core with vectors (Cortex-M55), which scale any channel in the same few instructions."""

import dataclasses

import numpy as np

from firmware_bridge.compile.program import CStruct, Step
from firmware_bridge.compile.specialise.channels import Integers, words
from firmware_bridge.compile.specialise.convolution import IN_PLACE
from firmware_bridge.compile.specialise.depthwise import values_under
from firmware_bridge.compile.specialise.lanes import fours

DEPTHWISE, POINTWISE = "au_depthwise_mve", "au_conv_mve"
"""Functions, and the files that hold them."""
_LANES = 16
_FEWEST = 8  # channels; for fewer, four at a time are as fast
_MOST_OF_TWO = 255  # magnitudes of weights: times 128, their products add up in 16 bits
# 16 bits widen into even and odd lanes, and bytes, before, multiply into such ones.
_IN_LANES = {
    _FEWEST: np.arange(_FEWEST).reshape(4, 2).T.reshape(-1),
    _LANES: np.arange(_LANES).reshape(4, 2, 2).transpose(2, 1, 0).reshape(-1),
}


def takes(step: Step) -> bool:
    """Whether au_depthwise_mve is for `step`."""
    alone = step.kernel == "au_depthwise" and step.number("depth_multiplier") == 1
    return alone and step.number("in_channels") >= _FEWEST and _adds_up(step)


def depthwise(step: Step) -> Step:
    """`step` with au_depthwise_mve: weights and scales of eights of channels, then of sixteens, in order of lanes."""
    weights = step.array("weights").reshape(values_under(step), -1)
    known = []
    for channels in [*eights(step), *sixteens(step)]:
        up, *scales = fours(step, channels[_IN_LANES[len(channels)]]).values
        known += [weights[:, channels].astype("<i1", order="C").view("<i4").reshape(-1).astype(np.int64), scales]
    tables = {"fours": words(np.concatenate([[up], *known]))}
    fields = step.op.fields | tables | dict.fromkeys(("weights", "bias", "multiplier", "shift"))
    return dataclasses.replace(step, kernel=DEPTHWISE, source=DEPTHWISE, op=CStruct(step.op.ctype, fields))


def eights(step: Step) -> Integers:
    """Channels [groups, 8] of what sixteens leave; less than sixteen are eights alone, the last of which overlap."""
    channels = step.number("in_channels")
    rest = channels % _LANES
    if channels < _LANES:
        first = [0, channels - _FEWEST][: -(-channels // _FEWEST)]
    else:
        first = [channels - _FEWEST] if 0 < rest <= _FEWEST else []
    return np.array(first, np.int64)[:, None] + np.arange(_FEWEST)


def sixteens(step: Step) -> Integers:
    """Channels [groups, 16], the last of which may overlap; eight are there twice, for two columns side by side."""
    channels, rest = step.number("in_channels"), step.number("in_channels") % _LANES
    if channels == _FEWEST and step.number("stride_w") == 1 and in_nine(step):
        return np.tile(np.arange(channels), (1, 2))
    if channels < _LANES:
        return np.zeros((0, _LANES), np.int64)
    first = np.arange(0, channels - rest, _LANES)
    if rest > _FEWEST:
        first = np.append(first, channels - _LANES)
    return first[:, None] + np.arange(_LANES)


def in_nine(step: Step) -> bool:
    """Whether the kernel of `step` is 3 x 3, which is made in a loop of its own."""
    return (step.number("kernel_h"), step.number("kernel_w")) == (3, 3)


def pointwise(step: Step) -> Step:
    """`step` with au_conv_mve, if it is one with au_conv_paired and a kernel 1 x 1 that never lies outside."""
    if step.kernel != IN_PLACE or step.number("kernel_h") * step.number("kernel_w") != 1:
        return step
    last = (step.number("out_width") - 1) * step.number("stride_w")
    if step.number("pad_left") > 0 or last >= step.number("in_width"):
        return step
    return dataclasses.replace(step, kernel=POINTWISE, source=POINTWISE)


def _adds_up(step: Step) -> bool:
    """Whether products of any two values side by side add up in 16 bits."""
    weights = np.abs(step.array("weights").reshape(values_under(step), -1))
    return bool((weights[:-1] + weights[1:] <= _MOST_OF_TWO).all())
