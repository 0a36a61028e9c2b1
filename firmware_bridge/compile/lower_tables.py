"""SOFTMAX, and the functions of one value (LOGISTIC, HARD_SWISH, RELU, RELU6, QUANTIZE), as steps with tables computed
here.

A function of an int8 value has 256 answers: the table holds what TFLite's fixed-point or float code gives for each,
so the C only looks up.
The constants of the exponential are gemmlowp's (fixedpoint.h, exp_on_negative_values).
"""

import math
from collections.abc import Callable

import numpy as np

from firmware_bridge.compile.lowering import Lowering
from firmware_bridge.compile.program import CArray, CStruct, Step, Tap
from firmware_bridge.compile.requantize import (
    Integers,
    ScaleError,
    activation_range,
    divide_by_power,
    high_multiply,
    multiplier_of,
    requantize,
    round_half_away,
)
from firmware_bridge.tflite.graph import Op, Tensor

_SOFTMAX_OPTIONS = 9  # of the union BuiltinOptions
_INT8 = np.arange(-128, 128, dtype=np.int64)
_INT32_MAX = (1 << 31) - 1
# The exponential's argument has 5 integer bits and 26 fractional ones.
_INTEGER_BITS, _FRACTION_BITS = 5, 26
# exp(-2^k) in Q0.31 for k = -2 ... 4.
_EXP_OF_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_EXP_MINUS_EIGHTH = 1895147668
_ONE_THIRD = 715827883


Function = Callable[[Tensor, Tensor], Integers]
"""What an operator of one value makes of -128 ... 127, [256], from the tensor that it reads and the one it makes."""


def lookup(function: Function) -> Callable[[Lowering, Op], None]:
    """Return what lowers an operator that is a function of one value: a table of 256."""

    def lower(lowering: Lowering, op: Op) -> None:
        _add_table(lowering, op, function)

    return lower


def quantize(lowering: Lowering, op: Op) -> None:
    """QUANTIZE from int8 to int8; XNNPACK has its own, with a coarser factor."""
    coarse = lowering.single_rounding and _xnnpack_takes(lowering.computed(op, 0), lowering.output(op))
    _add_table(lowering, op, _xnnpack_requantized if coarse else _requantized)


def _add_table(lowering: Lowering, op: Op, function: Function) -> None:
    source, made = lowering.computed(op, 0), lowering.output(op)
    lowering.expect(op, source.shape)
    table = np.clip(function(source, made), -128, 127).astype(np.int8)
    stream = lowering.stream(op.inputs[0])
    rows, width = lowering.streams[stream].rows, lowering.streams[stream].width
    struct = CStruct("au_lookup_t", {"table": CArray("int8_t", table), "count": width})
    output = lowering.add_stream(op.outputs[0], rows)
    lowering.steps.append(
        Step(op.kind, "au_lookup", "au_elementwise_c99", struct, (Tap(stream, 1),), output, 1, rows, 0)
    )


def softmax(lowering: Lowering, op: Op) -> None:
    """SOFTMAX along the last axis."""
    source, made = lowering.computed(op, 0), lowering.output(op)
    lowering.expect(op, source.shape)
    if abs(made.scale - 1 / 256) > 1e-3 / 256 or made.zero_point != -128:
        raise lowering.refuse(
            op, f"has scale {made.scale} and zero point {made.zero_point}; TFLite fixes them at 1/256 and -128"
        )
    if not source.shape:
        raise lowering.refuse(op, "takes a single value without axes; give it an axis")
    depth = source.shape[-1]
    stream = lowering.stream(op.inputs[0])
    if lowering.streams[stream].width % depth:
        stream = lowering.stream_in_rows(op.inputs[0], 1)
    rows, width = lowering.streams[stream].rows, lowering.streams[stream].width
    beta = lowering.options(op, _SOFTMAX_OPTIONS).real(0)
    if not beta * source.scale * 2.0**_FRACTION_BITS >= 1.0:
        raise lowering.refuse(op, f"has beta {beta} and scale {source.scale}; their product must be 2^-26 or more")
    if depth >= 4096:
        raise lowering.refuse(op, f"sums {depth} exponentials; its accumulator holds 4095 at most")
    table = exponentials(beta * source.scale)
    struct = CStruct(
        "au_softmax_t",
        {
            "exponentials": CArray("int32_t", table.astype(np.int32)),
            "differences": len(table),
            "depth": depth,
            "times": width // depth,
        },
    )
    output = lowering.add_stream(op.outputs[0], rows)
    lowering.steps.append(Step(op.kind, "au_softmax", "au_softmax_c99", struct, (Tap(stream, 1),), output, 1, rows, 0))


def exponentials(scale: float) -> Integers:
    """exp(-scale * d) in Q0.31 for d = 0, 1, ... as long as TFLite counts it, [n].

    Parameters
    ----------
    scale : float
        beta times the input's scale.
    """
    factor = multiplier_of(min(scale * 2.0**_FRACTION_BITS, 2.0**31 - 1.0))
    radius = math.floor((2.0**_INTEGER_BITS - 1.0) * 2.0**_FRACTION_BITS / 2.0**factor.shift)
    differences = -np.arange(min(255, radius) + 1, dtype=np.int64)
    return _exp_of_negative(high_multiply(differences << factor.shift, factor.value))


