"""Convolutions in the kernels that take two columns at a time: whether kernel rows are used where they lie or columns
are gathered, and the order of weights for both.
"""

import dataclasses
import math
from itertools import pairwise

import numpy as np

from firmware_bridge.compile.program import CArray, CStruct, Step
from firmware_bridge.compile.specialise.channels import Channels, Integers, scaling, words
from firmware_bridge.compile.specialise.lanes import fours, lanes

IN_PLACE, GATHERED, PATCHED = "au_conv_paired", "au_conv_gathered", "au_conv_patched"
POINTWISE = "au_conv_pointwise"
"""Functions, and the files that hold them."""

# Columns are gathered on the stack: a few where kernel rows can be used in place, more where halves are worth it.
_WORTH_BYTES = {"dsp8": 272, "dsp16": 4096, "mve": 272}
_MOST_STACK = 4096
_PIECE_BYTES = 12  # of a 32-bit core (au_packed.h)
_GROUP = 4  # values that are taken at a time
_MOST_PATCHED = 128  # bytes of stack
_BEFORE = 8  # bytes of biases, which come before the weights of two channels
_NO_MORE = 1 << 31  # channels behind two (au_conv_pointwise.c)
_FILLER = -1000  # no weight
# Which two of four values share a word of weights: what unpacking bytes gives, or halves as they lie.
_VALUES_OF_WORDS = {1: (0, 2, 1, 3), 2: (0, 1, 2, 3)}
# Two channels fill every second lane of a vector, the next two the lanes between.
_CHANNELS_OF_LANES = (0, 2, 1, 3)
_LANES = 16


def convolution(step: Step, kernels: str) -> Step:
    """`step` with au_conv_patched, au_conv_gathered or au_conv_paired where their stack is not beyond all measure."""
    if _patches(step, kernels):
        weights = step.array("weights").reshape(step.number("out_channels"), -1)
        return _paired(step, PATCHED, weights, kernels, 1)
    if _gathers(step, kernels):
        return _paired(step, GATHERED, _columns_first(step, kernels), kernels, column_bytes(kernels))
    if _lies_in_place(step, kernels):
        weights = step.array("weights").reshape(step.number("out_channels"), -1)
        return _paired(step, IN_PLACE, weights, kernels, 1)
    most = f"two columns under its kernel take {gathered_stack(step, kernels)} bytes of stack"
    return dataclasses.replace(step, note=f"{most}, {_MOST_STACK} at most")


