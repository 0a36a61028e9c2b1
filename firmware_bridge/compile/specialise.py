"""Steps moved to the kernels of a core: other functions, weights in the order that those want, and a convolution in
one step with the average pool behind it.

What a special kernel cannot take (dilation, odd channel counts, sums beyond 2^30) stays with plain C, in the same
program.
"""

import dataclasses
import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from firmware_bridge.compile.fuse import fuse_pools
from firmware_bridge.compile.program import CArray, CStruct, CValue, Program, Step

IN_PLACE, GATHERED = "au_conv_paired", "au_conv_gathered"
"""Functions, and the files that hold them, for convolutions of two columns at a time."""
FOURS = "au_depthwise_fours"
"""The same for depthwise convolutions of four channels at a time."""
_HEADROOM = 20  # of both sides of a sum (au_elementwise_c99.c)

# Columns are gathered on the stack: a few where kernel rows can be used in place, more where halves are worth it.
_MOST_GATHERED_BYTES = {"dsp8": 272, "dsp16": 4096, "mve": 272}
_MOST_PIECES = 3
_POINTER_BYTES, _PIECE_BYTES = 4, 12  # of a 32-bit core (au_packed.h)
_MOST_UNDER = 64
_MOST_SUM = 1 << 30
_MOST_OFFSET = (1 << 30) - 2
_FILLER = -1000  # no weight
# Which two of four values share a word of weights: what unpacking bytes gives, or halves as they lie.
_VALUES_OF_WORDS = {1: (0, 2, 1, 3), 2: (0, 1, 2, 3)}
# Two channels fill every second lane of a vector, the next two the lanes between.
_CHANNELS_OF_LANES = (0, 2, 1, 3)


def specialise(program: Program, kernels: str) -> Program:
    """`program` with the kernels "dsp8", "dsp16" or "mve"; "c99" is what it comes with."""
    if kernels == "c99":
        return program
    moved = dataclasses.replace(program, steps=tuple(_moved(step, kernels) for step in program.steps))
    return fuse_pools(moved)


def gathered_columns(step: Step) -> int:
    """Columns under two output columns, which au_conv_gathered.c gathers."""
    return _number(step, "kernel_w") + _number(step, "stride_w")


def gathered_values(step: Step, kernels: str) -> int:
    """Values of all of them."""
    return gathered_columns(step) * _column(step, kernels)


def pieces(step: Step) -> int:
    """Pieces that au_conv_paired.c cuts the kernel over two neighbouring columns into."""
    return _most_pieces(step) * _number(step, "kernel_h")


def stack_bytes(step: Step, kernels: str) -> int:
    """Stack that grows with a step: the rows it is given, and what its kernel gathers, cuts or lists of them."""
    rows = _POINTER_BYTES * step.rows
    if step.source == GATHERED:
        return rows + _gathered_bytes(step, kernels)
    if step.source == IN_PLACE:
        return rows + _PIECE_BYTES * pieces(step)
    return rows + (_POINTER_BYTES * values_under(step) if step.source == FOURS else 0)


def values_under(step: Step) -> int:
    """Values of one channel under a kernel."""
    return _number(step, "kernel_h") * _number(step, "kernel_w")


def column_bytes(kernels: str) -> int:
    """Bytes of a value in a gathered column."""
    return 2 if kernels == "dsp16" else 1


def _moved(step: Step, kernels: str) -> Step:
    if step.kernel == "au_conv" and _number(step, "dilation_w") == 1 and _finishes(step):
        if _gathers(step, kernels):
            weights = _columns_first(step, kernels)
            return _paired(step, GATHERED, weights, kernels, column_bytes(kernels))
        if _lies_in_place(step, kernels):
            return _paired(step, IN_PLACE, _array(step, "weights").reshape(_channels(step), -1), kernels, 1)
    if step.kernel == "au_depthwise" and _fours_fit(step):
        fields = step.op.fields | {"weights": CArray("int8_t", _fours(step)), "fours": _known_of_fours(step)}
        fields |= dict.fromkeys(("bias", "multiplier", "shift"))
        op = CStruct(step.op.ctype, fields)
        return dataclasses.replace(step, kernel=FOURS, source=FOURS, op=op)
    if step.kernel == "au_add" and (struct := _sum_of_alike(step)):
        return dataclasses.replace(step, kernel="au_add_alike", source="au_elementwise_dsp", op=struct)
    return step


