"""The cores that firmware is built for: compiler, flags, and the QEMU machine that stands for each."""

import shutil
from dataclasses import dataclass
from typing import Literal, get_args

from lungsound.errors import InputError

Kernels = Literal["c99", "dsp8", "dsp16", "mve"]
"""Plain C; the DSP instructions of Cortex-M4 on bytes or on halves; the vectors of Cortex-M55."""
KERNELS: tuple[Kernels, ...] = get_args(Kernels)

CFLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-ffunction-sections", "-fdata-sections")
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion")

_DEBIAN_PACKAGES = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    "gcc": "gcc libc6-dev",
    "arm-none-eabi-size": "binutils-arm-none-eabi",
    "riscv64-unknown-elf-size": "binutils-riscv64-unknown-elf",
    "aarch64-linux-gnu-size": "binutils-aarch64-linux-gnu",
    "size": "binutils",
    "qemu-system-arm": "qemu-system-arm",
    "qemu-system-riscv32": "qemu-system-misc",
    "qemu-aarch64": "qemu-user",
}


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of memory: first address and size in bytes."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that QEMU emulates whole.

    Attributes
    ----------
    emulator : str
        Program.
    name : str
        What ``-M`` takes.
    arguments : tuple of str
        Beyond machine, semihosting, instruction counting and kernel.
    code, ram : Region
        Where code and constants go, and data, contexts and stack.
    large : Region or None
        A bigger RAM; stands for an external flash.
    counter : str
        The C definition that selects the counter in ``c/boards/counter.c``.
    icount_shift : int
        One instruction takes ``2**icount_shift`` nanoseconds of the machine's time.
    counter_hz : int
        Rate of the counter in the machine's time.
    stack_bytes : int
        Reserved, and watched for running over.
    """

    emulator: str
    name: str
    arguments: tuple[str, ...]
    code: Region
    ram: Region
    large: Region | None
    counter: str
    icount_shift: int
    counter_hz: int
    stack_bytes: int = 16384

    def instructions(self, ticks: int) -> int:
        """Return how many instructions `ticks` of the counter stand for."""
        return round(ticks * 1e9 / (self.counter_hz << self.icount_shift))


@dataclass(frozen=True, slots=True)
class Target:
    """A core that firmware is built for.

    Attributes
    ----------
    name, core : str
        What a user types; what it stands for.
    compiler : str
        Prefix of gcc's name, empty for the host's own.
    flags : tuple of str
        What selects the core, for compiling and linking.
    link : tuple of str
        Beyond `flags`, for linking.
    fpu : bool
        Whether float32 runs in hardware.
    kernels : str
        One of `KERNELS`: the network's kernels that suit the core best.
    machine : Machine or None
        None for programs of an operating system.
    emulator : str or None
        User-mode emulator, for a foreign program of an operating system.
    """

    name: str
    core: str
    compiler: str
    flags: tuple[str, ...]
    link: tuple[str, ...]
    fpu: bool
    kernels: Kernels
    machine: Machine | None = None
    emulator: str | None = None

    @property
    def tools(self) -> tuple[str, ...]:
        """Programs that building and running need."""
        emulator = self.machine.emulator if self.machine else self.emulator
        return (f"{self.compiler}gcc", f"{self.compiler}size", *([emulator] if emulator else []))

    @property
    def packages(self) -> str:
        """Debian packages that hold :attr:`tools`."""
        return " ".join(_DEBIAN_PACKAGES[tool] for tool in self.tools)

    @property
    def runs_kernels(self) -> tuple[Kernels, ...]:
        """The network's kernels that the core has the instructions for."""
        vectors = KERNELS.index("mve")
        return {"c99": KERNELS[:1], "mve": KERNELS}.get(self.kernels, KERNELS[:vectors])

    def wants_external_flash(self, flash: int) -> bool:
        """Whether so many bytes are more than the machine's own flash holds and it has an external one."""
        return self.machine is not None and self.machine.large is not None and flash > self.machine.code.size

    def choose_kernels(self, asked: str | None) -> str:
        """Return the kernels that a user asked for, or those that suit the core best.

        Raises
        ------
        InputError
            If the core lacks the instructions; the message lists what it runs.
        """
        if asked is not None and asked not in self.runs_kernels:
            raise InputError(
                f"target {self.name} cannot run kernels '{asked}'; choose {' or '.join(self.runs_kernels)}"
            )
        return asked or self.kernels


def _mps(name: str, code: Region, ram: int, large: int, counter: int, hertz: int) -> Machine:
    return Machine(
        emulator="qemu-system-arm",
        name=name,
        arguments=(),
        code=code,
        ram=Region(ram, 4 << 20),
        large=Region(large, 16 << 20),
        counter=f"BOARD_COUNTER_ADDRESS=0x{counter:08X}u",
        icount_shift=6,
        counter_hz=hertz,
    )


