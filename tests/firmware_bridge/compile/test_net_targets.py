"""Generated networks in QEMU: the reference kernels' bytes on every core; ceilings on instructions, RAM and code."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from channel_cases import mobilenet
from cnn6_tflite import cnn6
from exported_student import exported_student
from kernel_cases import KERNELS, ROUND_TWICE, model_with
from one_op_tflite import build as build_tflite
from one_op_tflite import litert
from operator_cases import CASES, NOT_XNNPACK
from quick_tables import with_quick_tables
from traced_net import all_differing

from firmware_bridge.device.qemu import Build, build, run
from firmware_bridge.device.targets import Target, targets
from firmware_bridge.folder.emit import write_network
from firmware_bridge.plan.network import plan_network
from firmware_bridge.tflite.reader import parse_tflite

_MAIN = r"""
#include "board.h"
#include "net.h"

static net_t net;
static int8_t row[NET_ROW_VALUES];
static int8_t output[NET_OUTPUT_VALUES];

/* A window's ticks replace those of the one before. */
static void hear(int input)
{
    uint64_t total = 0;
    uint64_t worst = 0;
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
}

int main(void)
{
    const int input = board_open_read("input");
    const int result = board_open_write("output");
    board_counter_start();
    for (uint32_t window = 0; window < WINDOWS; ++window) {
        hear(input);
        (void)board_write(result, output, sizeof(output));
    }
    board_report("context_bytes", sizeof(net));
    board_close(result);
    return 0;
}
"""


class _Measured:
    """Windows on one target: differing bytes of all, and of the last one millions of instructions, RAM and code."""

    def __init__(
        self,
        content: bytes,
        target: Target,
        kernels: str,
        folder: Path,
        *,
        rounding: str = "double",
        windows: np.ndarray | None = None,
        external: bool = False,
        flags: tuple[str, ...] = (),
    ) -> None:
        network = plan_network(parse_tflite("model.tflite", content), kernels, rounding)
        folder.mkdir(exist_ok=True)
        write_network(folder, network)
        with_quick_tables(folder)
        shape = network.graph.tensors[network.graph.inputs[0]].shape
        if windows is None:
            windows = np.random.default_rng(3).integers(-128, 128, (1, *shape)).astype(np.int8)
        (folder / "main.c").write_text(f"#define WINDOWS {len(windows)}u\n{_MAIN}")
        program: Build = build(
            sorted(folder.glob("*.c")),
            target,
            folder / "build",
            include=[folder],
            external=external,
            flags=flags,
        )
        assert program.warnings == ""
        wanted = litert(content, windows, reference=rounding == "double")[network.graph.outputs[0]]
        done = run(program, inputs={"input": windows.tobytes()}, outputs=["output"], timeout=300)
        self.differing = int((np.frombuffer(done.files["output"], np.int8).reshape(wanted.shape) != wanted).sum())
        self.ram = done.values["context_bytes"] + done.values.get("stack_bytes", 0)
        assert done.values["context_bytes"] == network.context_bytes
        self.code = sum(size.text for name, size in program.objects.items() if name.startswith("au_"))
        machine = target.machine
        ticks_of_instruction = machine.counter_hz * 2.0**machine.icount_shift * 1e-9 if machine else 1.0
        self.instructions = done.values["ticks"] / ticks_of_instruction / 1e6


def _model(name: str, shared: Path) -> bytes:
    if name == "cnn6_8s":
        return cnn6(np.random.default_rng(0), 800)
    if name == "mobilenet":
        return build_tflite(mobilenet(np.random.default_rng(0)))
    return (shared / f"data/mlperf_tiny/{name}.tflite").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "target", "kernels", "ram", "instructions"),
    [
        ("cnn6_8s", "cortex-m4", "dsp8", 7400, 187.5),
        ("kws_ref_model", "cortex-m4", "dsp8", 5400, 4.8),
        ("pretrainedResnet_quant", "cortex-m4", "dsp8", 14_600, 18.4),
        ("cnn6_8s", "cortex-m4", "dsp16", 9100, 150.7),
        ("kws_ref_model", "cortex-m4", "dsp16", 5600, 4.9),
        ("pretrainedResnet_quant", "cortex-m4", "dsp16", 15_900, 15.4),
        ("mobilenet", "cortex-m4", "dsp8", 24_200, 12.8),
        ("kws_ref_model", "cortex-m0", "c99", 5400, 24.9),
        ("kws_ref_model", "cortex-m3", "c99", 5400, 13.2),
        ("pretrainedResnet_quant", "cortex-m3", "c99", 14_400, 42.3),
        ("cnn6_8s", "cortex-m3", "c99", 7800, 466.0),
        ("kws_ref_model", "cortex-m4", "c99", 5400, 13.6),
        ("kws_ref_model", "rv32", "c99", 5500, 16.6),
        ("cnn6_8s", "cortex-m55", "mve", 7500, 40.5),
        ("kws_ref_model", "cortex-m55", "mve", 5500, 1.4),
        ("pretrainedResnet_quant", "cortex-m55", "mve", 14_700, 4.8),
        ("mobilenet", "cortex-m55", "mve", 24_300, 3.7),
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
    assert measured.code <= 10_300


@pytest.mark.slow
@pytest.mark.parametrize("rounding", ["double", "single"])
@pytest.mark.parametrize(
    ("target", "kernels"),
    [
        ("host", "c99"),
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
def test_a_core_makes_the_bytes_of_litert_of_an_exported_student(
    target: str, kernels: str, rounding: str, installed: Callable[[str], Target], tmp_path: Path
):
    content, windows = exported_student(1 / 16, heads=2)
    measured = _Measured(content, installed(target), kernels, tmp_path, rounding=rounding, windows=windows[3:])
    assert measured.differing == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "kernels", "taken"),
    [
        ("cortex-m4", "dsp8", (*KERNELS, "au_conv_patched_pool")),
        ("cortex-m4", "dsp16", KERNELS),
        ("cortex-m55", "mve", KERNELS),
    ],
)
@pytest.mark.parametrize("rounding", ["double", "single"])
def test_kernels_of_a_core_make_the_bytes_of_litert(
    target: str,
    kernels: str,
    taken: tuple[str, ...],
    rounding: str,
    installed: Callable[[str], Target],
    tmp_path: Path,
):
    if rounding == "single":
        taken = tuple(kernel for kernel in taken if kernel not in ROUND_TWICE)
    contents = [model_with(kernel, kernels, rounding, seed) for kernel in taken for seed in range(3)]
    assert _differing(contents, installed(target), kernels, rounding, tmp_path) == [0] * 3 * len(taken)


@pytest.mark.slow
@pytest.mark.parametrize(("rounding", "seeds"), [("double", (0, 1)), ("single", (0,))])
def test_operators_on_a_core_make_the_bytes_of_litert(
    rounding: str, seeds: tuple[int, ...], installed: Callable[[str], Target], tmp_path: Path
):
    names = [name for name in CASES if rounding == "double" or name not in NOT_XNNPACK]
    contents = [build_tflite(CASES[name](np.random.default_rng(seed))) for name in names for seed in seeds]
    found = _differing(contents, installed("cortex-m4"), "dsp16", rounding, tmp_path)
    assert found == [0] * len(names) * len(seeds)


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [("-O0",), ("-O3",), ("-Os",), ("-mno-unaligned-access",), ("-fno-omit-frame-pointer", "-DAU_WITHOUT_ASSEMBLY")],
)
@pytest.mark.parametrize(("target", "kernels"), [("cortex-m4", "dsp8"), ("cortex-m4", "dsp16"), ("cortex-m55", "mve")])
def test_other_flags_of_the_compiler_make_the_same_bytes(
    target: str, kernels: str, flags: tuple[str, ...], shared: Path, installed: Callable[[str], Target], tmp_path: Path
):
    content = _model("pretrainedResnet_quant", shared)
    assert _Measured(content, installed(target), kernels, tmp_path, flags=flags).differing == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "flags"),
    [
        ("cortex-m4", ("-fno-omit-frame-pointer", "-DAU_WITHOUT_ASSEMBLY")), ("cortex-m55", ("-DAU_WITHOUT_ASSEMBLY",)),
        ("cortex-m55", ("-O0",)),
    ],
)  # fmt: skip
def test_kernels_without_their_assembly_make_the_same_bytes(
    target: str, flags: tuple[str, ...], installed: Callable[[str], Target], tmp_path: Path
):
    content = build_tflite(mobilenet(np.random.default_rng(0)))
    core = installed(target)
    assert _Measured(content, core, core.kernels, tmp_path, flags=flags).differing == 0


@pytest.mark.slow
@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_a_full_width_student_needs_few_bytes_of_ram(target: Target):
    two_seconds, _ = exported_student(1.0, heads=4)
    eight_seconds = cnn6(np.random.default_rng(0), 800, width=64, heads=4)
    more = 4200 if target.kernels == "c99" else 0  # the rows of convolutions, which other kernels pool at once
    for content, ram in ((two_seconds, 47_600), (eight_seconds, 49_100)):
        network = plan_network(parse_tflite("full.tflite", content), target.kernels)
        assert network.context_bytes <= ram + more
        assert 4_310_000 <= network.constant_bytes <= 4_330_000


@pytest.mark.slow
@pytest.mark.parametrize(("target", "instructions"), [("cortex-m7", 645.0), ("cortex-m55", 92.0)])
def test_a_full_width_student_runs_with_its_weights_in_external_flash(
    target: str, instructions: float, installed: Callable[[str], Target], tmp_path: Path
):
    content, windows = exported_student(1.0, heads=4)
    core = installed(target)
    measured = _Measured(content, core, core.kernels, tmp_path, windows=windows[2:3], external=True)
    assert measured.differing == 0
    assert measured.ram <= 50_000
    assert measured.instructions <= instructions
    assert measured.code <= 10_300


def _differing(contents: list[bytes], target: Target, kernels: str, rounding: str, folder: Path) -> list[int]:
    """How many bytes of each model's output differ from LiteRT's."""
    networks = [plan_network(parse_tflite("case.tflite", content), kernels, rounding) for content in contents]
    windows = [_random_and_extreme(content) for content in contents]
    wanted = []
    for content, given, network in zip(contents, windows, networks, strict=True):
        output = network.graph.outputs[0]
        wanted.append({output: litert(content, given, reference=rounding == "double")[output]})
    return all_differing(networks, target, windows, wanted, folder)


def _random_and_extreme(content: bytes) -> np.ndarray:
    graph = parse_tflite("case.tflite", content)
    shape = graph.tensors[graph.inputs[0]].shape
    rng = np.random.default_rng(3)
    return np.stack([rng.integers(-128, 128, shape), rng.choice([-128, 127], shape)]).astype(np.int8)