def _paired(step: Step, kernel: str, weights: npt.NDArray[np.int64], kernels: str, value_bytes: int) -> Step:
    """`step` with the function and source `kernel` and its weights [out, values of a kernel] in blocks."""
    if kernels == "mve":
        fields = step.op.fields | {"weights": CArray("int8_t", _of_lanes(weights))}
    else:
        blocks = CArray("int8_t", _blocks(weights, value_bytes))
        fields = step.op.fields | {"weights": blocks, "pairs": _known_of_pairs(step)}
        fields |= dict.fromkeys(("bias", "multiplier", "shift"))
    return dataclasses.replace(step, kernel=kernel, source=kernel, op=CStruct(step.op.ctype, fields))


def _fours_fit(step: Step) -> bool:
    in_fours = _number(step, "in_channels") % 4 == 0 and _number(step, "depth_multiplier") == 1
    few = values_under(step) <= _MOST_UNDER
    return in_fours and few and _number(step, "dilation_w") == 1 and _finishes(step)


def _finishes(step: Step) -> bool:
    """Whether sums stay below 2^30 and are scaled down, so that au_rescale (au_dsp.h) may finish them."""
    weights, bias = (_array(step, name) for name in ("weights", "bias"))
    count = len(bias)
    of_channel = weights.reshape(-1, count).T if step.kernel == "au_depthwise" else weights.reshape(count, -1)
    sums = np.abs(bias) + 128 * np.abs(of_channel).sum(axis=1)
    return bool(sums.max() < _MOST_SUM and _shifts(step).min() > 0 and np.abs(_offsets(step)).max() <= _MOST_OFFSET)


def _offsets(step: Step) -> npt.NDArray[np.int64]:
    """Return what au_rescale adds: half a step and the zero point, before the shift."""
    shift = _shifts(step).clip(0)
    zero = step.op.fields["out_zero"]
    assert isinstance(zero, int)
    return np.asarray((1 << shift >> 1) + (zero << shift), np.int64)


def _shifts(step: Step) -> npt.NDArray[np.int64]:
    """Shifts to the right; 1 for a channel whose factor is 0, which any shift leaves so."""
    return np.where(_array(step, "multiplier") == 0, 1, -_array(step, "shift"))


def _column(step: Step, kernels: str) -> int:
    """Values of a gathered column; of halves an even number."""
    count = _number(step, "kernel_h") * _number(step, "in_channels")
    return count + count % column_bytes(kernels)


def _gathers(step: Step, kernels: str) -> bool:
    """Whether columns under the kernel are gathered: those of a small kernel, whose rows are too short to run along,
    and whatever is to be unpacked.
    """
    worth = kernels == "dsp16" or _number(step, "kernel_h") > 1
    return worth and _gathered_bytes(step, kernels) <= _MOST_GATHERED_BYTES[kernels]


def _gathered_bytes(step: Step, kernels: str) -> int:
    """Columns and the sum of each."""
    return gathered_values(step, kernels) * column_bytes(kernels) + 4 * gathered_columns(step)


def _lies_in_place(step: Step, kernels: str) -> bool:
    """Whether rows can be cut into groups of four values, and kernel rows into few enough pieces."""
    in_fours = kernels == "mve" or _number(step, "in_channels") % 4 == 0
    return in_fours and _most_pieces(step) <= _MOST_PIECES


def _most_pieces(step: Step) -> int:
    """Pieces of a kernel row over two neighbouring columns: each lies inside of the tensor throughout or outside."""
    width, kernel, stride = (_number(step, name) for name in ("in_width", "kernel_w", "stride_w"))
    most = 0
    for x in range(0, _number(step, "out_width"), 2):
        left = x * stride - _number(step, "pad_left")
        states = [(0 <= left + k < width, 0 <= left + stride + k < width) for k in range(kernel)]
        most = max(most, 1 + sum(a != b for a, b in pairwise(states)))
    return most


