"""Models built, run in QEMU, compared with LiteRT and measured; and that a plan had promised no less."""

import functools
import io
import json
import re

import numpy as np
import pytest
from cnn6_tflite import cnn6
from counted import assert_estimated
from quick_tables import with_quick_tables
from rich.console import Console
from tiny_bundle import tiny_bundle

import firmware_bridge.bench_target
from firmware_bridge.bench_target import bench_target, print_bench
from firmware_bridge.device import qemu
from firmware_bridge.device.qemu import build
from firmware_bridge.device.targets import find_target
from firmware_bridge.folder.writing import write_sources
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.model import Model
from firmware_bridge.sound.frontend import frontend_table_bytes
from lungsound import terminal as streams
from lungsound.errors import InputError
from lungsound.files.plain_json import dumps


@pytest.fixture(autouse=True)
def quick_tables(monkeypatch):
    """Have large tables compiled as strings."""

    def written(folder, footprint):
        names = write_sources(folder, footprint)
        with_quick_tables(folder)
        return names

    monkeypatch.setattr(firmware_bridge.bench_target, "write_sources", written)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory)


@pytest.fixture(scope="module")
def measured(bundle, installed):
    """A function that measures the bundle on a target, once for all tests."""

    @functools.cache
    def measure(name: str, rounding: str = "double", kernels: str | None = None) -> dict[str, object]:
        installed(name)
        return bench_target(bundle.path, name, kernels, rounding)

    return measure


