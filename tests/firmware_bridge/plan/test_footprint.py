"""What a plan promises, against what compilers make of it and what the cores measure."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from one_op_tflite import Model, Node, Spec
from one_op_tflite import build as build_tflite

from firmware_bridge.bench_target import bench_target
from firmware_bridge.device.qemu import BOARDS, build
from firmware_bridge.device.targets import Target
from firmware_bridge.plan.footprint import Footprint, code_of
from firmware_bridge.plan.model import Model as Firmware

C = BOARDS.parent
CONFIG = """
#define AU_SINGLE_ROUNDING {single}
#define AU_MAX_ROWS 9
#define AU_BLOCK_IN_PLACE "au_block_{in_place}.h"
#define AU_BLOCK_GATHERED "au_block_{kernels}.h"
#define AU_GATHERED_VALUES 240u
#define AU_GATHERED_COLUMNS 6
#define AU_GATHERED_DILATION 2
#define AU_PATCH_VALUES 60u
#define AU_MOST_PIECES 27
#define AU_MAX_UNDER 9
#define AU_THREES_SHARED 1
#define AU_THREES_OVERLAPPING 1
#define AU_THREES_APART 1
"""


@pytest.mark.slow
@pytest.mark.parametrize("rounding", ["double", "single"])
@pytest.mark.parametrize(
    ("name", "kernels"),
    [
        *(("cortex-m0", "c99"), ("cortex-m3", "c99"), ("rv32", "c99"), ("cortex-m4", "dsp8"), ("cortex-m4", "dsp16")),
        *(("cortex-m7", "dsp8"), ("cortex-m33", "dsp8"), ("cortex-m55", "mve")),
    ],
)
def test_no_source_is_larger_than_foretold(
    name: str, kernels: str, rounding: str, installed: Callable[[str], Target], tmp_path: Path
):
    target = installed(name)
    in_place = "dsp8" if kernels == "dsp16" else kernels
    config = CONFIG.format(single=int(rounding == "single"), kernels=kernels, in_place=in_place)
    (tmp_path / "au_config.h").write_text(config)
    # Beside each other, as a folder holds them, and by `build`, so that the tests' ccache knows most of them.
    for path in C.rglob("au_*.[ch]"):
        shutil.copyfile(path, tmp_path / path.name)
    (tmp_path / "main.c").write_text("int main(void) { return 0; }\n")
    compiled = [path for path in sorted(tmp_path.glob("au_*.c")) if _is_compiled(path.stem, kernels, rounding)]
    made = build([*compiled, tmp_path / "main.c"], target, tmp_path / "build", include=[tmp_path])
    for source in compiled:
        assert made.objects[source.name].text <= code_of(source.stem, rounding), source.name


def _is_compiled(stem: str, kernels: str, rounding: str) -> bool:
    """Whether a source belongs to these kernels in this rounding."""
    if rounding == "single" and stem == "au_elementwise_dsp":
        return False
    if kernels == "c99":
        return stem.endswith(("_c99", "au_stream"))
    if kernels == "mve":
        return stem not in ("au_conv_patched", "au_conv_pointwise")
    return not stem.endswith("_mve")


@pytest.mark.slow
@pytest.mark.parametrize("rounding", ["double", "single"])
@pytest.mark.parametrize(
    ("kernel", "channels", "name", "kernels"),
    [
        ((63, 5), 8, "cortex-m4", "dsp8"),
        ((31, 5), 8, "cortex-m55", "mve"),
        ((1, 900), 1, "cortex-m4", "dsp16"),
        ((5, 5), 32, "cortex-m4", "dsp16"),
        ((40, 3), 4, "cortex-m3", "c99"),
    ],
)
def test_a_plan_of_an_odd_kernel_promises_no_less_than_is_measured(
    kernel: tuple[int, int],
    channels: int,
    name: str,
    kernels: str,
    rounding: str,
    installed: Callable[[str], Target],
    tmp_path: Path,
):
    installed(name)
    rng = np.random.default_rng(0)
    source = Spec((1, kernel[0] + 3, kernel[1] + 5, channels), (0.1,), (3,))
    weights = Spec((4, *kernel, channels), (0.01,), (0,), data=rng.integers(-127, 128, (4, *kernel, channels)))
    bias = Spec((4,), (0.001,), (0,), data=rng.integers(-99, 99, 4), dtype="int32")
    options = {"padding": 0, "strideH": 1, "strideW": 1, "fusedActivationFunction": 0}
    made = Spec((*source.shape[:3], 4), (4.0,), (3,))
    model = Model([source, weights, bias, made], [Node("CONV_2D", [0, 1, 2], 3, ("Conv2DOptions", options))])
    path = tmp_path / "odd.tflite"
    path.write_bytes(build_tflite(model))
    opened = Firmware.open(path)
    plan = Footprint(opened, opened.plan(kernels, rounding))
    found = bench_target(path, name, kernels, rounding)
    assert found["differing_bytes"] == 0
    assert found["ram_bytes"] <= sum(plan.ram.values()) <= found["ram_bytes"] + 1024
    assert found["flash_bytes"] <= sum(plan.flash.values())