def _exp_of_negative(argument: Integers) -> Integers:
    """exp(a) for a <= 0 in Q5.26: a Taylor polynomial on the quarter, then one factor for each bit above it; Q0.31."""
    quarter = 1 << (_FRACTION_BITS - 2)
    within = (argument & (quarter - 1)) - quarter
    result = _exp_on_quarter(within << _INTEGER_BITS)
    remainder = within - argument
    for bit, factor in enumerate(_EXP_OF_POWERS, start=_FRACTION_BITS - 2):
        result = np.where(remainder & (1 << bit), high_multiply(result, factor), result)
    return np.where(argument == 0, _INT32_MAX, result)


def _exp_on_quarter(argument: Integers) -> Integers:
    x = argument + (1 << 28)
    x2 = high_multiply(x, x)
    x3 = high_multiply(x2, x)
    x4 = high_multiply(x2, x2)
    tail = divide_by_power(high_multiply(divide_by_power(x4, 2) + x3, _ONE_THIRD) + x2, 1)
    return _EXP_MINUS_EIGHTH + high_multiply(x + tail, _EXP_MINUS_EIGHTH)


def relu(activation: str) -> Function:
    """RELU and RELU6: requantized, then cut; the ratio of the scales is taken in float32 as TFLite does."""

    def function(source: Tensor, made: Tensor) -> Integers:
        factor = multiplier_of(float(np.float32(source.scale) / np.float32(made.scale)))
        low, high = activation_range(activation, made)
        return np.clip(requantize(_INT8 - source.zero_point, factor) + made.zero_point, low, high)

    return function


def _requantized(source: Tensor, made: Tensor) -> Integers:
    """QUANTIZE from int8 to int8."""
    return requantize(_INT8 - source.zero_point, multiplier_of(source.scale / made.scale)) + made.zero_point


def _xnnpack_takes(source: Tensor, made: Tensor) -> bool:
    """Whether XNNPACK runs a QUANTIZE; it leaves what its factor cannot hold to TFLite."""
    ratio = float(np.float32(source.scale) / np.float32(made.scale))
    return 2.0**-8 <= ratio <= 2.0**7


def _xnnpack_requantized(source: Tensor, made: Tensor) -> Integers:
    """QUANTIZE from int8 to int8 in XNNPACK: a factor with eight fractional bits."""
    factor = round(256.0 * float(np.float32(source.scale) / np.float32(made.scale)))
    return (((_INT8 - source.zero_point) * factor + 128) >> 8) + made.zero_point


def logistic(source: Tensor, made: Tensor) -> Integers:
    """LOGISTIC in float32, as TFLite and XNNPACK fill their tables."""
    values = np.float32(source.scale) * (_INT8 - source.zero_point).astype(np.float32)
    with np.errstate(over="ignore"):
        return _from_float32(np.float32(1) / (np.float32(1) + np.exp(-values)), made)


def _from_float32(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]], made: Tensor) -> Integers:
    inverse = np.float32(1) / np.float32(made.scale)
    if not inverse < 2.0**31:
        raise ScaleError(f"has scale {made.scale}, on which 1 is more than 32 bits hold; quantize again")
    return np.asarray([round_half_away(float(value)) for value in values * inverse], np.int64) + made.zero_point


def hard_swish(source: Tensor, made: Tensor) -> Integers:
    """X * relu6(x + 3) / 6 in 16 bits (TFLite's reference_ops::HardSwish): one factor for x, one for the gate."""
    fine = np.float32(source.scale) / np.float32(128)
    output = multiplier_of(float(fine / np.float32(made.scale)))
    gate = multiplier_of(float(fine / (np.float32(3) / np.float32(32768))))
    if not -15 <= output.shift <= 0 or gate.shift < -15:
        raise ScaleError(f"turns scale {source.scale} into {made.scale}, which 16 bits do not hold; quantize again")
    values = (_INT8 - source.zero_point) * 128
    scaled = _high_multiply16(values, _to_16_bits(output.value))
    gated = values
    if gate.shift > 0:
        gated = _clip16(gated << (gate.shift - 1))
    gated = _high_multiply16(gated, _to_16_bits(gate.value))
    if gate.shift > 0:
        gated = _clip16(gated << 1)
    if gate.shift < 0:
        gated = divide_by_power(gated, -gate.shift)
    gated = (gated + (1 << 15)) >> 1
    product = np.minimum(
        (scaled * gated) // (1 << 15) + (((scaled * gated) < 0) & ((scaled * gated) % (1 << 15) != 0)), 32767
    )
    return divide_by_power(product, -output.shift) + made.zero_point


def _to_16_bits(multiplier: int) -> int:
    return min((multiplier + (1 << 15)) >> 16, 32767)


def _high_multiply16(values: Integers, multiplier: int) -> Integers:
    high: Integers = np.minimum((values * multiplier + (1 << 14)) >> 15, 32767)
    return high


def _clip16(values: Integers) -> Integers:
    return np.clip(values, -32768, 32767)
