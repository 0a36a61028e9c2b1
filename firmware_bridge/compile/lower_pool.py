"""AVERAGE_POOL_2D, MAX_POOL_2D, MEAN and REDUCE_MAX as steps; where windows do not overlap in time, rows fold into
sums.
"""

import math

import numpy as np

from firmware_bridge.compile.lower_conv import extent
from firmware_bridge.compile.lowering import Lowering, natural_rows
from firmware_bridge.compile.options import read_activation, read_window
from firmware_bridge.compile.program import CStruct, CValue, Fold, Step, Tap
from firmware_bridge.compile.requantize import Multiplier, activation_range, multiplier_of
from firmware_bridge.tflite.graph import Op

_POOL_OPTIONS, _REDUCER_OPTIONS = 5, 27  # of the union BuiltinOptions
# Sums of at most this many int8 values fit int16.
_MOST_IN_INT16 = 255
# Of a mean in XNNPACK's rounding (au_reduce_c99.c, mean_of).
_LEAST_SHIFT = -22


def pool(lowering: Lowering, op: Op) -> None:
    """AVERAGE_POOL_2D and MAX_POOL_2D; values outside of the tensor do not count."""
    source, made = lowering.computed(op, 0), lowering.output(op)
    options = lowering.options(op, _POOL_OPTIONS)
    window = read_window(lowering, op, options, kernel=3)
    if len(source.shape) != 4 or source.shape[0] != 1:
        raise lowering.refuse(op, f"takes {list(source.shape)}; export it as [1, time, width, channels]")
    if (source.scales, source.zero_points) != (made.scales, made.zero_points):
        raise lowering.refuse(op, "changes scale or zero point; a pool must keep them, quantize again")
    time, width = (extent(source.shape[axis + 1], window, axis) for axis in (0, 1))
    if time.size < 1 or width.size < 1:
        raise lowering.refuse(
            op,
            f"takes {list(source.shape)} under a window {list(window.kernel)}, which does not fit; export for a window "
            "of sound as long as that of its training",
        )
    lowering.expect(op, (1, time.size, width.size, source.shape[3]))
    low, high = activation_range(read_activation(lowering, op, options, 5), made)
    fields: dict[str, CValue] = {
        "in_width": source.shape[2], "channels": source.shape[3], "out_width": width.size, "kernel_h": window.kernel[0],
        "kernel_w": window.kernel[1], "stride_w": window.stride[1], "pad_left": width.before, "low": low, "high": high,
    }  # fmt: skip
    struct = CStruct("au_pool_t", fields)
    stream = lowering.stream_in_rows(op.inputs[0], source.shape[1])
    output = lowering.add_stream(op.outputs[0], time.size)
    average = op.kind == "AVERAGE_POOL_2D"
    stride = window.stride[0] if time.size > 1 else source.shape[1] + window.kernel[0]
    if window.kernel[0] > stride:
        kernel = "au_average_pool" if average else "au_max_pool"
        tap = Tap(stream, window.kernel[0], stride, pad=time.before)
        lowering.steps.append(Step(op.kind, kernel, "au_pool_c99", struct, (tap,), output, 1, time.size, 0))
        return
    kernel, bytes_each = "au_max_pool_fold", 1
    if average:
        narrow = math.prod(window.kernel) <= _MOST_IN_INT16
        kernel, bytes_each = ("au_average_pool_fold16", 2) if narrow else ("au_average_pool_fold32", 4)
    sums = (lowering.streams[output].width + int(average)) * bytes_each
    fold = Fold(window.kernel[0], stride, time.before, sums)
    taps = (Tap(stream, 1),)
    lowering.steps.append(Step(op.kind, kernel, "au_pool_c99", struct, taps, output, 1, source.shape[1], 0, fold))


def reduce(lowering: Lowering, op: Op) -> None:
    """MEAN and REDUCE_MAX over any axes but the batch."""
    source, made = lowering.computed(op, 0), lowering.output(op)
    axes = _axes(lowering, op, len(source.shape))
    if len(source.shape) not in (3, 4) or source.shape[0] != 1 or 0 in axes:
        raise lowering.refuse(
            op,
            f"reduces axes {sorted(axes)} of {list(source.shape)}; reduce time, width or channels of a tensor "
            "[1, time, ...] and leave the batch",
        )
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(source.shape))
    kept = tuple(size for axis, size in enumerate(source.shape) if axis not in axes)
    lowering.expect(op, shape if lowering.options(op, _REDUCER_OPTIONS).integer(0, "?") else kept)
    width, channels = source.shape[2:] if len(source.shape) == 4 else (1, source.shape[2])
    width_kept, channels_kept = len(source.shape) == 3 or 2 not in axes, len(source.shape) - 1 not in axes
    results = (width if width_kept else 1) * (channels if channels_kept else 1)
    count = source.size // made.size
    if count * 255 >= 1 << 31:
        raise lowering.refuse(op, f"adds {count} values, more than 32 bits hold; pool before it")
    multiplier = _mean_multiplier(lowering, source.scale, made.scale, count) if op.kind == "MEAN" else Multiplier(0, 0)
    if lowering.single_rounding and multiplier.shift < _LEAST_SHIFT:
        raise lowering.refuse(
            op, f"divides {count} values onto scale {made.scale}, finer than 64 bits hold; quantize again"
        )
    if op.kind == "REDUCE_MAX" and (source.scales, source.zero_points) != (made.scales, made.zero_points):
        raise lowering.refuse(op, "changes scale or zero point; a maximum must keep them, quantize again")
    fields: dict[str, CValue] = {
        "width": width, "channels": channels, "width_step": (channels if channels_kept else 1) * width_kept,
        "channel_step": int(channels_kept), "results": results, "offset": -source.zero_point * count,
        "multiplier": multiplier.value, "shift": multiplier.shift, "out_zero": made.zero_point,
    }  # fmt: skip
    stream = lowering.stream_in_rows(op.inputs[0], source.shape[1])
    over_time = 1 in axes
    rows = natural_rows(made.shape) if over_time else source.shape[1]
    output = lowering.add_stream(op.outputs[0], rows)
    kernel, bytes_each = ("au_mean_fold", 4) if op.kind == "MEAN" else ("au_reduce_max_fold", 1)
    together = source.shape[1] if over_time else 1
    lowering.steps.append(
        Step(
            op.kind,
            kernel,
            "au_reduce_c99",
            CStruct("au_reduce_t", fields),
            (Tap(stream, 1),),
            output,
            rows if over_time else 1,
            source.shape[1],
            0,
            Fold(together, together, 0, results * bytes_each),
        )
    )


def _axes(lowering: Lowering, op: Op, rank: int) -> frozenset[int]:
    given = lowering.constant(op, 1, "int32")
    assert given.data is not None
    axes = [int(axis) for axis in given.data.reshape(-1).tolist()]
    if not axes or not all(-rank <= axis < rank for axis in axes):
        raise lowering.refuse(op, f"reduces axes {axes} of a tensor with {rank}; export the model again")
    return frozenset(axis % rank for axis in axes)


def _mean_multiplier(lowering: Lowering, source: float, made: float, count: int) -> Multiplier:
    """Return the factor source / made / count: TFLite divides the fixed-point multiplier by the count, after
    shifting it up as far as it may.
    """
    if lowering.single_rounding:
        return multiplier_of(float(np.float32(source) / np.float32(made) * (np.float32(1) / np.float32(count))))
    whole = multiplier_of(source / made)
    shift = min(count.bit_length() - 1, 32, 31 + whole.shift)
    return Multiplier((whole.value << shift) // count, whole.shift - shift)