def _of_lanes(weights: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Weights [out, patch] as au_block_mve.h reads them: [out / 4, channels in another order, patch]."""
    count, patch = weights.shape
    fours = np.zeros((count + -count % 4, patch), np.int64)
    fours[:count] = weights
    return fours.reshape(-1, 4, patch)[:, _CHANNELS_OF_LANES].reshape(-1)


def _blocks(weights: npt.NDArray[np.int64], value_bytes: int) -> npt.NDArray[np.int64]:
    """Weights [out, patch] as au_packed.h reads them: the bytes of [out / 2, groups of four, words, values, channels]
    with 128 added to the first channel's. Those that only fill up a group or a column are below -128 and become 0.
    """
    count, patch = weights.shape
    filled = np.full((count + count % 2, patch + -patch % 4), _FILLER)
    filled[:count, :patch] = weights
    pairs = filled.reshape(len(filled) // 2, 2, -1, 4)[..., _VALUES_OF_WORDS[value_bytes]].transpose(0, 2, 3, 1)
    offset = np.where(pairs == _FILLER, 0, pairs + np.array([128, 0]))
    return np.asarray(offset.astype(np.uint8).view(np.int8).astype(np.int64)).reshape(-1)


def _columns_first(step: Step, kernels: str) -> npt.NDArray[np.int64]:
    """Weights [out, kernel_w * kernel_h * in], in each column as gathering leaves its values."""
    height, width, channels = (_number(step, name) for name in ("kernel_h", "kernel_w", "in_channels"))
    count = _channels(step)
    weights = _array(step, "weights").reshape(count, height, width, channels)
    order = np.arange(channels)
    if kernels == "dsp16":  # au_block_dsp16.h unpacks four at a time
        fours = channels // 4 * 4
        order[:fours] = order[:fours].reshape(-1, 4)[:, _VALUES_OF_WORDS[1]].reshape(-1)
    columns = weights[..., order].transpose(0, 2, 1, 3).reshape(count, width, height * channels)
    more = _column(step, kernels) - height * channels
    return np.pad(columns, ((0, 0), (0, 0), (0, more)), constant_values=_FILLER).reshape(count, -1)


def _known_of_pairs(step: Step) -> CArray:
    """Bias and scale of two channels as au_packed.h reads them; a second one that is not there is never stored."""
    bias, multiplier, shift, offset = (_in_multiples(values, 2) for values in _known(step))
    first, second = bias[:, 0], bias[:, 1]
    words = [first + 256 * second, second]
    words += [multiplier[:, 0], offset[:, 0], multiplier[:, 1], offset[:, 1], shift[:, 0] + 256 * shift[:, 1]]
    return _words(np.stack(words, axis=1))


def _known_of_fours(step: Step) -> CArray:
    """Bias and scale of four channels as au_depthwise_fours.c reads them."""
    bias, multiplier, shift, offset = (_in_multiples(values, 4) for values in _known(step))
    shifts = (shift << np.array([0, 8, 16, 24])).sum(axis=1, keepdims=True)
    return _words(np.concatenate([bias, multiplier, offset, shifts], axis=1))


def _known(step: Step) -> tuple[npt.NDArray[np.int64], ...]:
    """Bias, multiplier, shift to the right, and offset of every channel."""
    return _array(step, "bias"), _array(step, "multiplier"), _shifts(step), _offsets(step)


def _in_multiples(values: npt.NDArray[np.int64], of: int) -> npt.NDArray[np.int64]:
    return np.pad(values, (0, -len(values) % of)).reshape(-1, of)


def _words(values: npt.NDArray[np.int64]) -> CArray:
    return CArray("int32_t", (values & 0xFFFFFFFF).astype(np.uint32).view(np.int32).reshape(-1))


def _fours(step: Step) -> npt.NDArray[np.int64]:
    """Weights [kernel_h, kernel_w, out] as [out / 4, kernel_h, kernel_w, 4]."""
    channels = _number(step, "in_channels")
    return _array(step, "weights").reshape(-1, channels // 4, 4).transpose(1, 0, 2).reshape(-1)


def _channels(step: Step) -> int:
    return _array(step, "bias").size


def _array(step: Step, name: str) -> npt.NDArray[np.int64]:
    value = step.op.fields[name]
    assert isinstance(value, CArray)
    return value.values.astype(np.int64)


def _sum_of_alike(step: Step) -> CStruct | None:
    """Return what au_add_alike (au_elementwise_dsp.c) is told, or None where it does not fit: broadcasting,
    constants, XNNPACK's rounding, whose last shift is to the left, or factors beyond the usual.
    """
    fields = step.op.fields
    sides = [_addend(fields[name]) for name in ("left", "right")]
    sizes, shift = fields["sizes"], -_number(step, "shift")
    assert isinstance(sizes, tuple)
    offset = (1 << shift >> 1) + (_number(step, "out_zero") << shift) if shift > 0 else _MOST_OFFSET + 1
    if None in sides or math.prod(sizes) != sizes[-1] or abs(offset) > _MOST_OFFSET:
        return None
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


def _number(step: Step, name: str) -> int:
    value = step.op.fields[name]
    assert isinstance(value, int)
    return value
