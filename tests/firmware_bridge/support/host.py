"""Compiles a generated network on this machine and calls it, so that Python can compare every value it makes."""

import os
import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from quick_tables import with_quick_tables

from lungsound.errors import InputError

_HERE = Path(__file__).parent
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Werror")
_LINKER = ("-fuse-ld=gold",) if shutil.which("ld.gold") else ()
"""It takes a third of the time, which most of these tests is."""
CHECKED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", *_LINKER)
SANITIZERS = ("-Og", *CHECKED)
"""Half the time of -O2 to compile, and as good as it to run under the checks."""

_RECORD = struct.Struct("<HHI")
_OUTPUT = 65535

_KEPT = tempfile.TemporaryDirectory()
_OBJECTS: dict[tuple[object, ...], Path] = {}
"""What is compiled already, by all that gcc read."""


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
    with_quick_tables(folder)
    # One unit for what differs from network to network, at -O0: mostly tables, of which the kernels read all.
    network.write_text('#include "net.c"\n#include "host_net.h"\n')
    made = folder / "host_net.o"
    _gcc(
        [*WARNINGS, *flags, "-O0", "-DAU_TRACE", f"-I{_HERE}", "-c", network.name, "-o", str(made)],
        folder,
        cached=False,
    )
    others = [_known_object(source, flags) for source in [*sorted(folder.glob("au_*.c")), _HERE / "host_check.c"]]
    _gcc([*flags, *_LINKER, "-o", str(program), str(made), *map(str, others)], folder)
    return program


def _known_object(source: Path, flags: tuple[str, ...]) -> Path:
    """Compile a source that many networks share, once for each content of its own and of the kernels' headers."""
    headers = sorted(source.parent.glob("au_*.h"))
    content = (flags, source.name, *((path.name, path.read_bytes()) for path in (source, *headers)))
    if content not in _OBJECTS:
        made = Path(_KEPT.name) / f"{len(_OBJECTS)}.o"
        _gcc([*WARNINGS, *flags, "-DAU_TRACE", "-c", source.name, "-o", str(made)], source.parent)
        _OBJECTS[content] = made
    return _OBJECTS[content]


def _gcc(words: list[str], folder: Path, *, cached: bool = True) -> None:
    # What no other network shares is not worth what ccache does about it.
    around = None if cached else os.environ | {"CCACHE_DISABLE": "1"}
    done = subprocess.run(["gcc", *words], capture_output=True, text=True, check=False, cwd=folder, env=around)
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
