"""Depthwise convolutions in the kernels that take four channels at a time."""

import dataclasses

import numpy as np

from firmware_bridge.compile.program import CArray, CStruct, Step
from firmware_bridge.compile.specialise.channels import Channels, Integers, goes_anyhow, scaling, words
from firmware_bridge.compile.specialise.convolution import convolution

FOURS, THREES = "au_depthwise_fours", "au_depthwise_threes"
"""Functions, and the files that hold them."""
IN_COMMON = ("SHARED", "OVERLAPPING", "APART")
"""As au_threes.h has them."""
_MOST_DOUBLED = 1 << 30
_STRANGE = 1 << 15  # in the first of four channels: one of them goes through au_requantize()
_LAST_SECOND = (0, 2, 1)  # kernel columns where the first's last input column is the second's first
_MOST_UNDER = 256


def depthwise(step: Step, kernels: str) -> Step:
    """`step` with au_depthwise_threes or au_depthwise_fours; as a convolution where it has fewer channels than four."""
    if step.number("in_channels") < 4:
        return convolution(_whole(step), kernels)
    if values_under(step) > _MOST_UNDER:
        return dataclasses.replace(
            step, note=f"{values_under(step)} values lie under its kernel, {_MOST_UNDER} at most"
        )
    channels, order = Channels.of(step), _order(step)
    weights = step.array("weights").reshape(-1, channels.bias.size)[:, order].transpose(1, 0, 2)
    if _in_threes(step, kernels) and channels.reach.max() < _MOST_DOUBLED:
        kernel, tables = THREES, {"weights": None, "fours": _known_of_twos(step, channels, order, weights)}
    else:
        kernel, tables = FOURS, {"weights": CArray("int8_t", weights.reshape(-1)), "fours": _known(channels, order)}
    op = CStruct(step.op.ctype, step.op.fields | tables | dict.fromkeys(("bias", "multiplier", "shift")))
    return dataclasses.replace(step, kernel=kernel, source=kernel, op=op, note=channels.note)


def values_under(step: Step) -> int:
    """Values of one channel under a kernel."""
    return step.number("kernel_h") * step.number("kernel_w")


def in_common(step: Step) -> str:
    """Return what two output columns of au_depthwise_threes have in common, of `IN_COMMON`."""
    ratio = step.number("stride_w") / step.number("dilation_w")
    return {1.0: "SHARED", 2.0: "OVERLAPPING"}.get(ratio, "APART")


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


def _in_threes(step: Step, kernels: str) -> bool:
    three = (step.number("kernel_h"), step.number("kernel_w")) == (3, 3)
    return kernels != "mve" and three and step.number("depth_multiplier") == 1


def _known(channels: Channels, order: Integers) -> CArray:
    """Bias and scale of four channels as au_depthwise.h describes them."""
    scales = np.stack([channels.multiplier[order], channels.offset[order]], axis=2).reshape(-1, 8)
    how = (channels.how[order] << np.array([0, 8, 16, 24])).sum(axis=1, keepdims=True)
    return words(np.concatenate([channels.bias[order], scales, how], axis=1))


def _known_of_twos(step: Step, channels: Channels, order: Integers, weights: Integers) -> CArray:
    """Weights [groups, 9, 4], bias and scale of channels 0 and 2, then of 1 and 3, as au_threes.h describes them."""
    twos = order[:, [[0, 2], [1, 3]]].reshape(-1, 2)
    scales = np.stack([channels.multiplier[twos], channels.offset[twos]], axis=2).reshape(-1, 4)
    how = scaling(step, channels.how[twos])[:, None]
    strange = goes_anyhow(how >> np.array([0, 16]) & 0xFF).reshape(-1, 4).any(axis=1, keepdims=True)
    how[::2] |= np.where(strange, _STRANGE, 0)
    # [twos, channels, rows, columns]
    halves = 2 * weights[:, :, [[0, 2], [1, 3]]].transpose(0, 2, 3, 1).reshape(-1, 2, 3, 3) & 0xFFFF
    if in_common(step) == "OVERLAPPING":
        halves = halves[..., _LAST_SECOND]
    upper = halves[:, :, 0] + (halves[:, :, 1] << 16)
    lowest = halves[:, 0, 2] + (halves[:, 1, 2] << 16)
    of_columns = np.stack([upper[:, 0], upper[:, 1], lowest], axis=2).reshape(-1, 9)
    return words(np.concatenate([2 * channels.bias[twos], of_columns, scales, how], axis=1))