def pointwise(step: Step) -> Step:
    """`step` with au_conv_pointwise, if it is one with au_conv_paired that the former takes."""
    one = all(step.number(name) == 1 for name in ("kernel_h", "kernel_w")) if step.kernel == IN_PLACE else False
    if not one or step.number("in_channels") % 4 or step.number("out_channels") % 2:
        return step
    weights = step.array("weights").astype(np.int8).reshape(step.number("out_channels") // 2, -1)
    known = step.array("pairs").reshape(len(weights), -1)
    known[:, -1] = scaling(step, known[:, -1:] >> np.array([0, 8]) & 0xFF)
    known[-1, -1] |= _NO_MORE
    pairs = known.astype("<i4").view(np.int8)
    around = np.concatenate([pairs[:, :_BEFORE], weights, pairs[:, _BEFORE:]], axis=1)
    fields = step.op.fields | {"weights": CArray("int8_t", around.reshape(-1)), "pairs": None}
    return dataclasses.replace(step, kernel=POINTWISE, source=POINTWISE, op=CStruct(step.op.ctype, fields))


def gathered_columns(step: Step) -> int:
    """Columns under two output columns, which au_conv_gathered.c gathers; those under a dilated kernel have none in
    common.
    """
    return step.number("kernel_w") + step.number("stride_w" if step.number("dilation_w") == 1 else "kernel_w")


def gathered_values(step: Step, kernels: str) -> int:
    """Values of all of them."""
    return gathered_columns(step) * _column(step, kernels)


def gathered_stack(step: Step, kernels: str) -> int:
    """Stack of au_conv_gathered.c: columns and the sum of each, bytes."""
    return gathered_values(step, kernels) * column_bytes(kernels) + 4 * gathered_columns(step)


def patch_values(step: Step) -> int:
    """Values under a kernel, in whole groups."""
    return _filled(math.prod(step.number(name) for name in ("kernel_h", "kernel_w", "in_channels")))


def patched_stack(step: Step) -> int:
    """Stack of au_conv_patched.c: two patches, bytes."""
    return 2 * (patch_values(step) + _GROUP)


def pieces(step: Step, kernels: str) -> int:
    """Pieces that au_conv_paired.c cuts the kernel over two neighbouring columns into."""
    split = int(kernels != "mve" and step.number("in_channels") % 4 != 0)
    return _most_pieces(step) * step.number("kernel_h") + split


def pieces_stack(step: Step, kernels: str) -> int:
    """Stack of au_conv_paired.c: the list of them, bytes."""
    return _PIECE_BYTES * pieces(step, kernels)


def column_bytes(kernels: str) -> int:
    """Bytes of a value in a gathered column."""
    return 2 if kernels == "dsp16" else 1


def _patches(step: Step, kernels: str) -> bool:
    """Whether patches are copied: those of few values, whose columns are no groups, and of which those beside them
    have at most half in common.
    """
    few = kernels == "dsp8" and patched_stack(step) <= _MOST_PATCHED
    apart = 2 * step.number("stride_w") >= step.number("kernel_w") > 1 == step.number("dilation_w")
    return few and apart and step.number("in_channels") % _GROUP != 0


def _filled(values: int) -> int:
    return values + -values % _GROUP


def _gathers(step: Step, kernels: str) -> bool:
    """Whether columns under the kernel are gathered: those of a small kernel, whose rows are too short to run along,
    whatever is to be unpacked, and what lies too awkwardly to be left in place.
    """
    worth = kernels == "dsp16" or step.number("kernel_h") > 1
    if worth and gathered_stack(step, kernels) <= _WORTH_BYTES[kernels]:
        return True
    return not _lies_in_place(step, kernels) and gathered_stack(step, kernels) <= _MOST_STACK


def _lies_in_place(step: Step, kernels: str) -> bool:
    """Whether rows can be cut into groups of four values, of which one column's last may be less, and kernel rows into
    few enough pieces.
    """
    one_column = step.number("kernel_h") * step.number("kernel_w") == 1
    in_fours = kernels == "mve" or step.number("in_channels") % 4 == 0 or one_column
    return in_fours and pieces_stack(step, kernels) <= _MOST_STACK


def _most_pieces(step: Step) -> int:
    """Pieces of a kernel row over two neighbouring columns: each lies inside of the tensor throughout or outside."""
    width, kernel, stride = (step.number(name) for name in ("in_width", "kernel_w", "stride_w"))
    if step.number("dilation_w") > 1:
        return kernel
    most = 0
    for x in range(0, step.number("out_width"), 2):
        left = x * stride - step.number("pad_left")
        states = [(0 <= left + k < width, 0 <= left + stride + k < width) for k in range(kernel)]
        most = max(most, 1 + sum(a != b for a, b in pairwise(states)))
    return most


def _column(step: Step, kernels: str) -> int:
    """Values of a gathered column; of halves an even number."""
    count = step.number("kernel_h") * step.number("in_channels")
    return count + count % column_bytes(kernels)


def _paired(step: Step, kernel: str, weights: Integers, kernels: str, value_bytes: int) -> Step:
    """`step` with the function and source `kernel` and its weights [out, values of a kernel] in blocks."""
    if kernels == "mve":
        blocks, known, note = _of_lanes(weights), fours(step, lanes(len(weights), 4)), ""
    else:
        channels = Channels.of(step)
        blocks, known, note = _blocks(weights, value_bytes), _known(channels), channels.note
    fields = step.op.fields | {"weights": CArray("int8_t", blocks), "pairs": known}
    fields |= dict.fromkeys(("bias", "multiplier", "shift"))
    op = CStruct(step.op.ctype, fields)
    return dataclasses.replace(step, kernel=kernel, source=kernel, op=op, note=note)


def _of_lanes(weights: Integers) -> Integers:
    """Weights [out, patch] as au_block_mve.h reads them: [out / 4, channels in another order, patch]."""
    count, patch = weights.shape
    filled = np.pad(weights, ((0, -count % 4), (0, 0))).reshape(-1, 4, patch)[:, _CHANNELS_OF_LANES]
    # A vector of weights may be longer than those of the last channel.
    return np.pad(filled.reshape(-1), (0, max(0, _LANES - patch)))


def _blocks(weights: Integers, value_bytes: int) -> Integers:
    """Weights [out, patch] as au_packed.h reads them: the bytes of [out / 2, groups of four, words, values, channels]
    with 128 added to the first channel's. Those that only fill up a group or a column are below -128 and become 0.
    """
    count, patch = weights.shape
    filled = np.full((count + count % 2, patch + -patch % 4), _FILLER)
    filled[:count, :patch] = weights
    pairs = filled.reshape(len(filled) // 2, 2, -1, 4)[..., _VALUES_OF_WORDS[value_bytes]].transpose(0, 2, 3, 1)
    offset = np.where(pairs == _FILLER, 0, pairs + np.array([128, 0]))
    return np.asarray(offset.astype(np.uint8).view(np.int8).astype(np.int64)).reshape(-1)


def _columns_first(step: Step, kernels: str) -> Integers:
    """Weights [out, kernel_w * kernel_h * in], in each column as gathering leaves its values."""
    height, width, channels = (step.number(name) for name in ("kernel_h", "kernel_w", "in_channels"))
    count = step.number("out_channels")
    weights = step.array("weights").reshape(count, height, width, channels)
    order = np.arange(channels)
    if kernels == "dsp16":  # au_block_dsp16.h unpacks four at a time
        fours = channels // 4 * 4
        order[:fours] = order[:fours].reshape(-1, 4)[:, _VALUES_OF_WORDS[1]].reshape(-1)
    columns = weights[..., order].transpose(0, 2, 1, 3).reshape(count, width, height * channels)
    more = _column(step, kernels) - height * channels
    return np.pad(columns, ((0, 0), (0, 0), (0, more)), constant_values=_FILLER).reshape(count, -1)


def _known(channels: Channels) -> CArray:
    """Bias and scale of two channels as au_packed.h reads them; a second one that is not there is never stored."""
    bias, multiplier, offset, how = channels.in_multiples(2)
    first, second = bias[:, 0], bias[:, 1]
    known = [first + 256 * second, second]
    known += [multiplier[:, 0], offset[:, 0], multiplier[:, 1], offset[:, 1], how[:, 0] + 256 * how[:, 1]]
    return words(np.stack(known, axis=1))
