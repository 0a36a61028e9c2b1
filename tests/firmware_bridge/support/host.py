"""Compiles a generated network on this machine and calls it, so that Python can compare every value it makes."""

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lungsound.errors import InputError

_HERE = Path(__file__).parent
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Werror")
_LINKER = ("-fuse-ld=gold",) if shutil.which("ld.gold") else ()
"""It takes a third of the time, which most of these tests is."""
CHECKED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", *_LINKER)
SANITIZERS = ("-O1", *CHECKED)

_RECORD = struct.Struct("<HHI")
_OUTPUT = 65535


@dataclass(frozen=True)
class HostRun:
    """What a network made of some windows.

    Parameters
    ----------
    outputs : ndarray of int8, [windows, values]
        The output of each window.
    streams : dict of int to ndarray of int8, [windows, values]
        Every value of every computed stream, by index.
    """

    outputs: npt.NDArray[np.int8]
    streams: dict[int, npt.NDArray[np.int8]]


def compile_on_host(folder: Path, flags: tuple[str, ...] = SANITIZERS) -> Path:
    """Compile the network in `folder`, and a main that feeds it, with gcc; returns the program.

    Raises
    ------
    InputError
        If gcc warns or fails; the sentence ends with what it said.
    """
    program, network = folder / "host_check", folder / "host_net.c"
    # One unit for what differs from network to network; the rest by itself, so that the tests' ccache knows it.
    network.write_text('#include "net.c"\n#include "host_net.h"\n')
    around = {source: [f"-I{folder}", f"-I{_HERE}"] for source in [*sorted(folder.glob("au_*.c")), network]}
    objects = []
    for source, folders in (around | {_HERE / "host_check.c": []}).items():
        objects.append(str(folder / f"{source.stem}.host.o"))
        words = ["-DAU_TRACE", *folders, "-c", str(source), "-o", objects[-1]]
        _gcc([*WARNINGS, *flags, *words], source.parent)
    _gcc([*flags, *_LINKER, "-o", str(program), *objects], folder)
    return program


def _gcc(words: list[str], folder: Path) -> None:
    done = subprocess.run(["gcc", *words], capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        raise InputError(f"{folder}: gcc does not accept the generated C: {done.stderr[:4000]}")


def run_on_host(program: Path, windows: npt.NDArray[np.int8]) -> HostRun:
    """Feed `windows` [n, ...] through a program of `compile_on_host`.

    Raises
    ------
    InputError
        If the program fails (a sanitizer's finding).
    """
    done = subprocess.run([str(program)], input=windows.tobytes(), capture_output=True, check=False)
    if done.returncode:
        raise InputError(f"{program}: the network failed: {done.stderr.decode(errors='replace')[:4000]}")
    outputs: list[npt.NDArray[np.int8]] = []
    streams: dict[int, list[npt.NDArray[np.int8]]] = {}
    position = 0
    while position < len(done.stdout):
        stream, _row, count = _RECORD.unpack_from(done.stdout, position)
        position += _RECORD.size
        values = np.frombuffer(done.stdout, np.int8, count, position)
        position += count
        if stream == _OUTPUT:
            outputs.append(values)
        else:
            streams.setdefault(stream, []).append(values)
    joined = {index: np.concatenate(rows).reshape(len(windows), -1) for index, rows in streams.items()}
    return HostRun(np.stack(outputs), joined)
