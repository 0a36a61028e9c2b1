"""Build C for a target, run it in QEMU (or here), and bring back what it wrote and counted."""

import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from firmware_bridge.c.rendering import render
from firmware_bridge.device.room import DoesNotFit
from firmware_bridge.device.targets import CFLAGS, WARNINGS, Target, require_tools
from firmware_bridge.device.tools import ToolRefused, cannot_be_run, run_tool
from lungsound.errors import InputError

BOARDS = Path(__file__).parents[1] / "c" / "boards"
_BARE_METAL = ("bare_metal.c", "semihosting.c", "counter.c", "text.c")
_HOSTED = ("hosted.c", "text.c")
_CONSTANT_SECTIONS = (
    *(".text", ".rodata", ".srodata", ".vectors", ".ARM.exidx", ".external_flash"),
    ".data.rel.ro",  # constants that hold addresses, where the operating system decides them
)
_WATCH_EVERY = 0.1  # seconds
_VALUE = re.compile(r"^([a-z][a-z0-9_]*) (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of an object file or a program: code and constants, initialised data, zeroed data."""

    text: int
    data: int
    bss: int

    @property
    def flash(self) -> int:
        """Bytes that a device stores."""
        return self.text + self.data

    @property
    def ram(self) -> int:
        """Bytes of RAM, without the stack."""
        return self.data + self.bss


@dataclass(frozen=True, slots=True)
class Build:
    """A program for a target.

    Attributes
    ----------
    target : Target
        What it was built for.
    program : Path
        ELF file.
    objects : dict of str to Sizes
        Every source's sizes by file name, before the linker drops what nobody calls.
    warnings : str
        What the compiler said.
    """

    target: Target
    program: Path
    objects: dict[str, Sizes]
    warnings: str

    @property
    def size(self) -> Sizes:
        """What the linked program takes, the stack apart."""
        (size,) = _sizes(self.target, [self.program])
        return size


@dataclass(frozen=True, slots=True)
class Run:
    """What a program did.

    Attributes
    ----------
    status : int
        Exit status.
    text : str
        Everything it printed.
    values : dict of str to int
        Its lines of the form ``name value``; of a machine also ``stack_bytes``.
    files : dict of str to bytes
        The files that it was asked to write.
    """

    status: int
    text: str
    values: dict[str, int]
    files: dict[str, bytes]


def board_sources(target: Target) -> list[Path]:
    """Return the C files between `target` and ``main``."""
    if target.machine is None:
        return [BOARDS / name for name in _HOSTED]
    start = "start_riscv.c" if target.machine.emulator == "qemu-system-riscv32" else "start_cortex_m.c"
    return [BOARDS / name for name in (start, *_BARE_METAL)]


def linker_script(target: Target, *, external: bool = False) -> str:
    """Return the linker script of the target's machine.

    Parameters
    ----------
    target : Target
        A bare machine.
    external : bool
        Whether the network's constants go to the external flash; compiled with ``-fdata-sections``.

    Raises
    ------
    InputError
        If an operating system runs the target's programs.
    """
    if target.machine is None:
        raise InputError(f"target {target.name} is linked by its operating system and has no linker script")
    return render("board.ld", machine=target.machine, core=target.core, external=external)


def build(
    sources: Sequence[Path],
    target: Target,
    folder: Path,
    *,
    include: Sequence[Path] = (),
    defines: Sequence[str] = (),
    flags: Sequence[str] = (),
    external: bool = False,
) -> Build:
    """Compile `sources` with the board of `target` and link them.

    Parameters
    ----------
    sources : sequence of Path
        C files, one of them with ``int main(void)``.
    target : Target
        What to build for.
    folder : Path
        Where objects and the program go; made if it is missing.
    include : sequence of Path
        Folders of headers; the sources' own and the board's are known already.
    defines : sequence of str
        ``NAME`` or ``NAME=VALUE``.
    flags : sequence of str
        For the compiler and the linker, after the target's own.
    external : bool
        Whether the network's constants go to the machine's external flash.

    Raises
    ------
    InputError
        If a tool is missing or a source does not compile; the message holds the first error. A `DoesNotFit` if the
        program is too large for the machine.
    """
    require_tools(target)
    folder.mkdir(parents=True, exist_ok=True)
    gcc = f"{target.compiler}gcc"
    machine = target.machine
    options = [*target.flags, *CFLAGS, *WARNINGS, *flags, *(f"-D{define}" for define in defines)]
    options += [f"-D{machine.counter}"] if machine else []
    folders = [f"-I{path.resolve()}" for path in dict.fromkeys([*include, *(source.parent for source in sources)])]
    objects, warnings = {}, ""
    for source, around in [*((path, folders) for path in sources), *((path, []) for path in board_sources(target))]:
        made = objects[source.name] = folder.resolve() / f"{source.stem}.o"
        words = [*options, *around, f"-I{BOARDS}", "-c", str(source.resolve()), "-o", str(made)]
        # Where the source lies, so that a cache of compilers knows a file again that lies elsewhere.
        warnings += run_tool([gcc, *words], source.parent).stderr
    program = folder / f"{target.name}.elf"
    script = []
    if machine:
        (folder / "board.ld").write_text(linker_script(target, external=external))
        script = ["-T", str(folder / "board.ld")]
    paths = [str(path) for path in objects.values()]
    try:
        warnings += run_tool([gcc, *target.flags, *flags, *target.link, *script, *paths, "-o", str(program)]).stderr
    except ToolRefused as error:
        raise DoesNotFit.of_linker(error.said, target) or error from error
    sizes = _sizes(target, list(objects.values()))
    return Build(target, program, dict(zip(objects, sizes, strict=True)), warnings)


def run(
    program: Build,
    *,
    inputs: Mapping[str, bytes] | None = None,
    outputs: Sequence[str] = (),
    timeout: float = 120.0,
    watch: Callable[[Path], None] | None = None,
) -> Run:
    """Run a program where it finds its files, and collect what it leaves.

    Parameters
    ----------
    program : Build
        From :func:`build`.
    inputs : mapping of str to bytes
        Files that lie in the program's working folder.
    outputs : sequence of str
        Files that it shall write there.
    timeout : float
        Seconds.
    watch : callable, optional
        Called with the working folder every tenth of a second while the program runs.

    Raises
    ------
    InputError
        If a tool is missing, or the program does not end in time, or leaves an output unwritten.
    """
    require_tools(program.target)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, content in (inputs or {}).items():
            (folder / path).write_bytes(content)
        status, text = _watched([*runner(program.target), str(program.program.resolve())], folder, timeout, watch)
        if status is None:
            name = program.program.name
            raise InputError(f"{name} did not end within {timeout:g} s on {program.target.name}; take a smaller model")
        absent = [path for path in outputs if not (folder / path).is_file()]
        if absent:
            raise InputError(
                f"{program.program.name} ended with status {status} on {program.target.name} "
                f"without writing {', '.join(absent)}: {text.strip()[-500:] or 'it printed nothing'}"
            )
        files = {path: (folder / path).read_bytes() for path in outputs}
    return Run(status, text, {key: int(value) for key, value in _VALUE.findall(text)}, files)


def runner(target: Target) -> list[str]:
    """Return the command that runs a program of `target`, the program left out; empty where it runs by itself."""
    machine = target.machine
    if machine is None:
        return [target.emulator] if target.emulator else []
    return [
        *(machine.emulator, "-M", machine.name, *machine.arguments),
        *("-nographic", "-monitor", "none", "-serial", "null"),
        *("-semihosting-config", "enable=on,target=native", "-icount", f"shift={machine.icount_shift}"),
        "-kernel",
    ]


def _watched(
    command: list[str], folder: Path, timeout: float, watch: Callable[[Path], None] | None
) -> tuple[int | None, str]:
    """Run a command in a folder; returns its exit status, or None if it was stopped, and what it printed."""
    pipe, end = subprocess.PIPE, time.monotonic() + timeout
    with (
        cannot_be_run(command),
        subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, stdin=subprocess.DEVNULL) as process,
    ):
        try:
            while True:
                left = end - time.monotonic()
                try:
                    said, complained = process.communicate(timeout=max(0.0, min(_WATCH_EVERY, left)))
                    return process.returncode, (said + complained).decode(errors="replace")
                except subprocess.TimeoutExpired:
                    if left <= 0.0:
                        return None, ""
                    if watch is not None:
                        watch(folder)
        finally:
            process.kill()


def _sizes(target: Target, paths: Sequence[Path]) -> list[Sizes]:
    """Ask binutils for the sizes of all files at once."""
    files: list[Sizes] = []
    for line in run_tool([f"{target.compiler}size", "-A", "-d", *map(str, paths)]).stdout.splitlines():
        section, _, rest = line.partition(" ")
        if line.endswith("  :"):  # the name of the next file
            files.append(Sizes(0, 0, 0))
        elif section.startswith((".bss", ".sbss")):
            files[-1] = replace(files[-1], bss=files[-1].bss + int(rest.split()[0]))
        elif section.startswith(_CONSTANT_SECTIONS):
            files[-1] = replace(files[-1], text=files[-1].text + int(rest.split()[0]))
        elif section.startswith((".data", ".sdata")):
            files[-1] = replace(files[-1], data=files[-1].data + int(rest.split()[0]))
    return files
