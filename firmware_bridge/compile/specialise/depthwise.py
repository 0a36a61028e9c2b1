"""Depthwise convolutions in the kernels that take four channels at a time."""

import dataclasses

import numpy as np

from firmware_bridge.compile.program import CArray, CStruct, Step
from firmware_bridge.compile.specialise.channels import Channels, Integers, words
from firmware_bridge.compile.specialise.convolution import convolution

FOURS = "au_depthwise_fours"
"""Function, and the file that holds it."""
_MOST_UNDER = 256


def depthwise(step: Step, kernels: str) -> Step:
    """`step` with au_depthwise_fours, or as a convolution where there are too few channels for that."""
    if step.number("in_channels") < 4:
        return convolution(_whole(step), kernels)
    if values_under(step) > _MOST_UNDER:
        return dataclasses.replace(
            step, note=f"{values_under(step)} values lie under its kernel, {_MOST_UNDER} at most"
        )
    channels = Channels.of(step)
    order = _order(step)
    weights = step.array("weights").reshape(-1, channels.bias.size)[:, order].transpose(1, 0, 2).reshape(-1)
    fields = step.op.fields | {"weights": CArray("int8_t", weights), "fours": _known(channels, order)}
    fields |= dict.fromkeys(("bias", "multiplier", "shift"))
    op = CStruct(step.op.ctype, fields)
    return dataclasses.replace(step, kernel=FOURS, source=FOURS, op=op, note=channels.note)


def values_under(step: Step) -> int:
    """Values of one channel under a kernel."""
    return step.number("kernel_h") * step.number("kernel_w")


def _order(step: Step) -> Integers:
    """Output channels in the order of the kernels, [groups, 4]: four input channels side by side, once for every output
    that each of them has. The last four overlap those before them where the channels are no multiple of four.
    """
    channels, multiple = step.number("in_channels"), step.number("depth_multiplier")
    first = np.minimum(np.arange(0, channels, 4), channels - 4)
    order = (first[:, None, None] + np.arange(4)) * multiple + np.arange(multiple)[:, None]
    return order.reshape(-1, 4)


def _whole(step: Step) -> Step:
    """Return a convolution that makes the same of 1 to 3 channels: weights of those that it does not see are 0."""
    channels, multiple = step.number("in_channels"), step.number("depth_multiplier")
    count = channels * multiple
    weights = np.zeros((count, values_under(step), channels), np.int64)
    weights[np.arange(count), :, np.arange(count) // multiple] = step.array("weights").reshape(-1, count).T
    fields = step.op.fields | {"weights": CArray("int8_t", weights.reshape(-1)), "out_channels": count}
    del fields["depth_multiplier"]
    return dataclasses.replace(step, kernel="au_conv", source="au_conv_c99", op=CStruct("au_conv_t", fields))


def _known(channels: Channels, order: Integers) -> CArray:
    """Bias and scale of four channels as au_depthwise.h describes them."""
    scales = np.stack([channels.multiplier[order], channels.offset[order]], axis=2).reshape(-1, 8)
    shifts = (channels.shift[order] << np.array([0, 8, 16, 24])).sum(axis=1, keepdims=True)
    return words(np.concatenate([channels.bias[order], scales, shifts], axis=1))