_LOW_CODE = Region(0, 4 << 20)
_MICROBIT = Machine(
    emulator="qemu-system-arm",
    name="microbit",
    arguments=(),
    code=Region(0, 256 << 10),
    ram=Region(0x20000000, 16 << 10),
    large=None,
    counter="BOARD_COUNTER_NRF51",
    icount_shift=6,
    counter_hz=16_000_000,
    stack_bytes=2048,
)
_VIRT = Machine(
    emulator="qemu-system-riscv32",
    name="virt",
    arguments=("-bios", "none"),
    code=Region(0x80000000, 16 << 20),
    ram=Region(0x81000000, 4 << 20),
    large=Region(0x82000000, 16 << 20),
    counter="BOARD_COUNTER_INSTRET",
    icount_shift=0,
    counter_hz=1_000_000_000,
)
_BARE = ("-nostartfiles", "-Wl,--gc-sections")


def _arm(name: str, core: str, machine: Machine, *flags: str, kernels: Kernels) -> Target:
    fpu = any(flag.startswith("-mfpu") for flag in flags)
    return Target(name, core, "arm-none-eabi-", ("-mthumb", *flags), _BARE, fpu, kernels, machine)


_TARGETS = (
    _arm("cortex-m0", "Cortex-M0", _MICROBIT, "-mcpu=cortex-m0", kernels="c99"),
    _arm(
        "cortex-m3",
        "Cortex-M3",
        _mps("mps2-an385", _LOW_CODE, 0x20000000, 0x21000000, 0x40028018, 25_000_000),
        "-mcpu=cortex-m3",
        kernels="c99",
    ),
    _arm(
        "cortex-m4",
        "Cortex-M4F",
        _mps("mps2-an386", _LOW_CODE, 0x20000000, 0x21000000, 0x40028018, 25_000_000),
        *("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"),
        kernels="dsp8",
    ),
    _arm(
        "cortex-m7",
        "Cortex-M7",
        _mps("mps2-an500", _LOW_CODE, 0x20000000, 0x60000000, 0x40028018, 25_000_000),
        *("-mcpu=cortex-m7", "-mfpu=fpv5-d16", "-mfloat-abi=hard"),
        kernels="dsp8",
    ),
    _arm(
        "cortex-m33",
        "Cortex-M33",
        _mps("mps2-an505", Region(0x10000000, 4 << 20), 0x38000000, 0x80000000, 0x50302018, 20_000_000),
        *("-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"),
        kernels="dsp8",
    ),
    _arm(
        "cortex-m55",
        "Cortex-M55 with vectors (MVE)",
        _mps("mps3-an547", Region(0, 512 << 10), 0x31000000, 0x70000000, 0x59302018, 20_000_000),
        *("-mcpu=cortex-m55", "-mfpu=auto", "-mfloat-abi=hard"),
        kernels="mve",
    ),
    Target(
        name="rv32",
        core="RISC-V RV32IMC",
        compiler="riscv64-unknown-elf-",
        flags=("-march=rv32imc", "-mabi=ilp32", "-mcmodel=medany", "-msmall-data-limit=0", "--specs=picolibc.specs"),
        link=_BARE,
        fpu=False,
        kernels="c99",
        machine=_VIRT,
    ),
    Target("host", "this computer", "", (), (), fpu=True, kernels="c99"),
    Target(
        name="aarch64",
        core="64-bit Arm, Linux",
        compiler="aarch64-linux-gnu-",
        flags=(),
        link=("-static",),
        fpu=True,
        kernels="c99",
        emulator="qemu-aarch64",
    ),
)


def targets() -> tuple[Target, ...]:
    """Return every target, smallest core first."""
    return _TARGETS


def find_target(name: str) -> Target:
    """Return the target of this name.

    Raises
    ------
    InputError
        If there is none; the message lists the names.
    """
    for target in _TARGETS:
        if target.name == name:
            return target
    raise InputError(f"unknown target {name!r}; choose one of {', '.join(target.name for target in _TARGETS)}")


def missing_packages(target: Target) -> str:
    """Return the Debian packages that this computer lacks for `target`; empty when it has all."""
    return " ".join(_DEBIAN_PACKAGES[tool] for tool in target.tools if shutil.which(tool) is None)


def require_tools(target: Target) -> None:
    """Check that the compiler and the emulator are installed.

    Raises
    ------
    InputError
        If one is missing; the message names the Debian packages.
    """
    packages = missing_packages(target)
    if packages:
        raise InputError(f"target {target.name} needs programs that are not installed: apt-get install {packages}")
