import subprocess

import numpy as np
import pytest
from keep_rows import write_keep_rows

from firmware_bridge.device.qemu import BOARDS, build, run
from firmware_bridge.device.targets import CFLAGS, WARNINGS
from firmware_bridge.sound.frontend import write_frontend
from firmware_bridge.sound.listener import write_listener
from lungsound.listening import Listening
from lungsound.logmel import SPECS

BENCH = BOARDS / "bench_main.c"


def program(folder, target, *defines, seconds=0.256, overlapping=False, shares=None):
    listening = Listening.with_whole_hop(SPECS["device_4k"].with_statistics(-7.0, 4.0), seconds, 0.128)
    sources = write_frontend(folder, listening.logmel, 0.02, 0)
    sources += write_listener(folder, listening, [0], overlapping=overlapping)
    write_keep_rows(folder, listening.frames, shares)
    return listening, build([*sources, BENCH], target, folder / target.name, include=[folder], defines=defines)


@pytest.mark.parametrize("name", ["cortex-m0", "cortex-m4", "rv32", "host"])
@pytest.mark.parametrize("seconds", [0.256, 0.25])
def test_five_windows_with_and_without_files(installed, tmp_path, name, seconds):
    target = installed(name)
    listening, built = program(tmp_path, target, "BENCH_FILES", seconds=seconds)
    pcm = np.random.default_rng(0).integers(-3000, 3000, (5, listening.samples)).astype(np.int16)
    pcm[3:] = pcm[0]
    done = run(built, inputs={"samples.bin": pcm.tobytes()}, outputs=["outputs.bin"])
    assert (built.warnings, done.status) == ("", 0)
    outputs = np.frombuffer(done.files["outputs.bin"], np.int8).reshape(5, -1)
    np.testing.assert_array_equal(outputs[3:], outputs[[0, 0]])
    assert not np.array_equal(outputs[0], outputs[1])
    if target.machine:
        assert 0 < done.values["worst_push_ticks"] < done.values["network_ticks"] < done.values["frontend_ticks"]
        assert target.machine.instructions(done.values["frontend_ticks"]) > 1000 * listening.frames
        assert done.values["worst_push_ticks"] < done.values["worst_call_ticks"] < done.values["frontend_ticks"]
    noise = run(program(tmp_path, target, seconds=seconds)[1])
    assert (noise.status, noise.values["frontend_bytes"]) == (0, done.values["frontend_bytes"])


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("shares", [None, 5])
def test_the_listener_hears_windows_again(installed, tmp_path, overlapping, shares):
    _, built = program(tmp_path, installed("host"), seconds=0.31, overlapping=overlapping, shares=shares)
    done = run(built)
    assert (built.warnings, done.status, done.values["listener_differing_bytes"]) == ("", 0, 0)


@pytest.mark.parametrize("shares", [None, 5])
def test_a_listener_that_decides_otherwise_ends_with_a_status(installed, tmp_path, shares):
    """One whose second window goes on with the frames of the first."""
    target = installed("host")
    program(tmp_path, target, seconds=0.31, shares=shares)
    source = tmp_path / "auscult.c"
    right = "frontend_begin(&listener->frontends[0]);"
    assert source.read_text().count(right) == 1
    once = f"static bool begun; if (!begun) {{ {right} }} begun = true;"
    source.write_text(source.read_text().replace(right, once))
    sources = [*tmp_path.glob("*.c"), BENCH]
    done = run(build(sources, target, tmp_path / "broken", include=[tmp_path]))
    assert done.status == 5
    assert done.values["listener_differing_bytes"] > 0


def test_the_network_alone(installed, tmp_path):
    listening, built = program(tmp_path, installed("cortex-m4"), "BENCH_NETWORK_ONLY", "BENCH_FILES")
    rows = np.random.default_rng(0).integers(-128, 128, (5, listening.frames, 64)).astype(np.int8)
    done = run(built, inputs={"rows.bin": rows.tobytes()}, outputs=["outputs.bin"])
    assert (built.warnings, done.status) == ("", 0)
    assert done.files["outputs.bin"] == rows.tobytes()
    assert done.values["frontend_ticks"] == 0


def test_a_recording_that_is_too_short_ends_with_a_status(installed, tmp_path):
    _, built = program(tmp_path, installed("cortex-m4"), "BENCH_FILES")
    assert run(built, inputs={"samples.bin": b"\0" * 500}).status == 2


@pytest.mark.parametrize("name", ["cortex-m0", "cortex-m4"])
def test_silicon_counts_with_the_cores_own_counter(installed, tmp_path, name):
    # No emulator's counter is defined: what a user's own build compiles.
    target = installed(name)
    command = [f"{target.compiler}gcc", *target.flags, *CFLAGS, *WARNINGS, "-Werror", "-c", str(BOARDS / "counter.c")]
    assert subprocess.run([*command, "-o", str(tmp_path / "counter.o")], check=False).returncode == 0
