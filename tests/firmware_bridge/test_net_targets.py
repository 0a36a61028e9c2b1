"""Generated networks in QEMU: the reference kernels' bytes on every core; ceilings on instructions, RAM and code."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cnn6_tflite import cnn6
from one_op_tflite import build as build_tflite
from one_op_tflite import litert
from operator_cases import CASES

from firmware_bridge.emit import write_network
from firmware_bridge.plan import plan_network
from firmware_bridge.qemu import Build, build, run
from firmware_bridge.targets import Target
from firmware_bridge.tflite_reader import parse_tflite

_MAIN = r"""
#include "board.h"
#include "net.h"

static net_t net;
static int8_t row[NET_ROW_VALUES];
static int8_t output[NET_OUTPUT_VALUES];

int main(void)
{
    const int input = board_open_read("input");
    const int result = board_open_write("output");
    uint64_t total = 0;
    uint64_t worst = 0;
    board_counter_start();
    net_init(&net);
    for (uint32_t r = 0; r < NET_ROWS; ++r) {
        (void)board_read(input, row, sizeof(row));
        const uint32_t start = board_counter();
        (void)net_push(&net, row);
        const uint32_t ticks = board_elapsed(start);
        total += ticks;
        worst = (ticks > worst) ? ticks : worst;
    }
    net_output(&net, output);
    board_report("ticks", total);
    board_report("worst_ticks", worst);
    board_report("context_bytes", sizeof(net));
    (void)board_write(result, output, sizeof(output));
    board_close(result);
    return 0;
}
"""


class _Measured:
    """One window on one target: differing bytes, millions of instructions, bytes of RAM and of code."""

    def __init__(self, content: bytes, target: Target, kernels: str, folder: Path) -> None:
        network = plan_network(parse_tflite("model.tflite", content), kernels)
        write_network(folder, network)
        (folder / "main.c").write_text(_MAIN)
        program: Build = build(sorted(folder.glob("*.c")), target, folder / "build", include=[folder])
        shape = network.graph.tensors[network.graph.inputs[0]].shape
        window = np.random.default_rng(3).integers(-128, 128, shape).astype(np.int8)
        done = run(program, inputs={"input": window.tobytes()}, outputs=["output"], timeout=300)
        wanted = litert(content, window[np.newaxis])[network.graph.outputs[0]]
        self.differing = int((np.frombuffer(done.files["output"], np.int8) != wanted.reshape(-1)).sum())
        self.ram = done.values["context_bytes"] + done.values.get("stack_bytes", 0)
        assert done.values["context_bytes"] == network.context_bytes
        self.code = sum(size.text for name, size in program.objects.items() if name.startswith("au_"))
        self.constants = program.objects["net.c"].text
        machine = target.machine
        ticks_of_instruction = machine.counter_hz * 2.0**machine.icount_shift * 1e-9 if machine else 1.0
        self.instructions = done.values["ticks"] / ticks_of_instruction / 1e6


def _model(name: str, shared: Path) -> bytes:
    if name == "cnn6_8s":
        return cnn6(np.random.default_rng(0), 800)
    return (shared / f"data/mlperf_tiny/{name}.tflite").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "target", "kernels", "ram", "instructions"),
    [
        ("cnn6_8s", "cortex-m4", "dsp8", 7500, 200.0),
        ("kws_ref_model", "cortex-m4", "dsp8", 7500, 8.0),
        ("pretrainedResnet_quant", "cortex-m4", "dsp8", 15_000, 20.9),
        ("kws_ref_model", "cortex-m4", "c99", 7500, 32.0),
        ("cnn6_8s", "cortex-m55", "mve", 7500, 50.0),
        ("kws_ref_model", "cortex-m55", "mve", 7500, 4.7),
    ],
)
def test_a_core_stays_below_its_ceilings(
    name: str,
    target: str,
    kernels: str,
    ram: int,
    instructions: float,
    shared: Path,
    installed: Callable[[str], Target],
    tmp_path: Path,
):
    measured = _Measured(_model(name, shared), installed(target), kernels, tmp_path)
    assert measured.differing == 0
    assert measured.ram <= ram
    assert measured.instructions <= instructions
    assert measured.code <= 10_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "kernels"),
    [
        ("cortex-m0", "c99"),
        ("cortex-m3", "c99"),
        ("cortex-m4", "c99"),
        ("cortex-m4", "dsp8"),
        ("cortex-m7", "dsp8"),
        ("cortex-m33", "dsp8"),
        ("cortex-m4", "dsp16"),
        ("cortex-m55", "c99"),
        ("cortex-m55", "dsp8"),
        ("cortex-m55", "dsp16"),
        ("cortex-m55", "mve"),
        ("rv32", "c99"),
        ("aarch64", "c99"),
    ],
)
def test_a_core_makes_the_bytes_of_the_reference_kernels(
    target: str, kernels: str, installed: Callable[[str], Target], tmp_path: Path
):
    content = cnn6(np.random.default_rng(4), 50, mels=32, width=4, heads=2)
    assert _Measured(content, installed(target), kernels, tmp_path).differing == 0


@pytest.mark.slow
@pytest.mark.parametrize(("target", "kernels"), [("cortex-m4", "dsp8"), ("cortex-m4", "dsp16"), ("cortex-m55", "mve")])
@pytest.mark.parametrize("name", ["ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "MEAN"])
def test_an_operator_with_special_kernels_makes_the_bytes_of_the_reference_kernels(
    name: str, target: str, kernels: str, installed: Callable[[str], Target], tmp_path: Path
):
    for seed in range(12):
        folder = tmp_path / str(seed)
        folder.mkdir()
        content = build_tflite(CASES[name](np.random.default_rng(seed)))
        assert _Measured(content, installed(target), kernels, folder).differing == 0, seed
