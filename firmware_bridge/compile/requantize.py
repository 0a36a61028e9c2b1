"""Fixed-point requantization: real factors as multiplier and shift, and the arithmetic that the C does, in NumPy for
tables.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
section 2.2,
and gemmlowp's fixed-point functions, whose rounding TFLite's reference kernels keep.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_bridge.tflite.graph import Tensor

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Multiplier:
    """A factor `value * 2^(shift - 31)`.

    Parameters
    ----------
    value : int
        In [2^30, 2^31), or 0.
    shift : int
        -31 to 30.
    """

    value: int
    shift: int


class ScaleError(ValueError):
    """Scales whose ratio fixed-point arithmetic cannot hold; `lower` says which operator has them."""


def multiplier_of(factor: float) -> Multiplier:
    """Return the fixed-point form of a real factor: round(m * 2^31) of frexp's mantissa; factors below 2^-32 are 0."""
    if not 0.0 <= factor < 2.0**31:
        raise ScaleError(
            f"needs its sums multiplied by {factor}; scales must be within 2^31 of each other, quantize again"
        )
    if factor == 0.0:
        return Multiplier(0, 0)
    mantissa, shift = math.frexp(factor)
    value = round_half_away(mantissa * 2.0**31)
    if value == 1 << 31:
        value, shift = value // 2, shift + 1
    if shift < -31:
        return Multiplier(0, 0)
    return Multiplier(value, shift)


def round_half_away(value: float) -> int:
    """C's round(): to nearest, halves away from zero."""
    return math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1)


def shift_left(values: Integers, shift: int) -> Integers:
    """`values * 2^shift` in 32 bits, wrapping as the hardware does."""
    wrapped: Integers = ((values << shift) & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
    return wrapped


def high_multiply(values: Integers, multiplier: int | Integers) -> Integers:
    """Return rounded high half of twice the product, held at the ends of int32."""
    high: Integers = np.minimum((values * multiplier + (1 << 30)) >> 31, (1 << 31) - 1)
    return high


def divide_by_power(values: Integers, shift: int) -> Integers:
    """`values / 2^shift` to nearest, halves away from zero."""
    mask = (1 << shift) - 1
    return (values >> shift) + ((values & mask) > (mask >> 1) + (values < 0))


def requantize(values: Integers, multiplier: Multiplier) -> Integers:
    """`values` times the factor with the two roundings of TFLite's reference kernels."""
    if multiplier.shift > 0:
        return high_multiply(shift_left(values, multiplier.shift), multiplier.value)
    return divide_by_power(high_multiply(values, multiplier.value), -multiplier.shift)


def activation_range(activation: str, tensor: Tensor) -> tuple[int, int]:
    """Lowest and highest int8 value that a fused activation leaves in `tensor`."""
    low, high = -128, 127
    if activation in ("RELU", "RELU6"):
        low = max(low, quantize(0.0, tensor))
    if activation == "RELU6":
        high = min(high, quantize(6.0, tensor))
    if activation == "RELU_N1_TO_1":
        low, high = max(low, quantize(-1.0, tensor)), min(high, quantize(1.0, tensor))
    return low, high


def quantize(value: float, tensor: Tensor) -> int:
    """`value` on the scale of `tensor`, divided in float32 as TFLite does, not clamped to int8."""
    with np.errstate(over="ignore"):
        steps = float(np.float32(value) / np.float32(tensor.scale))
    return tensor.zero_point + (round_half_away(steps) if abs(steps) < 1e9 else int(math.copysign(1e9, steps)))
