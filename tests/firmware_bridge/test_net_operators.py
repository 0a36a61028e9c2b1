"""Every operator as generated C against LiteRT, over random shapes, strides, paddings, scales and zero points."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from one_op_tflite import build, litert
from operator_cases import CASES, windows_of

from firmware_bridge.emit import write_network
from firmware_bridge.host import compile_on_host, run_on_host
from firmware_bridge.plan import plan_network
from firmware_bridge.tflite_reader import parse_tflite

# What XNNPACK leaves to TFLite (BATCH_MATMUL but for some constants).
_NOT_XNNPACK = {"AVERAGE_POOL_2D", "BATCH_MATMUL", "HARD_SWISH", "RELU", "RELU6", "SOFTMAX"}


def _differing(name: str, seed: int, rounding: str, kernels: str = "c99") -> int:
    """How many bytes of the output and (in double rounding) of every intermediate tensor differ from LiteRT's."""
    rng = np.random.default_rng(seed)
    model = CASES[name](rng)
    windows = windows_of(rng, model)
    content = build(model)
    wanted = litert(content, windows, reference=rounding == "double")
    network = plan_network(parse_tflite("case.tflite", content), kernels, rounding)
    with tempfile.TemporaryDirectory() as folder:
        write_network(Path(folder), network)
        made = run_on_host(compile_on_host(Path(folder)), windows)
    count = int((made.outputs != wanted[network.graph.outputs[0]]).sum())
    for index, values in made.streams.items():
        tensor = network.program.streams[index].tensor
        if tensor in wanted:
            count += int((values != wanted[tensor]).sum())
    return count


@pytest.mark.parametrize("name", CASES)
def test_an_operator_makes_the_bytes_of_the_reference_kernels(name: str):
    assert _differing(name, 0, "double") == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@settings(max_examples=20)
@given(seed=st.integers(1, 2**32 - 1))
def test_an_operator_makes_the_bytes_of_the_reference_kernels_whatever_its_shape(name: str, seed: int):
    assert _differing(name, seed, "double") == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(CASES) - _NOT_XNNPACK))
@settings(max_examples=10)
@given(seed=st.integers(1, 2**32 - 1))
def test_an_operator_makes_the_bytes_of_xnnpack(name: str, seed: int):
    assert _differing(name, seed, "single") == 0
