"""Recordings as a device hears them: mono, 16 bits, at the model's rate, cut to windows."""

import math
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from lungsound.errors import InputError
from lungsound.files.sound_chunk import refuse_cut_chunk

CONVERTED = frozenset({".m4a", ".mp4", ".aac", ".m4b", ".wma", ".amr", ".3gp", ".webm", ".mka", ".ac3", ".dts", ".ape"})
"""Endings of sound that libsndfile does not read, though telephones and recorders write some of it."""

_RATES = (1_000, 768_000)
_MOST_VALUES = 2**27  # 50 minutes of mono at 44.1 kHz
_BLOCK_VALUES = 2**23  # 64 MiB of float64; MP3 alone is decoded a little differently behind a border of blocks
_CHUNK_VALUES = 2**20  # of a block that soxr takes at once; it keeps several copies
_LOUDEST = 100.0  # +40 dB over full scale: integers written as floats, not sound


def read_pcm(path: Path | str, sample_rate: int) -> NDArray[np.int16]:
    """Read a recording as a device's converter would hand it over.

    Channels are averaged, the mean is resampled by soxr at its very high quality (in double precision, so that
    machines agree), rounded to 16 bits and saturated. Every later stage, training included, starts here.

    Parameters
    ----------
    path : Path or str
        A file in any container that libsndfile reads.
    sample_rate : int
        Hz, wanted.

    Returns
    -------
    ndarray of int16, shape [samples]

    Raises
    ------
    InputError
        If there is no such file, or it is no file, no audio, empty, cut short, absurdly long, or holds NaN.
    """
    pieces = list(pcm_blocks(path, sample_rate, most=_MOST_VALUES))
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def pcm_blocks(path: Path | str, sample_rate: int, *, most: float = math.inf) -> Iterator[NDArray[np.int16]]:
    """Read a recording of any length as :func:`read_pcm` does, the same samples, a block at a time.

    Parameters
    ----------
    path : Path or str
        A file in any container that libsndfile reads.
    sample_rate : int
        Hz, wanted.
    most : float
        Values, of the file and of what is made of it, that are not too many.

    Yields
    ------
    ndarray of int16, shape [samples]
        Some of it.

    Raises
    ------
    InputError
        As :func:`read_pcm`; of what lies far behind the beginning only when that is read.
    """
    path, samples = Path(path), 0
    try:
        refuse_cut_chunk(path)
        with soundfile.SoundFile(os.fsencode(path)) as file:  # a name may hold bytes that are no text
            refuse_absurd_header(path, file.samplerate, file.frames, file.channels, most=most)
            for pcm in _resampled(path, file, sample_rate, most):
                samples += len(pcm)
                yield pcm
    except (soundfile.LibsndfileError, OSError) as error:
        raise unreadable(path, str(getattr(error, "error_string", None) or error.strerror)) from error
    if not samples:
        raise InputError(f"{path}: holds no sound; leave it out or record it again")


def convert(path: Path) -> str:
    """Return how to turn a recording into one that is read."""
    return f"convert it: ffmpeg -i {shlex.quote(path.name)} {shlex.quote(path.with_suffix('.wav').name)}"


def unreadable(path: Path, reason: str) -> InputError:
    """Return the error of a file that libsndfile does not read."""
    how = convert(path) if path.suffix.lower() in CONVERTED else "copy or convert it again"
    return InputError(f"{path}: not readable as audio ({reason}); {how}")


def refuse_absurd_header(
    path: Path, sample_rate: int, frames: int, channels: int, *, most: float = _MOST_VALUES
) -> None:
    """Refuse what a header says and no recording is.

    Raises
    ------
    InputError
        If the rate is none of sound, or there are more than `most` values, which would not fit into memory.
    """
    lowest, highest = _RATES
    if not lowest <= sample_rate <= highest:
        raise InputError(f"{path}: a rate of {sample_rate} Hz is not sound; expected {lowest} to {highest} Hz")
    if frames * channels > most:
        raise InputError(f"{path}: {frames} frames of {channels} channels are too many; split the recording")


def to_pcm(wave: NDArray[np.floating[Any]]) -> NDArray[np.int16]:
    """Round samples in [-1, 1] to 16 bits and saturate; the inverse of :func:`to_float`."""
    scaled = wave * 32768.0
    np.rint(scaled, out=scaled)  # in place: a block of minutes has 64 MiB
    return np.clip(scaled, -32768, 32767, out=scaled).astype(np.int16)


