from itertools import pairwise

import pytest

from firmware_bridge.device.targets import find_target, missing_packages, require_tools, targets
from lungsound.errors import InputError


def test_every_promised_core_is_there():
    names = [target.name for target in targets()]
    assert len(names) == len(set(names))
    assert set(names) == {
        *("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "rv32", "host", "aarch64")
    }


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_memory_lies_apart_and_a_stack_fits(target):
    machine = target.machine
    if machine is None:
        return
    regions = sorted(
        (region.start, region.start + region.size) for region in (machine.code, machine.ram, machine.large) if region
    )
    assert all(end <= start for (_, end), (start, _) in pairwise(regions))
    assert machine.stack_bytes < machine.ram.size


def test_an_instruction_is_sixty_four_nanoseconds_of_the_machines_time():
    machine = find_target("cortex-m4").machine
    assert machine is not None
    assert machine.instructions(1_600_000) == 1_000_000  # 25 MHz


def test_an_unknown_name_lists_the_valid_ones():
    with pytest.raises(InputError, match=r"cortex-m5.*cortex-m0, .*cortex-m55.*aarch64"):
        find_target("cortex-m5")


def test_a_missing_tool_names_its_packages(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    packages = "gcc-aarch64-linux-gnu libc6-dev-arm64-cross binutils-aarch64-linux-gnu qemu-user"
    assert missing_packages(find_target("aarch64")) == packages
    packages = "gcc-arm-none-eabi libnewlib-arm-none-eabi binutils-arm-none-eabi qemu-system-arm"
    with pytest.raises(InputError, match=f"apt-get install {packages}"):
        require_tools(find_target("cortex-m4"))


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_what_tells_sizes_belongs_to_the_tools(monkeypatch, tmp_path, target):
    for tool in target.tools:
        if not tool.endswith("size"):
            (tmp_path / tool).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing_packages(target).startswith("binutils")


def test_the_cores_without_floating_point_are_known():
    assert {target.name for target in targets() if not target.fpu} == {"cortex-m0", "cortex-m3", "rv32"}
