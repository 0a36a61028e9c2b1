from dataclasses import replace

import pytest

from firmware_bridge.device import targets as targets_module
from firmware_bridge.device.qemu import build, linker_script, run
from firmware_bridge.device.targets import find_target, targets
from lungsound.errors import InputError

NAMES = [target.name for target in targets()]
MACHINES = [target.name for target in targets() if target.machine]

COPY = """
#include "board.h"
int main(void)
{
    char block[7];
    size_t got;
    const int in = board_open_read("in.bin");
    const int out = board_open_write("out.bin");
    if ((in < 0) || (out < 0) || (board_open_read("absent.bin") >= 0)) {
        return 2;
    }
    do {
        got = board_read(in, block, sizeof block);
        if (board_write(out, block, got) != 0) {
            return 3;
        }
    } while (got > 0u);
    board_close(in);
    board_close(out);
    board_print("copied\\n");
    board_report("largest", 18446744073709551615u);
    return 5;
}
"""

LOOP = """
#include "board.h"
int main(void)
{
    uint32_t rounds = ROUNDS;
    uint32_t start = board_counter();
    board_report("empty", board_elapsed(start));
    start = board_counter();
#if defined(__riscv)
    __asm__ volatile("1: addi %0, %0, -1\\n nop\\n nop\\n bnez %0, 1b" : "+r"(rounds));
#else
    __asm__ volatile(".syntax unified\\n 1: subs %0, #1\\n nop\\n nop\\n bne 1b" : "+l"(rounds) : : "cc");
#endif
    board_report("loop", board_elapsed(start));
    return 0;
}
"""

STACK = """
#include "board.h"
static void deep(volatile unsigned char *above)
{
    volatile unsigned char block[BYTES];
    for (size_t i = 0u; i < sizeof block; i++) {
        block[i] = (unsigned char)(i + above[0]);
    }
}
int main(void)
{
    volatile unsigned char one = 1u;
    deep(&one);
    return 0;
}
"""

FLOAT = """
#include "board.h"
int main(void)
{
    volatile float third = 1.0f;
    third /= 3.0f;
    board_report("scaled", (uint64_t)(third * 16777216.0f));
    return 0;
}
"""


def program(tmp_path, text, target, **options):
    tmp_path.mkdir(exist_ok=True)
    source = tmp_path / "program.c"
    source.write_text(text)
    return build([source], target, tmp_path / target.name, **options)


@pytest.mark.parametrize("name", NAMES)
def test_files_text_and_status_come_back(name, installed, tmp_path):
    content = bytes(range(256)) + b"odd"
    built = program(tmp_path, COPY, installed(name))
    done = run(built, inputs={"in.bin": content}, outputs=["out.bin"])
    assert built.warnings == ""
    assert (done.status, done.files) == (5, {"out.bin": content})
    assert "copied\n" in done.text
    assert done.values["largest"] == 2**64 - 1


@pytest.mark.parametrize("name", MACHINES)
def test_a_loop_of_a_million_instructions_counts_a_million(name, installed, tmp_path):
    target = installed(name)
    values = run(program(tmp_path, LOOP, target, defines=["ROUNDS=250000u"])).values
    assert target.machine.instructions(values["loop"] - values["empty"]) == pytest.approx(1_000_000, abs=5)


@pytest.mark.parametrize("name", ["cortex-m0", "rv32"])
def test_the_cores_own_counter_counts_beyond_24_bits(name, installed, tmp_path):
    target = installed(name)
    silicon = replace(target, machine=replace(target.machine, counter="SILICON"))
    short, long = (
        run(program(tmp_path / str(rounds), LOOP, silicon, defines=[f"ROUNDS={rounds}u"])).values["loop"]
        for rounds in (1_000_000, 9_000_000)
    )
    assert long > 2**24
    assert long / short == pytest.approx(9, rel=1e-3)


@pytest.mark.parametrize("name", MACHINES)
def test_the_stack_is_measured(name, installed, tmp_path):
    done = run(program(tmp_path, STACK, installed(name), defines=["BYTES=1000"]))
    assert 1000 <= done.values["stack_bytes"] <= 1300


