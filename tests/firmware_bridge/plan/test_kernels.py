"""Which kernel each step takes, and why not the fast one: of networks published for microcontrollers, and of shapes
that no core's kernel takes.
"""

from pathlib import Path

import numpy as np
import pytest
from channel_cases import Layer, chain
from one_op_tflite import build

from firmware_bridge.compile.operators import lower
from firmware_bridge.compile.program import Program
from firmware_bridge.compile.specialise.steps import specialise
from firmware_bridge.plan.network import plan_network, report, report_text
from firmware_bridge.tflite.reader import parse_tflite
from lungsound.errors import InputError

CORES = ("dsp8", "dsp16", "mve")


@pytest.fixture(scope="module")
def zoo(shared: Path) -> list[Program]:
    """Published networks that firmware takes and that convolve."""
    found = []
    for path in sorted((shared / "data/zoo").glob("*.tflite")):
        try:
            program = lower(parse_tflite(path.name, path.read_bytes()), single_rounding=False)
        except InputError:
            continue
        if any("CONV_2D" in step.kind for step in program.steps):
            found.append(program)
    assert len(found) >= 16
    return found


@pytest.mark.parametrize("kernels", CORES)
def test_a_published_network_multiplies_in_a_core_s_kernels(zoo: list[Program], kernels: str):
    for program in zoo:
        steps = specialise(program, kernels).steps
        plain = sum(step.macs * step.runs for step in steps if step.source.endswith("_c99"))
        assert plain <= 0.02 * sum(step.macs * step.runs for step in steps), program.name


@pytest.mark.parametrize(
    ("layer", "kernels", "kernel", "why"),
    [
        (Layer((40, 9), multiplier=1), "dsp8", "depthwise_c99", "360 values lie under its kernel, 256 at most"),
        (Layer((9, 31), 4), "dsp8", "conv_c99", "two columns under its kernel take 4448 bytes of stack, 4096 at most"),
        (Layer((9, 31), 4), "mve", "conv_paired", ""),
        (Layer((3, 3), 4), "c99", "conv_c99", ""),
    ],
)
def test_a_layer_of_plain_c_says_why(layer: Layer, kernels: str, kernel: str, why: str):
    model = chain(np.random.default_rng(0), (50, 40, 15), [layer])
    facts = report(plan_network(parse_tflite("case.tflite", build(model)), kernels))
    assert [(step["kernel"], step["note"]) for step in facts["layers"]] == [(kernel, why)]
    line = next(line for line in report_text(facts).splitlines() if f" {kernel} " in line)
    assert (f"({why})" in line) == bool(why)


def test_channels_that_are_scaled_in_plain_c_are_counted():
    model = chain(np.random.default_rng(0), (9, 9, 8), [Layer((1, 1), 8)])
    weights, bias = model.tensors[1:3]
    assert weights.data is not None
    assert bias.data is not None
    weights.data[:], bias.data[:] = 100, (0, 0, 0, 1_200_000_000, -1_200_000_000, 0, 0, 0)
    made = model.tensors[-1]
    usual = made.scales[0] / model.tensors[0].scales[0] / 1024
    weights.scales = (*[usual] * 5, usual * 4096, usual * 1024, usual * 2.0**-40)
    layers = report(plan_network(parse_tflite("case.tflite", build(model)), "dsp8"))["layers"]
    assert [layer["note"] for layer in layers] == ["2 of 8 channels are scaled in plain C"]
