"""Compiles generated networks on this machine and calls them, so that Python can compare every value they make."""

import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from joined_networks import join_networks

from firmware_bridge.plan.network import Network
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

_CALLER = _HERE / "host_net.h"
_LAST = """
void au_trace(uint16_t stream, uint16_t row, const au_value_t *values, uint32_t count)
{
    static int8_t narrow[1u << 20];
    for (uint32_t i = 0; i < count; ++i) {
        narrow[i] = (int8_t)values[i];
    }
    host_record(stream, row, narrow, count);
}

#define ADDRESS(name) &name##_host_network,
const host_network_t *const host_networks[] = {EACH(ADDRESS) NULL};
"""

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


def run_on_host(
    network: Network, windows: npt.NDArray[np.int8], folder: Path, flags: tuple[str, ...] = SANITIZERS
) -> HostRun:
    """Feed `windows` [n, ...] through a network; as `run_all_on_host` else."""
    (made,) = run_all_on_host([network], [windows], folder, flags)
    return made


def run_all_on_host(
    networks: Sequence[Network],
    windows: Sequence[npt.NDArray[np.int8]],
    folder: Path,
    flags: tuple[str, ...] = SANITIZERS,
) -> list[HostRun]:
    """Compile networks and a main that feeds each its windows [n, ...], with gcc, and run them.

    Raises
    ------
    InputError
        If gcc warns or fails, or the program does (a sanitizer's finding); the sentence ends with what was said.
    """
    made = {}
    for place, indices in join_networks(networks, folder / "host", _CALLER.read_text(), _LAST):
        program = _compiled(place, flags)
        made |= zip(indices, _fed(program, [windows[index] for index in indices]), strict=True)
    return [made[index] for index in range(len(networks))]


def _compiled(folder: Path, flags: tuple[str, ...]) -> Path:
    program, made = folder / "host_check", folder / "networks.o"
    # What differs from network to network at -O0: mostly tables, of which the kernels read all.
    words = [*WARNINGS, *flags, "-O0", "-DAU_TRACE", f"-I{_HERE}", "-c", "networks.c", "-o", str(made)]
    _gcc(words, folder, cached=False)
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


def _fed(program: Path, windows: Sequence[npt.NDArray[np.int8]]) -> list[HostRun]:
    given = b"".join(struct.pack("<I", len(some)) + some.tobytes() for some in windows)
    done = subprocess.run([str(program)], input=given, capture_output=True, check=False)
    if done.returncode:
        raise InputError(f"{program}: the network failed: {done.stderr.decode(errors='replace')[:4000]}")
    position, made = 0, []
    for some in windows:
        outputs: list[npt.NDArray[np.int8]] = []
        streams: dict[int, list[npt.NDArray[np.int8]]] = {}
        while len(outputs) < len(some):
            stream, _row, count = _RECORD.unpack_from(done.stdout, position)
            position += _RECORD.size
            values = np.frombuffer(done.stdout, np.int8, count, position)
            position += count
            if stream == _OUTPUT:
                outputs.append(values)
            else:
                streams.setdefault(stream, []).append(values)
        joined = {index: np.concatenate(rows).reshape(len(some), -1) for index, rows in streams.items()}
        made.append(HostRun(np.stack(outputs), joined))
    assert position == len(done.stdout)
    return made
