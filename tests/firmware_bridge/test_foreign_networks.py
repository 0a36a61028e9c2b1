"""Networks that nobody here designed as streaming C: every value against LiteRT, and what the plan says of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from foreign_networks import NETWORKS, foreign_tflite, random_logmels
from host import SANITIZERS, run_on_host
from made_once import made_once
from one_op_tflite import litert
from traced_net import differing

from export.tflite.int8_model import int8_tflite
from export.tflite.ranges import calibrate
from firmware_bridge.bench_target import bench_target
from firmware_bridge.device.targets import KERNELS, Target
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.model import Model
from firmware_bridge.plan.network import plan_network, report
from firmware_bridge.tflite.graph import Graph
from firmware_bridge.tflite.reader import parse_tflite

pytestmark = pytest.mark.slow

MAP = (16, 16 * 16)
"""Of MobileNetV3's first squeeze and excitation: rows, and values of a row."""


@made_once
def exported(name: str) -> bytes:
    """The int8 .tflite of a network, with ranges of random sound."""
    float_model = foreign_tflite(name)
    return int8_tflite(float_model, calibrate(float_model, random_logmels(8, 5)[:, 0].numpy()))


@made_once
def reference(name: str) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Windows of a network, and every value that LiteRT's reference kernels make of them, by tensor."""
    windows = windows_of(parse_tflite(name, exported(name)))
    return windows, litert(exported(name), windows)


def windows_of(graph: Graph) -> np.ndarray:
    """Two windows of sound, one of noise and one of extremes."""
    source = graph.tensors[graph.inputs[0]]
    heard = random_logmels(2, 9)[:, 0, :, :, None].numpy() / source.scale + source.zero_point
    rng = np.random.default_rng(5)
    noise, extremes = rng.integers(-128, 128, heard.shape[1:]), rng.choice([-128, 127], heard.shape[1:])
    return np.stack([*np.clip(np.rint(heard), -128, 127), noise, extremes]).astype(np.int8)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_c_makes_every_value_of_the_reference_kernels(name: str, tmp_path: Path):
    network = plan_network(parse_tflite(name, exported(name)))
    windows, wanted = reference(name)
    made = run_on_host(network, windows, tmp_path, (*SANITIZERS, "-O2"))
    assert len(made.streams) == len(network.program.streams) - 1
    for index, values in made.streams.items():
        stream = network.program.streams[index]
        # Rows that the output does not need may be missing at the end.
        assert (values != wanted[stream.tensor][:, : values.shape[1]]).sum() == 0, stream.name
    assert (made.outputs != wanted[network.graph.outputs[0]]).sum() == 0
    assert len(np.unique(made.outputs)) > 4


@pytest.mark.parametrize("name", NETWORKS)
def test_the_c_makes_the_bytes_of_xnnpack(name: str, tmp_path: Path):
    network = plan_network(parse_tflite(name, exported(name)), rounding="single")
    windows, _ = reference(name)
    made = run_on_host(network, windows, tmp_path, ("-O2",))
    wanted = litert(exported(name), windows, reference=False)
    assert (made.outputs != wanted[network.graph.outputs[0]]).sum() == 0


@pytest.mark.parametrize(
    ("name", "target", "kernels"),
    [
        ("squeezenet", "cortex-m4", "dsp8"),
        ("mobilenetv3_small_050", "cortex-m4", "dsp8"),
        ("mobilenetv3_small_050", "cortex-m4", "dsp16"),
        ("mobilenetv2_035", "cortex-m55", "mve"),
        ("squeezenet", "rv32", "c99"),
    ],
)
def test_a_core_makes_every_value(
    name: str, target: str, kernels: str, installed: Callable[[str], Target], tmp_path: Path
):
    network = plan_network(parse_tflite(name, exported(name)), kernels)
    windows, wanted = reference(name)
    heard, noise = 1, 2
    wanted = {tensor: values[heard : noise + 1] for tensor, values in wanted.items()}
    assert differing(network, installed(target), windows[heard : noise + 1], wanted, tmp_path) == 0


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(
    ("name", "streams"), [("squeezenet", True), ("ds_cnn", True), ("mobilenetv3_small_050", False)]
)
def test_the_plan_says_which_maps_wait_for_all_of_time(name: str, streams: bool, kernels: str):
    facts = report(plan_network(parse_tflite(name, exported(name)), kernels))
    assert (facts["whole"] == []) == streams
    if not streams:
        first = facts["whole"][0]
        assert (first["rows"], first["row_values"], first["bytes"]) == (*MAP, MAP[0] * MAP[1])
        assert first["operator"] == "MUL"
        gates = [layer["tensor"] for layer in facts["layers"] if layer["rows"] == 1]
        assert first["waits_for"] in gates


def test_a_plan_promises_no_less_than_a_core_takes(installed: Callable[[str], Target], tmp_path: Path):
    target = installed("cortex-m4")
    path = tmp_path / "net.tflite"
    path.write_bytes(exported("mobilenetv3_small_050"))
    model = Model.open(path)
    plan = Footprint(model, model.plan(target.kernels, "double"))
    found = bench_target(path, target.name)
    assert found["differing_bytes"] == 0
    assert found["ram_bytes"] <= sum(plan.ram.values())
    assert found["flash_bytes"] <= sum(plan.flash.values())
