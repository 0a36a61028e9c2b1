"""The benchmark for a board of the user's own: all but startup code, linker script and a function that writes."""

import subprocess

import pytest
from tiny_bundle import tiny_bundle

from firmware_bridge.device.qemu import BOARDS, linker_script, runner
from firmware_bridge.device.targets import CFLAGS, find_target
from firmware_bridge.folder.writing import write_folder
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.model import Model

# What stands for the user's board writes through the emulator, in capitals, so that it is known by them.
BOARD = """
void semihosting_putchar(char character);
void board_putchar(char character);
void board_putchar(char character)
{
    semihosting_putchar(((character >= 'a') && (character <= 'z')) ? (char)(character - 'a' + 'A') : character);
}
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory)


@pytest.mark.parametrize("name", ["cortex-m0", "cortex-m4", "cortex-m55", "rv32"])
def test_the_benchmark_needs_only_a_boards_startup_code_and_a_putchar(name, installed, bundle, tmp_path):
    target = installed(name)
    model = Model.open(bundle.path)
    write_folder(tmp_path, Footprint(model, model.plan(target.kernels, "double")), target)
    subprocess.run(["make", "-s", "-C", str(tmp_path), "bench.a"], check=True)
    (tmp_path / "my_board.c").write_text(BOARD)
    (tmp_path / "my_board.ld").write_text(linker_script(target))
    start = BOARDS / ("start_riscv.c" if name == "rv32" else "start_cortex_m.c")
    program = str(tmp_path / "bench.elf")
    gcc = [f"{target.compiler}gcc", *target.flags, *CFLAGS, f"-I{BOARDS}", "-Dboard_putchar=semihosting_putchar"]
    subprocess.run([*gcc, "-c", str(BOARDS / "semihosting.c"), "-o", str(tmp_path / "semihosting.o")], check=True)
    startup = [start, BOARDS / "bare_metal.c", tmp_path / "semihosting.o"]
    own = [tmp_path / "my_board.c", *startup, tmp_path / "bench.a"]
    link = [*target.link, "-T", str(tmp_path / "my_board.ld"), *map(str, own), "-o", program]
    subprocess.run([*gcc[:-1], *link], check=True)
    done = subprocess.run([*runner(target), program], capture_output=True, text=True, timeout=120, check=True)
    values = dict(line.split() for line in (done.stdout + done.stderr).splitlines() if line.count(" ") == 1)
    assert int(values["NETWORK_BYTES"]) == model.plan(target.kernels, "double").context_bytes
    if name in ("cortex-m0", "rv32"):  # QEMU has no cycle counter of the others
        assert int(values["NETWORK_TICKS"]) > 2**20


def test_a_hosted_folder_has_no_such_benchmark(installed, bundle, tmp_path):
    installed("host")
    model = Model.open(bundle.path)
    write_folder(tmp_path, Footprint(model, model.plan("c99", "double")), find_target("host"))
    assert "bench.a" not in (tmp_path / "Makefile").read_text()