@pytest.mark.parametrize("name", ["cortex-m0", "cortex-m4", "rv32"])
def test_a_stack_that_runs_over_does_not_end_well(name, installed, tmp_path):
    target = installed(name)
    done = run(program(tmp_path, STACK, target, defines=[f"BYTES={target.machine.stack_bytes}u"]))
    assert done.status != 0


@pytest.mark.parametrize("name", NAMES)
def test_every_core_divides_floats_alike(name, installed, tmp_path):
    assert run(program(tmp_path, FLOAT, installed(name))).values["scaled"] == 5592405


def test_sizes_tell_code_from_data(installed, tmp_path):
    arrays = "const int kept[100] = {1}; int set[10] = {1}; int zero[20];"
    text = arrays + "int main(void) { return set[0] + zero[0] + kept[1]; }"
    built = program(tmp_path, text, installed("cortex-m3"))
    sizes = built.objects["program.c"]
    assert (sizes.data, sizes.bss) == (40, 80)
    assert 400 <= sizes.text < 500
    assert sizes.flash == sizes.text + 40
    assert sizes.ram == 120
    assert built.size.ram >= 120


def test_a_source_that_does_not_compile_gives_its_first_error(installed, tmp_path):
    with pytest.raises(InputError, match=r"program\.c:1:.*error"):
        program(tmp_path, "int main(void) { return nothing; }", installed("cortex-m4"))


@pytest.fixture
def tools(monkeypatch, tmp_path):
    """A function that puts scripts in the place of the Cortex-M4's programs."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def replace(tool, script):
        (folder / tool).write_text(script)
        (folder / tool).chmod(0o755)

    return replace


def test_a_compiler_that_says_nothing_gives_its_exit_code(installed, tmp_path, tools):
    target = installed("cortex-m4")
    tools("arm-none-eabi-gcc", "#!/bin/sh\nexit 127\n")
    with pytest.raises(InputError, match=r"arm-none-eabi-gcc refused with exit code 127: it said nothing"):
        program(tmp_path, "int main(void) { return 0; }", target)


def test_what_tells_sizes_and_fails_is_one_sentence(installed, tmp_path, tools):
    target = installed("cortex-m4")
    tools("arm-none-eabi-size", "#!/bin/sh\necho what is this >&2\nexit 3\n")
    with pytest.raises(InputError, match=r"arm-none-eabi-size refused with exit code 3: what is this"):
        program(tmp_path, "int main(void) { return 0; }", target)


def test_a_program_that_cannot_be_run_is_one_sentence(installed, tmp_path, monkeypatch):
    target, text = installed("cortex-m4"), "int main(void) { return 0; }"
    built = program(tmp_path, text, target)
    monkeypatch.setattr(targets_module, "missing_packages", lambda target: "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"arm-none-eabi-gcc cannot be run \(No such file or directory\)"):
        program(tmp_path, text, target)
    with pytest.raises(InputError, match="arm-none-eabi-size cannot be run"):
        assert built.size
    with pytest.raises(InputError, match="qemu-system-arm cannot be run"):
        run(built)


def test_a_program_too_large_says_so(installed, tmp_path):
    with pytest.raises(InputError, match=r"needs \d+ bytes of RAM beyond its 16384 on microbit"):
        program(tmp_path, "char big[20000]; int main(void) { return big[5]; }", installed("cortex-m0"))


def test_a_program_that_never_ends_is_stopped(installed, tmp_path):
    built = program(tmp_path, "int main(void) { for (;;) { } }", installed("host"))
    with pytest.raises(InputError, match=r"did not end within 0\.2 s"):
        run(built, timeout=0.2)


def test_an_output_that_is_not_written_is_an_error(installed, tmp_path):
    built = program(tmp_path, "int main(void) { return 9; }", installed("cortex-m4"))
    with pytest.raises(InputError, match=r"status 9 .*without writing out\.bin"):
        run(built, outputs=["out.bin"])


def test_an_operating_system_needs_no_linker_script():
    with pytest.raises(InputError, match="aarch64"):
        linker_script(find_target("aarch64"))
