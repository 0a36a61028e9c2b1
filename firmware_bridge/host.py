"""The listener in C as a program of this computer: it hears what a device would hear, and answers the same."""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.device.qemu import BOARDS, build
from firmware_bridge.device.targets import find_target, require_tools
from firmware_bridge.device.tools import cannot_be_run, run_tool
from firmware_bridge.folder.writing import write_sources
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.model import Model
from lungsound.errors import InputError
from lungsound.files.atomic import whole_folder
from lungsound.files.stored import stored_once

LISTEN = BOARDS / "listen.c"
PROGRAMS = "programs"
"""Folder in the cache of what was built."""

_HOST = find_target("host")


class HostListener:
    """Firmware of a bundle, built for this computer, that decides every hop of a stream.

    Parameters
    ----------
    path : Path
        The bundle.
    rounding : {"double", "single"}
        Of LiteRT's reference kernels or of XNNPACK.
    cache : Path
        Where the program is kept, and taken from the next time if the same C comes of the bundle.

    Raises
    ------
    InputError
        If the bundle cannot become firmware, or there is no compiler.
    """

    def __init__(self, path: Path, rounding: str, cache: Path) -> None:
        require_tools(_HOST)
        model = Model.open(path, overlapping=True)
        if model.interface is None:
            raise InputError(f"{path}: does not say what it listens to; name the folder of a bundle")
        footprint = Footprint(model, model.plan(_HOST.kernels, rounding), overlapping=True)
        self._name, self._listening = path, model.interface.listening
        self._program = _built(footprint, cache)

    @contextmanager
    def listening(self) -> Iterator[Callable[[NDArray[np.int16]], NDArray[np.int8]]]:
        """Begin a stream.

        Yields
        ------
        callable
            Takes the next samples, int16 [samples]; returns the output codes of the windows that end in them,
            int8 [n, labels].
        """
        command, pipe = [str(self._program)], subprocess.PIPE
        with (
            cannot_be_run(command),
            subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process,
        ):
            assert process.stdin is not None
            assert process.stdout is not None
            heard = 0

            def hear(pcm: NDArray[np.int16]) -> NDArray[np.int8]:
                nonlocal heard
                before, heard = heard, heard + len(pcm)
                ended = self._ended(heard) - self._ended(before)
                return self._exchange(process.stdin, process.stdout, pcm, ended)  # type: ignore[arg-type]

            try:
                yield hear
            finally:
                process.kill()

    def _ended(self, samples: int) -> int:
        return max(0, (samples - self._listening.samples) // self._listening.hop_samples + 1)

    def _exchange(self, to: IO[bytes], back: IO[bytes], pcm: NDArray[np.int16], ended: int) -> NDArray[np.int8]:
        labels = len(self._listening.labels)
        try:
            to.write(np.uint32(len(pcm)).tobytes() + np.ascontiguousarray(pcm).tobytes())
            to.flush()
            answer = back.read(ended * labels)
        except OSError:
            answer = b""
        if len(answer) != ended * labels:
            raise InputError(f"{self._name}: its C ended early on this computer; take --engine litert, and report this")
        return np.frombuffer(answer, np.int8).reshape(ended, labels)


def _built(footprint: Footprint, cache: Path) -> Path:
    """Return the program that the C of a model becomes, from the cache if the same C became one before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = write_sources(folder, footprint)
        kept = cache / PROGRAMS / _hash(folder)
        program = kept / "listen"

        def made() -> Path:
            found = build([*(folder / source for source in sources), LISTEN], _HOST, folder / "build", include=[folder])
            with whole_folder(kept) as temporary:
                shutil.copy(found.program, temporary / program.name)
            return program

        return stored_once(cache, kept, lambda: program if program.is_file() else None, made)


def _hash(folder: Path) -> str:
    """Return what a program depends on: every file it is made of, and the compiler."""
    digest = hashlib.sha256(run_tool([*_HOST.tools[:1], "--version"]).stdout.encode())
    for path in [*sorted(folder.iterdir()), LISTEN]:
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:32]
