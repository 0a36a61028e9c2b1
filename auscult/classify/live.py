"""The microphone as a stream of 16-bit samples at the model's rate, as a device's converter hands them over."""

import math
from collections.abc import Iterator
from queue import Empty, Full, Queue
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from auscult.classify.answer import Answer
from auscult.classify.engine import Engine
from auscult.classify.tables import print_window
from export.bundle.manifest import Manifest
from lungsound.audio import to_pcm
from lungsound.errors import InputError, first_line
from lungsound.terminal import err

NAME = "microphone"
_PATIENCE = 5.0  # seconds without a sample, after which a microphone is gone
_MOST_BLOCKS = 4096  # that may wait; a block is some milliseconds of sound


def microphone(rate: int, name: str | None, seconds: float | None) -> Iterator[NDArray[np.int16]]:
    """Yield what a microphone hears, as it comes.

    The microphone is opened at its own rate, and resampled as recordings are.

    Parameters
    ----------
    rate : int
        Hz, wanted.
    name : str or None
        The microphone's, a part of it or its number; else the system's own choice.
    seconds : float or None
        How long to listen; None for as long as somebody asks for more.

    Raises
    ------
    InputError
        If sounddevice or PortAudio is missing, or there is no such microphone, or it falls silent altogether.
    """
    sounddevice = _sounddevice()
    blocks: Queue[NDArray[np.int16]] = Queue(_MOST_BLOCKS)
    lost = False

    def take(block: NDArray[np.int16], frames: int, time: Any, status: Any) -> None:
        nonlocal lost
        lost = lost or bool(status.input_overflow)
        try:
            blocks.put_nowait(block[:, 0].copy())
        except Full:
            lost = True

    try:
        chosen: int | str | None = int(name) if name is not None and name.isdecimal() else name
        own_rate = round(sounddevice.query_devices(chosen, "input")["default_samplerate"])
        stream = sounddevice.InputStream(own_rate, device=chosen, channels=1, dtype="int16", callback=take)
    except (ValueError, sounddevice.PortAudioError) as error:
        raise InputError(
            f"--live: no microphone ({first_line(error)}); plug one in, or name one with --microphone"
        ) from error
    resample = soxr.ResampleStream(own_rate, rate, 1, dtype="float64", quality="VHQ")
    left = math.inf if seconds is None else round(seconds * own_rate)
    with stream:
        while left > 0:
            try:
                block = blocks.get(timeout=_PATIENCE)
            except Empty:
                raise InputError(f"--live: no sound for {_PATIENCE:g} s; check the microphone's plug") from None
            if lost:
                err.print("note: samples were lost; the computer is too busy", style="yellow", highlight=False)
                lost = False
            taken = block[: int(min(left, len(block)))]
            left -= len(taken)
            yield to_pcm(resample.resample_chunk(taken / 32768.0, last=left <= 0))


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise InputError("--live: the package sounddevice is missing; pip install 'auscult-edge[live]'") from error
    except OSError as error:  # the package is there, and what it stands on is not
        raise InputError("--live: the library PortAudio is missing; apt-get install libportaudio2") from error
    return sounddevice


def classify_live(engine: Engine, manifest: Manifest, sound: Iterator[NDArray[np.int16]], *, shown: bool) -> Answer:
    """Let an engine hear sound without end, and print every window when it ends.

    Parameters
    ----------
    engine : Engine
        Of the bundle.
    manifest : Manifest
        The bundle's.
    sound : iterator of ndarray of int16
        At the model's rate; it may be interrupted from the keyboard.
    shown : bool
        Print the windows.

    Raises
    ------
    InputError
        If less than a window was heard.
    """
    samples, codes = 0, np.empty((0, len(manifest.listening.labels)), np.int8)
    with engine.listening() as hear:
        try:
            for pcm in sound:
                samples += len(pcm)
                for one in hear(pcm):
                    codes = np.concatenate([codes, one[None]])
                    if shown:
                        print_window(Answer(NAME, None, samples, codes, manifest))
        except KeyboardInterrupt:
            pass
    if not len(codes):
        raise InputError(f"--live: heard less than the window of {manifest.listening.seconds:g} s; listen longer")
    return Answer(NAME, None, samples, codes, manifest)