@pytest.mark.parametrize(
    ("name", "rounding"),
    [("cortex-m4", "double"), ("cortex-m4", "single"), ("cortex-m0", "double"), ("rv32", "double")],
)
def test_a_bundle_is_measured_and_no_byte_differs(measured, name, rounding):
    found = measured(name, rounding)
    assert (found["target"], found["kernels"], found["rounding"]) == (name, find_target(name).kernels, rounding)
    assert (found["differing_bytes"], found["output_bytes"]) == (0, 10)
    assert found["differing_codes"] <= 1
    assert found["ram_bytes"] == found["network_bytes"] + found["front_end_bytes"] + found["stack_bytes"]
    assert found["flash_bytes"] == found["constant_bytes"] + found["code_bytes"]
    assert found["instructions"] == found["front_end_instructions"] + found["network_instructions"]
    assert found["worst_push_instructions"] < found["network_instructions"]
    assert found["instructions_per_second"] == pytest.approx(found["instructions"] / 2, abs=1)
    assert json.loads(dumps(found)) == found
    assert_estimated(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cortex-m3", "cortex-m7", "cortex-m33", "cortex-m55"])
def test_a_bundle_runs_on_every_other_core(installed, bundle, name):
    installed(name)
    found = bench_target(bundle.path, name)
    assert (found["differing_bytes"], found["differing_codes"]) == (0, 0)
    assert_estimated(found)


def test_instructions_repeat(measured, bundle):
    """To the emulated counter's ticks: 1.6 an instruction, and a reading before and after every push."""
    first, second = measured("cortex-m4"), bench_target(bundle.path, "cortex-m4")
    for name in ("front_end_instructions", "network_instructions", "worst_push_instructions"):
        assert second[name] == pytest.approx(first[name], rel=1e-5)
    assert second["ram_bytes"] == first["ram_bytes"]


def test_a_limit_on_pushes_holds_the_worst_one_down(installed, measured, bundle):
    installed("cortex-m4")
    free = measured("cortex-m4")
    limited = bench_target(bundle.path, "cortex-m4", push_limit=50_000)
    assert (limited["differing_bytes"], limited["push_limit"]) == (0, 50_000)
    assert limited["worst_push_instructions"] < free["worst_push_instructions"] / 2
    assert limited["network_instructions"] == pytest.approx(free["network_instructions"], rel=0.05)


@pytest.mark.parametrize("name", ["host", "aarch64"])
def test_an_operating_system_gives_bytes_and_no_counts(installed, bundle, name, capsys):
    installed(name)
    found = bench_target(bundle.path, name)
    assert (found["differing_bytes"], found["instructions"], found["stack_bytes"]) == (0, None, None)
    print_bench(found)
    said = " ".join(capsys.readouterr().out.split())
    assert "not counted here" in said
    assert f"{found['ram_bytes']} (network" in said
    assert "without the stack, which is not measured here" in said
    assert " ms" not in said


@pytest.mark.parametrize("kernels", ["c99", "dsp8"])
def test_a_bare_file_hears_random_and_extreme_inputs(installed, tmp_path, kernels, capsys):
    installed("cortex-m4")
    path = tmp_path / "net.tflite"
    path.write_bytes(cnn6(np.random.default_rng(1), 33, mels=16, width=4, heads=2))
    found = bench_target(path, "cortex-m4", kernels)
    assert (found["differing_bytes"], found["kernels"], found["front_end_instructions"]) == (0, kernels, 0)
    assert found["differing_codes"] is found["listener_bytes"] is found["instructions_per_second"] is None
    print_bench(found)
    assert f"{found['worst_push_instructions']:,}" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("model", ["kws_ref_model", "pretrainedResnet_quant"])
def test_a_published_model_is_measured(installed, shared, model):
    installed("cortex-m4")
    assert bench_target(shared / f"data/mlperf_tiny/{model}.tflite", "cortex-m4")["differing_bytes"] == 0


@pytest.mark.parametrize(
    ("name", "kernels"), [("cortex-m0", "c99"), ("cortex-m4", "dsp8"), ("cortex-m4", "dsp16"), ("rv32", "c99")]
)
def test_a_plan_promises_no_less_than_is_measured_and_not_much_more(measured, bundle, name, kernels):
    model = Model.open(bundle.path)
    plan = Footprint(model, model.plan(kernels, "double"))
    found = measured(name, kernels=kernels)
    assert found["ram_bytes"] <= sum(plan.ram.values()) <= found["ram_bytes"] + 1024
    assert found["listener_bytes"]["one_window"] == plan.ram["networks"] + plan.ram["front_end"]
    assert found["flash_bytes"] <= sum(plan.flash.values()) <= 1.3 * found["flash_bytes"]


def test_the_front_ends_tables_are_foretold(installed, bundle, tmp_path):
    model = Model.open(bundle.path)
    footprint = Footprint(model, model.plan("c99", "double"))
    sources = [tmp_path / name for name in write_sources(tmp_path, footprint)]
    (tmp_path / "main.c").write_text("int main(void) { return 0; }")
    built = build([*sources, tmp_path / "main.c"], installed("cortex-m4"), tmp_path / "build", include=[tmp_path])
    quantization = bundle.manifest.input
    foretold = frontend_table_bytes(bundle.manifest.listening.logmel, quantization.scale, quantization.zero_point)
    assert built.objects["frontend_tables.c"].text == foretold


def test_weights_that_the_flash_cannot_hold_lie_outside(installed, tmp_path):
    installed("cortex-m55")
    path = tmp_path / "wide.tflite"
    path.write_bytes(cnn6(np.random.default_rng(0), 16, mels=16, width=24))
    found = bench_target(path, "cortex-m55", "c99")
    assert found["constant_bytes"] > 512 << 10
    assert found["differing_bytes"] == 0


@pytest.mark.parametrize(
    ("mels", "width", "needs"),
    [
        (16, 24, "bytes of flash beyond its 262144"),
        (200, 12, "bytes of RAM beyond its 16384"),
        (128, 20, r"bytes of flash beyond its 262144 and \d+ bytes of RAM beyond its 16384"),
    ],
)
def test_what_does_not_fit_the_machine_is_one_sentence(installed, tmp_path, mels, width, needs):
    installed("cortex-m0")
    path = tmp_path / "wide.tflite"
    path.write_bytes(cnn6(np.random.default_rng(0), 16, mels=mels, width=width))
    with pytest.raises(InputError, match=rf"wide.tflite: needs \d+ {needs} on microbit") as refused:
        bench_target(path, "cortex-m0")
    said = str(refused.value)
    assert said.endswith("the machine of QEMU that stands for Cortex-M0; --target cortex-m3 has room")
    model = Model.open(path)
    footprint = Footprint(model, model.plan("c99", "double"))
    beyond = {what: int(more) for more, what in re.findall(r"(\d+) bytes of (RAM|flash) beyond", said)}
    for what, size, parts in (("RAM", 16 << 10, footprint.ram), ("flash", 256 << 10, footprint.flash)):
        planned = sum(parts.values())
        # Beside what is planned, the test has its own rows, outputs and program.
        assert what not in beyond or planned - 2048 < size + beyond[what] < planned + 16384


def test_what_no_machine_holds_is_referred_to_the_plan(installed, monkeypatch, tmp_path):
    monkeypatch.setattr(firmware_bridge.bench_target, "targets", lambda: [installed("cortex-m0"), find_target("host")])
    path = tmp_path / "wide.tflite"
    path.write_bytes(cnn6(np.random.default_rng(0), 16, mels=16, width=24))
    with pytest.raises(InputError, match="`auscult plan --ram --flash` says what width would fit"):
        bench_target(path, "cortex-m0")


def test_kernels_that_the_core_lacks_are_refused(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(cnn6(np.random.default_rng(1), 33, mels=16, width=4))
    with pytest.raises(InputError, match="cannot run kernels 'mve'"):
        bench_target(path, "cortex-m4", "mve")


@pytest.mark.parametrize(("terminal", "frames", "mels"), [(True, 100, 64), (False, 16, 16)])
def test_a_terminal_sees_what_is_done_and_nobody_else(installed, tmp_path, monkeypatch, capsys, terminal, frames, mels):
    installed("rv32")
    path = tmp_path / "net.tflite"  # the larger one takes QEMU some tenths of a second, window by window
    path.write_bytes(cnn6(np.random.default_rng(0), frames, mels, heads=4))
    monkeypatch.setattr(qemu, "_WATCH_EVERY", 0.02)
    screen = io.StringIO()
    monkeypatch.setattr(streams, "err", Console(file=screen, force_terminal=terminal))
    assert bench_target(path, "rv32")["differing_bytes"] == 0
    shown = screen.getvalue()
    assert capsys.readouterr().out == ""
    if not terminal:
        assert shown == ""
        return
    for doing in ("building for rv32", "running window [2-5] of 5 on rv32", "comparing with LiteRT"):
        assert re.search(doing, shown), shown[-2000:]
