"""Steps moved to the kernels of a core: other functions, weights in the order that those want, and a convolution in
one step with the average pool behind it.

What a special kernel cannot take (dilation, odd channel counts, sums beyond 2^30) stays with plain C, in the same
program.
"""

import dataclasses
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from firmware_bridge.fuse import fuse_pools
from firmware_bridge.program import CArray, CStruct, Program, Step

_MOST_GATHERED_BYTES = 248
_MOST_PIECES = 3
_MOST_SUM = 1 << 30
# Which two of four values share a word of weights: what unpacking bytes gives, or halves as they lie.
_VALUES_OF_WORDS = {"dsp8": (0, 2, 1, 3), "dsp16": (0, 1, 2, 3)}
# Two channels fill every second lane of a vector, the next two the lanes between.
_CHANNELS_OF_LANES = (0, 2, 1, 3)


def specialise(program: Program, kernels: str) -> Program:
    """`program` with the kernels "dsp8", "dsp16" or "mve"; "c99" is what it comes with."""
    if kernels == "c99":
        return program
    moved = dataclasses.replace(program, steps=tuple(_moved(step, kernels) for step in program.steps))
    return fuse_pools(moved)


def _moved(step: Step, kernels: str) -> Step:
    if step.kernel == "au_conv" and _blocks_fit(step, kernels):
        fields = dict(step.op.fields)
        fields["weights"] = CArray("int8_t", _blocks(step, kernels))
        kernel = "au_conv_gathered" if _gathers(step, kernels) else "au_conv_paired"
        return dataclasses.replace(step, kernel=kernel, source="au_conv_paired", op=CStruct(step.op.ctype, fields))
    if step.kernel == "au_depthwise" and _fours_fit(step):
        return dataclasses.replace(step, kernel="au_depthwise_fours", source="au_depthwise_fours")
    return step


def _fours_fit(step: Step) -> bool:
    in_fours = _number(step, "in_channels") % 4 == 0 and _number(step, "depth_multiplier") == 1
    return in_fours and _number(step, "dilation_w") == 1 and _finishes(step)


def _finishes(step: Step) -> bool:
    """Whether sums stay below 2^30 and are scaled down, so that au_rescale (c/au_dsp.h) may finish them."""
    weights, bias, shift = (_array(step, name) for name in ("weights", "bias", "shift"))
    count = len(bias)
    of_channel = weights.reshape(-1, count).T if step.kernel == "au_depthwise" else weights.reshape(count, -1)
    sums = np.abs(bias) + 128 * np.abs(of_channel).sum(axis=1)
    return bool(sums.max() < _MOST_SUM and shift.max() < 0)


def _gathers(step: Step, kernels: str) -> bool:
    """Whether a kernel is so small that the columns under it are gathered: its rows are too short to run along."""
    height = _number(step, "kernel_h")
    column = height * _number(step, "in_channels")
    column = 2 * (column + column % 2) if kernels == "dsp16" else column
    under = (_number(step, "kernel_w") + _number(step, "stride_w")) * column
    return height > 1 and under <= _MOST_GATHERED_BYTES


def _blocks_fit(step: Step, kernels: str) -> bool:
    """Whether rows can be cut into groups of four values, and kernel rows into few enough pieces."""
    in_fours = kernels == "mve" or _gathers(step, kernels) or _number(step, "in_channels") % 4 == 0
    return in_fours and _number(step, "dilation_w") == 1 and _most_pieces(step) <= _MOST_PIECES and _finishes(step)


def _most_pieces(step: Step) -> int:
    """Pieces of a kernel row over two neighbouring columns: each lies inside of the tensor throughout or outside."""
    width, kernel, stride = (_number(step, name) for name in ("in_width", "kernel_w", "stride_w"))
    most = 0
    for x in range(0, _number(step, "out_width"), 2):
        left = x * stride - _number(step, "pad_left")
        states = [(0 <= left + k < width, 0 <= left + stride + k < width) for k in range(kernel)]
        most = max(most, 1 + sum(a != b for a, b in pairwise(states)))
    return most


def _blocks(step: Step, kernels: str) -> npt.NDArray[np.int64]:
    """Weights as c/au_block_*.h reads them: for "mve" [out / 4, channels in another order, patch]; otherwise the bytes
    of [out / 2, groups of four, words, values, channels] with 128 added to the first channel's.
    """
    count = _array(step, "bias").size
    weights = _columns_first(step, kernels) if _gathers(step, kernels) else _array(step, "weights").reshape(count, -1)
    patch = weights.shape[1]
    if kernels == "mve":
        fours = np.zeros((count + -count % 4, patch), np.int64)
        fours[:count] = weights
        return fours.reshape(-1, 4, patch)[:, _CHANNELS_OF_LANES].reshape(-1)
    filled = np.zeros((count + count % 2, patch + -patch % 4), np.int64)
    filled[:count, :patch] = weights
    pairs = filled.reshape(len(filled) // 2, 2, -1, 4)[..., _VALUES_OF_WORDS[kernels]].transpose(0, 2, 3, 1)
    offset = pairs + np.array([128, 0])
    return np.asarray(offset.astype(np.uint8).view(np.int8).astype(np.int64)).reshape(-1)


def _columns_first(step: Step, kernels: str) -> npt.NDArray[np.int64]:
    """Weights [out, kernel_w * kernel_h * in]; "dsp16" keeps every column of the kernel on a word."""
    height, width, channels = (_number(step, name) for name in ("kernel_h", "kernel_w", "in_channels"))
    count = _array(step, "bias").size
    weights = _array(step, "weights").reshape(count, height, width, channels)
    columns = weights.transpose(0, 2, 1, 3).reshape(count, width, height * channels)
    odd = height * channels % 2 if kernels == "dsp16" else 0
    return np.pad(columns, ((0, 0), (0, 0), (0, odd))).reshape(count, -1)


def _array(step: Step, name: str) -> npt.NDArray[np.int64]:
    value = step.op.fields[name]
    assert isinstance(value, CArray)
    return value.values.astype(np.int64)


def _number(step: Step, name: str) -> int:
    value = step.op.fields[name]
    assert isinstance(value, int)
    return value
