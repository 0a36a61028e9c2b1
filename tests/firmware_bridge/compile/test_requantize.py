"""Fixed-point requantization against real arithmetic."""

import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from host import SANITIZERS, WARNINGS
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.compile.requantize import (
    ScaleError,
    activation_range,
    divide_by_power,
    high_multiply,
    multiplier_of,
    quantize,
    requantize,
    shift_left,
)
from firmware_bridge.tflite.graph import Tensor

_C = Path(__file__).parents[3] / "firmware_bridge" / "c" / "engine"
_MAIN = r"""
#include <stdio.h>
#include "au_types.h"

int main(void)
{
    int32_t in[3];
    while (fread(in, sizeof(in), 1, stdin) == 1u) {
        const int32_t high = au_high_multiply(in[0], in[1]);
        const int32_t out[3] = {high, au_divide_by_power(high, in[2]), au_requantize_twice(in[0], in[1], -in[2])};
        const int32_t up = au_requantize_twice(in[0], in[1], in[2] - 1);
        (void)fwrite(out, sizeof(out), 1, stdout);
        (void)fwrite(&up, sizeof(up), 1, stdout);
    }
    return 0;
}
"""

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


@given(st.integers(-(1 << 23), (1 << 23) - 1), st.floats(min_value=2.0**-24, max_value=2.0**7))
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


@pytest.mark.parametrize("core", [[], ["-DAU_FEW_REGISTERS"]])
def test_c_requantizes_as_numpy_does_whatever_the_value(core: list[str], tmp_path: Path):
    values, multipliers, shifts = _numbers_for_c()
    (tmp_path / "au_config.h").write_text("#define AU_VALUE_BITS 8\n#define AU_SINGLE_ROUNDING 0\n")
    (tmp_path / "main.c").write_text(_MAIN)
    program = tmp_path / "main"
    command = ["gcc", *WARNINGS, *SANITIZERS, *core, f"-I{tmp_path}", f"-I{_C}", str(tmp_path / "main.c")]
    subprocess.run([*command, "-o", str(program)], check=True)
    sent = np.stack([values, multipliers, shifts], axis=1).astype("<i4").tobytes()
    made = subprocess.run([str(program)], input=sent, capture_output=True, check=True).stdout
    high = high_multiply(values, multipliers)
    shifted = high_multiply(((values << (shifts - 1)) + (1 << 31)) % (1 << 32) - (1 << 31), multipliers)
    divided = np.concatenate([divide_by_power(high[shifts == shift], shift) for shift in range(1, 32)])
    assert (np.frombuffer(made, "<i4").reshape(-1, 4) == np.stack([high, divided, divided, shifted], axis=1)).all()


def _numbers_for_c() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values of all sizes, the ends of int32 and halves among them, multipliers of both signs, and shifts 1 to 31."""
    rng = np.random.default_rng(0)
    powers = 1 << np.arange(31)
    edges = np.concatenate([-powers, powers])[:, None] + np.arange(-2, 3)
    any_size = rng.integers(-(1 << 31), 1 << 31, 4000) >> rng.integers(0, 32, 4000)
    values = np.concatenate([edges.reshape(-1), [-(1 << 31), (1 << 31) - 1], any_size])
    normal = rng.integers(1 << 30, 1 << 31, len(values)) * rng.choice([-1, 1], len(values))
    multipliers = np.where(rng.random(len(values)) < 0.2, rng.choice([1 << 30, (1 << 31) - 1, 0], len(values)), normal)
    return np.tile(values, 31), np.tile(multipliers, 31), np.repeat(np.arange(1, 32), len(values))
