"""Instructions of depthwise layers on a core with vectors, counted in QEMU around their kernel."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from channel_cases import Layer, chain
from one_op_tflite import build as build_tflite

from firmware_bridge.device.qemu import build, run
from firmware_bridge.device.targets import Target
from firmware_bridge.folder.emit import write_network
from firmware_bridge.plan.network import plan_network
from firmware_bridge.tflite.reader import parse_tflite

ROWS, WIDTH = 6, 64
_MAIN = r"""
#include "au_depthwise.h"
#include "board.h"
#include "net.h"

static net_t net;
static int8_t row[NET_ROW_VALUES];
static uint64_t ticks;

void __real_au_depthwise_mve(const void *op, const au_value_t *const *rows, au_value_t *out);
void __wrap_au_depthwise_mve(const void *op, const au_value_t *const *rows, au_value_t *out);
void __wrap_au_depthwise_mve(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const uint32_t start = board_counter();
    __real_au_depthwise_mve(op, rows, out);
    ticks += board_elapsed(start);
}

int main(void)
{
    board_counter_start();
    net_init(&net);
    for (uint32_t r = 0; r < NET_ROWS; ++r) {
        (void)net_push(&net, row);
    }
    board_report("ticks", ticks);
    return 0;
}
"""


@pytest.mark.slow
@pytest.mark.parametrize("channels", [8, 16, 24, 56])
def test_a_multiply_accumulate_takes_one_instruction_at_most(
    channels: int, installed: Callable[[str], Target], tmp_path: Path
):
    strides = (1, 2) if channels > 8 else (1,)
    layers = [Layer((3, 3), multiplier=1, stride=(stride, stride)) for stride in strides]
    model = chain(np.random.default_rng(0), (ROWS, WIDTH, channels), layers, wild=False)
    # Every channel is scaled down, as most of trained ones are.
    for weights, bias in zip(model.tensors[1::3], model.tensors[2::3], strict=True):
        weights.scales = bias.scales = (2.0**-10,) * channels
    target = installed("cortex-m55")
    assert target.machine is not None
    network = plan_network(parse_tflite("depthwise.tflite", build_tflite(model)), "mve")
    write_network(tmp_path, network)
    (tmp_path / "main.c").write_text(_MAIN)
    program = build(
        sorted(tmp_path.glob("*.c")),
        target,
        tmp_path / "build",
        include=[tmp_path],
        flags=("-Wl,--wrap=au_depthwise_mve",),
    )
    counted = target.machine.instructions(run(program).values["ticks"])
    macs = sum(step.macs * step.runs for step in network.program.steps)
    assert macs == 9 * channels * sum(ROWS * WIDTH // stride**2 for stride in strides)
    assert 0 < counted <= macs