def to_float(pcm: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return ``pcm / 32768``."""
    return pcm.astype(np.float32) / np.float32(32768.0)


def tile_cycle(
    wave: NDArray[np.float32], sample_rate: int, start: float, end: float, seconds: float
) -> NDArray[np.float32]:
    """Cut an annotated cycle out of a recording and repeat it until it fills a window.

    As in ``scl_icbhi2017``: linear fades of 62.5 ms (1000 samples at 16 kHz) in and out of the cycle; a cycle longer
    than the window gives its first `seconds`, any other is repeated and its window fades out at the end once more.
    There a cycle is resampled after it is cut, here before.

    Parameters
    ----------
    wave : ndarray of float32, shape [samples]
        The whole recording.
    sample_rate : int
        Hz.
    start, end : float
        The cycle, in seconds. What lies beyond the recording is left out.
    seconds : float
        Length of the window.

    Returns
    -------
    ndarray of float32, shape [round(seconds * sample_rate)]

    Raises
    ------
    InputError
        If no sample lies between `start` and `end`.
    """
    cycle = wave[max(0, int(start * sample_rate)) : max(0, int(end * sample_rate))]
    if len(cycle) == 0:
        raise InputError(f"no sound between {start:g} s and {end:g} s of {len(wave) / sample_rate:g} s; mend the times")
    # Only cycles under 125 ms are too short for both fades; each then takes a half.
    fade = min(sample_rate // 16, len(cycle) // 2)
    cycle = _fade_out(cycle[::-1], fade)[::-1]
    cycle = _fade_out(cycle, fade)
    samples = round(seconds * sample_rate)
    if len(cycle) > samples:
        return cycle[:samples]
    return _fade_out(np.resize(cycle, samples), sample_rate // 16)


def cut_window(wave: NDArray[np.float32], sample_rate: int, start: float, seconds: float) -> NDArray[np.float32]:
    """Cut a window out of a recording, sample for sample.

    A recording shorter than the window is repeated until it fills the window.

    Parameters
    ----------
    wave : ndarray of float32, shape [samples]
        The whole recording.
    sample_rate : int
        Hz.
    start, seconds : float
        Where the window begins and how long it is.

    Returns
    -------
    ndarray of float32, shape [round(seconds * sample_rate)]

    Raises
    ------
    InputError
        If the window reaches beyond a recording that is long enough for it.
    """
    first, samples = round(start * sample_rate), round(seconds * sample_rate)
    if len(wave) < samples and first == 0:
        return np.resize(wave, samples)
    if first < 0 or first + samples > len(wave):
        length = len(wave) / sample_rate
        raise InputError(f"a window of {seconds:g} s from {start:g} s does not lie within {length:g} s of sound")
    return wave[first : first + samples]


def clip_recording(wave: NDArray[np.float32], sample_rate: int, start: float, seconds: float) -> NDArray[np.float32]:
    """Cut a clip out of a recording, shifted into it where it would end behind it; silence follows a shorter one.

    Parameters
    ----------
    wave : ndarray of float32, shape [samples]
        The whole recording.
    sample_rate : int
        Hz.
    start, seconds : float
        Where the clip begins and how long it is.

    Returns
    -------
    ndarray of float32, shape [round(seconds * sample_rate)]
    """
    samples = round(seconds * sample_rate)
    first = min(round(start * sample_rate), max(0, len(wave) - samples))
    clip = wave[first : first + samples]
    return np.pad(clip, (0, samples - len(clip)))


def window_pcm(
    wave: NDArray[np.float32], sample_rate: int, protocol: str, start: float, end: float, seconds: float
) -> NDArray[np.int16]:
    """Return a window as the 16-bit samples that training, evaluation and devices share.

    Parameters
    ----------
    wave : ndarray of float32, shape [samples]
        The whole recording.
    sample_rate : int
        Hz.
    protocol : {"cycles", "stream", "recordings"}
        Tile the cycle (:func:`tile_cycle`), cut the window (:func:`cut_window`) or a recording's clip
        (:func:`clip_recording`).
    start, end, seconds : float
        Of the cycle or window, and the window's length.

    Returns
    -------
    ndarray of int16, shape [round(seconds * sample_rate)]
    """
    if protocol == "cycles":
        return to_pcm(tile_cycle(wave, sample_rate, start, end, seconds))
    if protocol == "recordings":
        return to_pcm(clip_recording(wave, sample_rate, start, seconds))
    return to_pcm(cut_window(wave, sample_rate, start, seconds))


def _fade_out(wave: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """Let the last `samples` fall from 1 to 0 in a straight line (at most all of them)."""
    faded = wave.copy()
    samples = min(samples, len(wave))
    faded[len(wave) - samples :] *= np.linspace(1.0, 0.0, samples, dtype=np.float32)
    return faded


def _resampled(path: Path, file: soundfile.SoundFile, sample_rate: int, most: float) -> Iterator[NDArray[np.int16]]:
    """Read, mix and resample block by block: a long recording in double precision would fill the memory."""
    promised, present = file.frames, 0
    if promised * sample_rate > most * file.samplerate:
        raise InputError(f"{path}: {promised} frames at {file.samplerate} Hz are too many; split the recording")
    at_once = max(1, int(_BLOCK_VALUES / max(file.channels, sample_rate / file.samplerate)))
    stream = None  # a recording in one block is resampled in one call: the same to the bit, and faster
    if promised > at_once:
        stream = soxr.ResampleStream(file.samplerate, sample_rate, 1, dtype="float64", quality="VHQ")
    while present < promised:
        wanted = min(at_once, promised - present)
        block = file.read(wanted, dtype="float64", always_2d=True)
        present += len(block)
        if len(block) < wanted:
            raise InputError(f"{path}: cut short, {present} of {promised} frames are there; copy the file again")
        peak = max(block.max(), -block.min())
        if not peak <= _LOUDEST:  # true for NaN as well
            raise InputError(f"{path}: holds a sample of {peak:g}; write finite samples between -1 and 1")
        mono = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
        if stream is None:
            yield to_pcm(soxr.resample(mono, file.samplerate, sample_rate, quality="VHQ"))
            return
        for first in range(0, len(mono), _CHUNK_VALUES):
            last = present == promised and first + _CHUNK_VALUES >= len(mono)
            yield to_pcm(stream.resample_chunk(mono[first : first + _CHUNK_VALUES], last=last))
