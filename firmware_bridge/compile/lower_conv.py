"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED as steps."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from firmware_bridge.compile.lowering import Lowering
from firmware_bridge.compile.options import Window, read_activation, read_window
from firmware_bridge.compile.program import CArray, CStruct, CValue, Step, Tap
from firmware_bridge.compile.requantize import activation_range, multiplier_of
from firmware_bridge.tflite.graph import Op, Tensor
from lungsound.files.flatbuffer import FlatTable

# Of the union BuiltinOptions.
_CONV_OPTIONS, _DEPTHWISE_OPTIONS, _FULLY_CONNECTED_OPTIONS = 1, 2, 8
_INT32_MIN, _INT32_MAX = -(1 << 31), (1 << 31) - 1


@dataclass(frozen=True)
class Extent:
    """One axis under a window: output size and the padding before it."""

    size: int
    before: int


def extent(size: int, window: Window, axis: int) -> Extent:
    """Output size and leading padding along `axis` (0 time, 1 width) of an input `size` long, SAME or VALID."""
    reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1
    stride = window.stride[axis]
    if not window.same:
        return Extent((size - reach) // stride + 1, 0)
    out = -(-size // stride)
    return Extent(out, max(0, (out - 1) * stride + reach - size) // 2)


def conv(lowering: Lowering, op: Op) -> None:
    """CONV_2D: weights [out, height, width, in]."""
    weights = lowering.constant(op, 1, "int8")
    source = lowering.computed(op, 0)
    if len(weights.shape) != 4 or len(source.shape) != 4 or source.shape[3] != weights.shape[3]:
        raise lowering.refuse(
            op,
            f"takes {list(source.shape)} with weights {list(weights.shape)}; their last axes must agree, "
            "for firmware has no grouped convolutions: rebuild it as a whole or a depthwise one",
        )
    count, height, width, _ = weights.shape
    options = lowering.options(op, _CONV_OPTIONS)
    window = replace(read_window(lowering, op, options, dilation=4), kernel=(height, width))
    fields, tap, rows = _windowed(lowering, op, window, count)
    sums = _weights(weights).reshape(count, -1)
    fields |= _requantized(lowering, op, sums, np.asarray(_per_channel(lowering, op, weights, 0)))
    fields |= _range(lowering, op, options, 3)
    fields |= {"out_channels": count}
    struct = CStruct("au_conv_t", _ordered(weights, fields))
    macs = weights.size * int(lowering.output(op).shape[2])
    _add(lowering, op, Step(op.kind, "au_conv", "au_conv_c99", struct, (tap,), 0, 1, rows, macs))


def depthwise(lowering: Lowering, op: Op) -> None:
    """DEPTHWISE_CONV_2D: weights [1, height, width, out]."""
    weights = lowering.constant(op, 1, "int8")
    source = lowering.computed(op, 0)
    if len(weights.shape) != 4 or len(source.shape) != 4 or weights.shape[0] != 1 or weights.shape[3] % source.shape[3]:
        raise lowering.refuse(
            op,
            f"takes {list(source.shape)} with weights {list(weights.shape)}; its channels must be a multiple of the "
            "input's, export the model again",
        )
    _, height, width, count = weights.shape
    options = lowering.options(op, _DEPTHWISE_OPTIONS)
    window = replace(read_window(lowering, op, options, dilation=5), kernel=(height, width))
    fields, tap, rows = _windowed(lowering, op, window, count)
    sums = _weights(weights).reshape(-1, count).T
    fields |= _requantized(lowering, op, sums, np.asarray(_per_channel(lowering, op, weights, 3)))
    fields |= _range(lowering, op, options, 4)
    fields |= {"depth_multiplier": count // source.shape[3]}
    struct = CStruct("au_depthwise_t", _ordered(weights, fields))
    macs = weights.size * int(lowering.output(op).shape[2])
    _add(lowering, op, Step(op.kind, "au_depthwise", "au_depthwise_c99", struct, (tap,), 0, 1, rows, macs))


def fully_connected(lowering: Lowering, op: Op) -> None:
    """FULLY_CONNECTED over positions; weights [out, in].

    TFLite multiplies the two scales in float32 before it divides, so a factor may differ from a convolution's in the
    last bit.
    """
    weights = lowering.constant(op, 1, "int8")
    source = lowering.computed(op, 0)
    if len(weights.shape) != 2 or source.size % weights.shape[1]:
        raise lowering.refuse(
            op,
            f"takes {list(source.shape)} with weights {list(weights.shape)}; the input's size must be a multiple of "
            "the weights' last axis, export the model again",
        )
    options = lowering.options(op, _FULLY_CONNECTED_OPTIONS)
    if options.integer(1, "b"):
        raise lowering.refuse(op, "has shuffled weights; export the model again without them")
    count, channels = weights.shape
    made = lowering.output(op)
    if made.size != source.size // channels * count or made.shape[-1:] != (count,):
        raise lowering.refuse(
            op,
            f"has shape {list(made.shape)} where {source.size // channels} x {count} values are made; export the model "
            "again",
        )
    stream = lowering.stream(op.inputs[0])
    rows = lowering.streams[stream].rows
    if lowering.streams[stream].width % channels:
        rows = 1
        stream = lowering.stream_in_rows(op.inputs[0], rows)
    positions = lowering.streams[stream].width // channels
    fields: dict[str, CValue] = {"positions": positions, "in_channels": channels, "out_channels": count}
    if len(weights.scales) == 1 and not lowering.single_rounding:
        product = float(np.float32(source.scale) * np.float32(weights.scale))
        factors = np.full(count, product / made.scale)
    else:
        factors = np.asarray(_per_channel(lowering, op, weights, 0))
    fields |= _requantized(lowering, op, _weights(weights), factors)
    fields |= _range(lowering, op, options, 0)
    struct = CStruct("au_fully_connected_t", _ordered(weights, fields))
    tap = Tap(stream, 1)
    output = lowering.add_stream(op.outputs[0], rows)
    lowering.steps.append(
        Step(
            op.kind,
            "au_fully_connected",
            "au_fully_connected_c99",
            struct,
            (tap,),
            output,
            1,
            rows,
            positions * weights.size,
        )
    )


def _windowed(lowering: Lowering, op: Op, window: Window, channels: int) -> tuple[dict[str, CValue], Tap, int]:
    source, kernel = lowering.computed(op, 0), window.kernel
    time, width = (extent(source.shape[axis + 1], window, axis) for axis in (0, 1))
    if source.shape[0] != 1 or time.size < 1 or width.size < 1:
        raise lowering.refuse(
            op,
            f"takes {list(source.shape)} under a kernel {list(kernel)}; the batch must be 1 and the kernel fit: export "
            "with a batch of one, for a window as long as that of its training",
        )
    lowering.expect(op, (1, time.size, width.size, channels))
    stream = lowering.stream_in_rows(op.inputs[0], source.shape[1])
    tap = Tap(stream, kernel[0], window.stride[0], window.dilation[0], time.before, source.zero_point)
    fields: dict[str, CValue] = {
        "in_width": source.shape[2], "in_channels": source.shape[3], "out_width": width.size, "kernel_h": kernel[0],
        "kernel_w": kernel[1], "stride_w": window.stride[1], "dilation_w": window.dilation[1], "pad_left": width.before,
        "outside": _beside(source.zero_point, kernel[1] * source.shape[3]),
    }  # fmt: skip
    return fields, tap, time.size


def _per_channel(lowering: Lowering, op: Op, weights: Tensor, axis: int) -> list[float]:
    source, made = lowering.computed(op, 0), lowering.output(op)
    if len(weights.scales) not in (1, weights.shape[axis]) or (len(weights.scales) > 1 and weights.axis != axis):
        raise lowering.refuse(
            op, f"has {len(weights.scales)} weight scales along axis {weights.axis}; quantize along axis {axis}"
        )
    scales = weights.scales * (weights.shape[axis] if len(weights.scales) == 1 else 1)
    return [lowering.product_factor(source.scale, scale, made.scale) for scale in scales]


def _requantized(
    lowering: Lowering, op: Op, weights: npt.NDArray[np.int64], factors: npt.NDArray[np.float64]
) -> dict[str, CValue]:
    """Folded bias and multipliers for `weights` [out, values of a kernel]; the accumulator is proven to fit
    32 bits.
    """
    source, made, filters = lowering.computed(op, 0), lowering.output(op), lowering.operand(op, 1)
    if any(filters.zero_points) or not filters.scales:
        raise lowering.refuse(
            op, f"has weights '{filters.name}' without scales or with a zero point; quantize them symmetrically"
        )
    bias = np.zeros(len(weights), np.int64)
    if len(op.inputs) > 2 and op.inputs[2] >= 0:
        given = lowering.constant(op, 2, "int32")
        if given.shape != (len(weights),):
            raise lowering.refuse(
                op, f"has a bias of shape {list(given.shape)}; it must be [{len(weights)}], export the model again"
            )
        # XNNPACK leaves a bias without scales to TFLite, which rounds twice.
        if any(given.zero_points) or (lowering.single_rounding and not given.scales):
            raise lowering.refuse(
                op, f"has a bias '{given.name}' without scales or with a zero point; quantize it symmetrically"
            )
        assert given.data is not None
        bias = given.data.astype(np.int64)
    folded = bias - source.zero_point * weights.sum(axis=1)
    above, below = weights.clip(min=0).sum(axis=1), weights.clip(max=0).sum(axis=1)
    lowest, highest = folded - 128 * above + 127 * below, folded + 127 * above - 128 * below
    if lowest.min() < _INT32_MIN or highest.max() > _INT32_MAX:
        largest = max(-int(lowest.min()), int(highest.max()))
        raise lowering.refuse(
            op, f"can add up to {largest}, more than 32 bits hold; retrain or drop the channel with that bias"
        )
    multipliers = [multiplier_of(float(factor)) for factor in factors]
    if any(item.shift > 30 for item in multipliers):
        raise lowering.refuse(op, "scales its sums up by more than 2^30; quantize again")
    return {
        "bias": CArray("int32_t", folded.astype(np.int32)),
        "multiplier": CArray("int32_t", np.asarray([item.value for item in multipliers], np.int32)),
        "shift": CArray("int8_t", np.asarray([item.shift for item in multipliers], np.int8)),
        "out_zero": made.zero_point,
    }


def _range(lowering: Lowering, op: Op, options: FlatTable, field: int) -> dict[str, CValue]:
    low, high = activation_range(read_activation(lowering, op, options, field), lowering.output(op))
    return {"low": low, "high": high}


def _beside(zero_point: int, count: int) -> CArray:
    """Values that stand for columns beside the tensor."""
    return CArray("au_value_t", np.full(count, zero_point))


def _weights(tensor: Tensor) -> npt.NDArray[np.int64]:
    assert tensor.data is not None
    return tensor.data.astype(np.int64)


def _ordered(weights: Tensor, fields: dict[str, CValue]) -> dict[str, CValue]:
    assert weights.data is not None
    return {"weights": CArray("int8_t", weights.data.astype(np.int8).reshape(-1)), **fields}


def _add(lowering: Lowering, op: Op, step: Step) -> None:
    output = lowering.add_stream(op.outputs[0], step.runs)
    lowering.steps.append(
        Step(step.kind, step.kernel, step.source, step.op, step.taps, output, step.emits, step.runs, step.macs)
    )
