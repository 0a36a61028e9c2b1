"""Fixed-point requantization against real arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.graph import Tensor
from firmware_bridge.requantize import (
    ScaleError,
    activation_range,
    divide_by_power,
    multiplier_of,
    quantize,
    requantize,
    shift_left,
)

factors = st.floats(min_value=2.0**-31, max_value=2.0**20, allow_nan=False)


@given(factors)
def test_a_multiplier_is_the_factor_to_31_bits(factor: float):
    made = multiplier_of(factor)
    assert 1 << 30 <= made.value < 1 << 31
    exact = Fraction(made.value) * Fraction(2) ** (made.shift - 31)
    assert abs(exact - Fraction(factor)) <= Fraction(factor) * Fraction(1, 1 << 31)


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), -1.0, 2.0**31])
def test_a_factor_out_of_range_is_refused(factor: float):
    with pytest.raises(ScaleError, match="quantize again"):
        multiplier_of(factor)


def test_a_factor_beyond_reach_is_zero():
    assert multiplier_of(2.0**-40).value == 0
    assert multiplier_of(0.0).value == 0


@given(st.integers(-(1 << 23), 1 << 23), st.floats(min_value=2.0**-24, max_value=2.0**7))
def test_requantizing_is_multiplying_to_within_one_rounding(value: int, factor: float):
    made = int(requantize(np.asarray([value]), multiplier_of(factor))[0])
    exact = Fraction(value) * Fraction(factor)
    # Two roundings of half a unit, the second on a number that the first has moved by at most 2^-left of a unit.
    assert abs(made - exact) <= 1


@given(st.integers(-(1 << 31), (1 << 31) - 1), st.integers(0, 31))
def test_dividing_by_a_power_rounds_halves_away_from_zero(value: int, shift: int):
    exact = Fraction(value, 1 << shift)
    nearest = int(abs(exact) + Fraction(1, 2)) * (1 if value >= 0 else -1)
    assert int(divide_by_power(np.asarray([value]), shift)[0]) == nearest


@given(st.integers(-(1 << 31), (1 << 31) - 1), st.integers(0, 31))
def test_shifting_left_wraps_as_32_bits_do(value: int, shift: int):
    wrapped = np.asarray([value], np.int64) << shift
    assert int(shift_left(np.asarray([value]), shift)[0]) == int(wrapped.astype(np.uint32).astype(np.int32)[0])


def test_activations_cut_where_their_bounds_quantize():
    tensor = Tensor("t", (1,), "int8", (0.1,), (-100,))
    assert activation_range("NONE", tensor) == (-128, 127)
    assert activation_range("RELU", tensor) == (-100, 127)
    assert activation_range("RELU6", tensor) == (-100, -40)
    assert activation_range("RELU_N1_TO_1", tensor) == (-110, -90)
    assert quantize(1e30, Tensor("t", (1,), "int8", (1e-30,), (0,))) == 10**9
