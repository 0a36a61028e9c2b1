"""Layers whose channels differ: dead ones, some scaled up, some with sums beyond 2^30, in every kernel of a core."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from channel_cases import Layer, chain
from host import run_on_host
from hypothesis import given
from hypothesis import strategies as st
from one_op_tflite import build, litert
from traced_net import differing

from firmware_bridge.compile.program import CArray, CStruct, Step
from firmware_bridge.compile.requantize import Multiplier, requantize
from firmware_bridge.compile.specialise.channels import Channels
from firmware_bridge.device.targets import Target
from firmware_bridge.plan.network import plan_network
from firmware_bridge.tflite.reader import parse_tflite

SIZES = {
    "convolutions": (14, 13, 3),
    "depthwise convolutions": (14, 12, 3),
    "narrow ones": (9, 5, 8),
    "wide ones": (9, 11, 16),
}
LAYERS = {
    "convolutions": [
        Layer((3, 3), 8, stride=(2, 2)),
        Layer((3, 3), multiplier=1),
        Layer((1, 1), 16),
        Layer((1, 1), 13),
        Layer((1, 1), 51),
        Layer((3, 3), multiplier=1),
        Layer((3, 3), 24, dilation=(1, 2)),
        Layer((5, 5), 12),
        Layer((1, 3), 7, dilation=(1, 3)),
        Layer((1, 1), 20),
    ],
    "depthwise convolutions": [
        Layer((1, 1), 6),
        Layer((3, 3), multiplier=1),
        Layer((2, 3), multiplier=2),
        Layer((3, 3), multiplier=1, dilation=(1, 2)),
        Layer((1, 1), 10),
        Layer((3, 3), multiplier=1, stride=(1, 2)),
        Layer((9, 10), multiplier=1),
        Layer((3, 3), multiplier=3),
        Layer((1, 1), 2),
        Layer((3, 2), multiplier=1),
        Layer((1, 1), 1),
        Layer((10, 8), multiplier=8, stride=(2, 2)),
        Layer((3, 3), multiplier=1),
        Layer(None, 33),
    ],
    "narrow ones": [
        Layer((3, 3), multiplier=1),
        Layer((1, 1), 8),
        Layer((3, 3), multiplier=1, stride=(1, 2)),
        Layer((3, 3), multiplier=1),
        Layer((1, 1), 12),
        Layer((3, 3), multiplier=1, stride=(2, 2)),
        Layer((3, 3), multiplier=1, stride=(1, 2)),
        Layer((3, 3), multiplier=1),
    ],
    "wide ones": [
        Layer((3, 3), multiplier=1),
        Layer((1, 1), 40),
        Layer((3, 3), multiplier=1, dilation=(1, 2)),
        Layer((3, 3), multiplier=1),
        Layer((1, 1), 33),
        Layer((3, 3), multiplier=1, stride=(1, 2)),
        Layer((1, 1), 48),
        Layer((3, 3), multiplier=1, stride=(2, 2)),
        Layer((3, 3), multiplier=1, stride=(1, 2)),
    ],
}
CORES = [("cortex-m4", "dsp8"), ("cortex-m4", "dsp16"), ("cortex-m55", "mve")]
TRAPS = ("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")
"""Undefined behaviour stops the core: it has no library that could say what happened."""


def _case(seed: int, layers: str, most_exponent: int) -> tuple[bytes, np.ndarray]:
    content = build(chain(np.random.default_rng(seed), SIZES[layers], LAYERS[layers], most_exponent))
    rng = np.random.default_rng(5)
    shape = (1, *SIZES[layers])
    return content, np.stack([rng.integers(-128, 128, shape), rng.choice([-128, 127], shape)]).astype(np.int8)


@pytest.mark.parametrize("layers", LAYERS)
def test_plain_c_makes_every_value_of_the_reference_kernels(layers: str, tmp_path: Path):
    content, windows = _case(0, layers, 12)
    network = plan_network(parse_tflite("case.tflite", content))
    made = run_on_host(network, windows, tmp_path)
    wanted = litert(content, windows)
    for index, values in made.streams.items():
        assert (values != wanted[network.program.streams[index].tensor]).sum() == 0


@pytest.mark.slow
@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize(("target", "kernels"), CORES)
def test_a_core_makes_every_value_of_the_reference_kernels(
    layers: str, target: str, kernels: str, installed: Callable[[str], Target], tmp_path: Path
):
    content, windows = _case(1, layers, 12)
    network = plan_network(parse_tflite("case.tflite", content), kernels)
    assert all(not step.source.endswith("_c99") for step in network.program.steps)
    assert differing(network, installed(target), windows, litert(content, windows), tmp_path, TRAPS) == 0


# XNNPACK leaves a convolution to TFLite where a channel is scaled up by 256 or more.
@pytest.mark.slow
@pytest.mark.parametrize(("target", "kernels"), [CORES[0], CORES[2]])
def test_a_core_makes_the_bytes_of_xnnpack(
    target: str, kernels: str, installed: Callable[[str], Target], tmp_path: Path
):
    content, windows = _case(2, "convolutions", 7)
    network = plan_network(parse_tflite("case.tflite", content), kernels, "single")
    output = network.graph.outputs[0]
    wanted = {output: litert(content, windows, reference=False)[output]}
    assert len(np.unique(wanted[output])) > 100
    assert differing(network, installed(target), windows, wanted, tmp_path) == 0


@given(
    weights=st.lists(st.integers(-128, 127), min_size=1, max_size=9),
    bias=st.integers(-(1 << 30), 1 << 30),
    multiplier=st.integers(1 << 30, (1 << 31) - 1),
    shift=st.integers(-31, 30),
    zero=st.integers(-128, 127),
    values=st.data(),
)
def test_a_channel_is_scaled_in_few_instructions_only_where_that_is_exact(
    weights: list[int], bias: int, multiplier: int, shift: int, zero: int, values: st.DataObject
):
    fields = {"weights": weights, "bias": [bias], "multiplier": [multiplier], "shift": [shift]}
    struct = CStruct("au_conv_t", {name: CArray("int32_t", np.asarray(field)) for name, field in fields.items()})
    struct.fields["out_zero"] = zero
    known = Channels.of(Step("CONV_2D", "au_conv", "au_conv_c99", struct, (), 0, 1, 1, 1))
    how, offset, by = (int(known.how[0]), int(known.offset[0]), int(known.multiplier[0]))
    taken = values.draw(st.lists(st.sampled_from([-128, 127, 0]), min_size=len(weights), max_size=len(weights)))
    products = sum(weight * value for weight, value in zip(weights, taken, strict=True))
    total, kept = bias + products, int(known.bias[0]) + products
    exact = Fraction(total * multiplier) * Fraction(2) ** (shift - 31)
    if by == 0:  # cannot move
        assert abs(exact) < Fraction(1, 2)
        assert (how, (((2 * kept) >> 31) + offset) >> 1) == (1, zero)
        return
    assert kept == total
    if 32 <= how < 128:  # au_requantize()
        assert how - 64 == -shift
        return
    # au_rescale_right() and au_rescale_left() in integers without end, none of which leaves 32 bits, against the two
    # roundings as they are defined.
    left = max(how - 128, 0) if how >= 128 else 0
    twice = (2 * total) << left
    high = ((offset << 32) + ((twice >> 31 << 32) if how < 128 else 0) + twice * by + (1 << 31)) >> 32
    assert all(-(1 << 31) <= step < 1 << 31 for step in (twice, offset + (twice >> 31), high))
    made = high >> (how if how < 128 else 0)
    assert made - zero == int(requantize(np.asarray([total]), Multiplier(multiplier, shift))[0])
