"""Layers in the kernels of a core with vectors (Cortex-M55), which scale any channel in the same few instructions."""

import dataclasses

import numpy as np

from firmware_bridge.compile.program import CStruct, Step
from firmware_bridge.compile.specialise.channels import Integers, words
from firmware_bridge.compile.specialise.convolution import IN_PLACE
from firmware_bridge.compile.specialise.depthwise import values_under
from firmware_bridge.compile.specialise.lanes import fours, lanes

DEPTHWISE, POINTWISE = "au_depthwise_mve", "au_conv_mve"
"""Functions, and the files that hold them."""
_LANES = 16
_FEWEST = 8  # channels; for fewer, four at a time are as fast
_MOST_OF_TWO = 255  # magnitudes of weights: times 128, their products add up in 16 bits
# Bytes multiply into even and odd lanes, and 16 bits widen into even and odd ones.
_CHANNELS_OF_LANES = np.arange(_LANES).reshape(4, 2, 2).transpose(2, 1, 0).reshape(-1)


def takes(step: Step) -> bool:
    """Whether au_depthwise_mve is for `step`."""
    alone = step.kernel == "au_depthwise" and step.number("depth_multiplier") == 1
    return alone and step.number("in_channels") >= _FEWEST and _adds_up(step)


def depthwise(step: Step) -> Step:
    """`step` with au_depthwise_mve: weights and scales in sixteens of channels, scales in the order of lanes."""
    sixteens = _sixteens(step.number("in_channels"))
    weights = step.array("weights").reshape(values_under(step), -1)[:, sixteens.clip(0)].transpose(1, 0, 2)
    in_words = weights.astype("<i1", order="C").view("<i4").reshape(len(sixteens), -1).astype(np.int64)
    up, *scales = fours(step, sixteens[:, _CHANNELS_OF_LANES]).values
    known = np.concatenate([in_words, np.reshape(scales, (len(sixteens), -1))], axis=1)
    tables = {"fours": words(np.concatenate([[up], known.reshape(-1)]))}
    fields = step.op.fields | tables | dict.fromkeys(("weights", "bias", "multiplier", "shift"))
    return dataclasses.replace(step, kernel=DEPTHWISE, source=DEPTHWISE, op=CStruct(step.op.ctype, fields))


def _sixteens(channels: int) -> Integers:
    """Channels [groups, 16]: the last sixteen overlap others; eight are there twice, for two columns side by side."""
    if channels == _FEWEST:
        return np.tile(np.arange(channels), (1, 2))
    if channels < _LANES:
        return lanes(channels, _LANES)
    first = np.minimum(np.arange(0, channels, _LANES), channels - _LANES)
    return first[:, None] + np.arange(_LANES)


def pointwise(step: Step) -> Step:
    """`step` with au_conv_mve, if it is one with au_conv_paired and a kernel 1 x 1 that never lies outside."""
    if step.kernel != IN_PLACE or step.number("kernel_h") * step.number("kernel_w") != 1:
        return step
    last = (step.number("out_width") - 1) * step.number("stride_w")
    if step.number("pad_left") > 0 or last >= step.number("in_width"):
        return step
    return dataclasses.replace(step, kernel=POINTWISE, source=POINTWISE)


def _adds_up(step: Step) -> bool:
    weights = np.abs(step.array("weights").reshape(values_under(step), -1))
    twos = np.pad(weights, ((0, len(weights) % 2), (0, 0))).reshape(-1, 2, weights.shape[1]).sum(axis=1)
    return bool((twos <= _MOST_OF_TWO).all())
