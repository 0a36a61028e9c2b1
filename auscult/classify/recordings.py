"""The recordings that a user names, and what an engine hears of each."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from auscult.classify.answer import Answer
from auscult.classify.engine import Engine
from export.bundle.manifest import Manifest
from lungsound.audio import pcm_blocks
from lungsound.corpora.formats.audio_files import audio_below
from lungsound.errors import InputError, on_a_screen, os_sentence

STDIN = Path("-")
_STDIN_SHOWN = "stdin"
_AT_ONCE = 2**18  # samples, whose log-mel in float64 is some megabytes


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording to classify.

    Attributes
    ----------
    path : Path
        Its file.
    shown : str
        What the user calls it.
    name : Path
        Relative: where it lies below what the user gave.
    """

    path: Path
    shown: str
    name: Path

    @classmethod
    def of(cls, path: Path, root: Path) -> Self:
        """Take a file that the user names by itself or by a folder."""
        return cls(path, str(path), path.relative_to(root))


@contextmanager
def recordings_of(sources: Sequence[Path], faults: list[str]) -> Iterator[list[Recording]]:
    """Yield the recordings that files and folders stand for, in this order.

    Parameters
    ----------
    sources : sequence of Path
        Files, folders, or ``-`` for a WAV on stdin, which lies on disk until the block ends.
    faults : list of str
        Receives a sentence for each that cannot be classified.

    Raises
    ------
    InputError
        If a folder holds no audio, stdin is asked for twice, is a terminal, or holds no data.
    """
    if sum(source == STDIN for source in sources) > 1:
        raise InputError("-: stdin can be read once; name it once")
    found = list[Recording]()
    with ExitStack() as on_disk:
        for source in sources:
            if source == STDIN:
                file = _stdin_in(Path(on_disk.enter_context(tempfile.TemporaryDirectory())))
                found.append(Recording(file, _STDIN_SHOWN, Path(file.name)))
            elif source.is_dir():
                before = len(faults)
                below = audio_below(source, faults)
                if not below and len(faults) == before:
                    raise InputError(f"{source}: holds no audio; name a folder of recordings")
                found += [Recording.of(path, source) for path in below]
            else:
                found.append(Recording.of(source, source.parent))
        yield found


def _stdin_in(folder: Path) -> Path:
    """Copy stdin into a folder: a recording is read from a file, whose header is told at the end by some writers."""
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("-: no sound on stdin; pipe a WAV into it, or name a file")
    file = folder / "stdin.wav"
    try:
        with file.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy, 2**20)
    except OSError as error:
        raise InputError(os_sentence(error, _STDIN_SHOWN)) from error
    if not file.stat().st_size:
        raise InputError("-: stdin holds no data; pipe a WAV into it, or name a file")
    return file


def classify(
    engine: Engine, manifest: Manifest, recording: Recording, of_all: str, doing: Callable[[str], None]
) -> Answer:
    """Let an engine hear a recording from its beginning to its end.

    A recording shorter than the window is repeated until it fills one, as in training; silence is refused.

    Parameters
    ----------
    engine : Engine
        Of the bundle.
    manifest : Manifest
        The bundle's.
    recording : Recording
        Of any length: a block of it at a time is in memory.
    of_all : str
        Which recording of how many this is, for who waits.
    doing : callable
        Is told that, and how much was heard.

    Raises
    ------
    InputError
        If the file cannot be read or every sample of it is 0.
    """
    try:
        return _classify(
            engine, manifest, recording, lambda heard: doing(f"{of_all}{on_a_screen(recording.shown)}{heard}")
        )
    except InputError as error:
        raise InputError(str(error).replace(str(recording.path), recording.shown)) from error


def _classify(engine: Engine, manifest: Manifest, recording: Recording, doing: Callable[[str], None]) -> Answer:
    listening, rate = manifest.listening, manifest.listening.logmel.sample_rate
    samples, silent, beginning, codes = 0, True, list[NDArray[np.int16]](), list[NDArray[np.int8]]()
    doing("")
    with engine.listening() as hear:
        for pcm in pcm_blocks(recording.path, rate):
            beginning += [pcm] if samples < listening.samples else []
            samples += len(pcm)
            silent = silent and not pcm.any()
            codes += [hear(pcm[first : first + _AT_ONCE]) for first in range(0, len(pcm), _AT_ONCE)]
            doing(f", {samples // rate // 60} minutes heard")
    if silent:
        raise InputError(f"{recording.path}: silent, every sample is 0; check the microphone and record it again")
    if samples >= listening.samples:
        return Answer(recording.shown, recording.path, samples, np.concatenate(codes), manifest)
    with engine.listening() as hear:
        tiled = hear(np.resize(np.concatenate(beginning), listening.samples))
    note = (
        f"{recording.shown}: {samples / rate:.2f} s are less than the window of {listening.seconds:g} s; it was "
        "repeated to fill one, as in training"
    )
    return Answer(recording.shown, recording.path, samples, tiled, manifest, (note,))
