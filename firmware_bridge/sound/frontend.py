"""The log-mel front end in C: tables of a specification, and the files that make rows of int8 from PCM.

Integers throughout, so that cores with and without an FPU give the same bytes. A block-floating FFT of 32 bits is more
exact than float32 here: its error lies 31 bits below the loudest bin. What limits both are recordings whose lowest
frequencies are a thousand times louder than the rest; so every windowed sample has 15/16 of the one before subtracted,
and the bands' weights divide by the squared response of that filter.

Bands a hundred decibels below the loudest still drown in that error. Its size is known, and so is how far a band's
value lies from the border between two codes: where the error reaches further, the bins that the band needs are
transformed once more, with 64 bits, in the same memory. Few frames of a recording need it; most of a loud tone's do.

Where each band loses its mean over the recording, bands become levels instead of codes, and a mean and a line make
codes of them, see :mod:`lungsound.recording_mean`. There the integers of the quick transform are what Python computes,
too (:mod:`lungsound.fixed_point`): nothing is done twice, and every code is the same.
"""

import math
import shutil
from dataclasses import dataclass
from pathlib import Path

from firmware_bridge.c.rendering import render
from firmware_bridge.c.sources import source
from lungsound.errors import InputError
from lungsound.fixed_point.tables import LOG_BITS, LOG_SEGMENTS, Line, Tables, logarithm
from lungsound.front_end import LINE_BITS, code_line
from lungsound.logmel import LogMelSpec
from lungsound.quantization import Quantization
from lungsound.recording_mean import frames_remembered, level_step, level_tables

_FILES = (
    "frontend.h",
    "frontend_parts.h",
    "frontend_butterflies.h",
    "frontend_complex.h",
    "frontend_mve.h",
    "frontend.c",
    "frontend_fft.c",
    "frontend_mel.c",
)
_OF_NORMALISATION = {"corpus": "frontend_exact.c", "recording": "frontend_mean.c"}


@dataclass(frozen=True, slots=True)
class _Mean:
    step: float
    remembered: int
    bits: int
    slope: int
    offset: int


def write_frontend(folder: Path, spec: LogMelSpec, scale: float, zero_point: int) -> list[Path]:
    """Write the front end's C files.

    Parameters
    ----------
    folder : Path
        An existing folder.
    spec : LogMelSpec
        With the training corpus' mean and standard deviation.
    scale, zero_point : float, int
        Of the int8 input: ``code = round((logmel - mean) / std / scale) + zero_point``, limited to [-128, 127];
        see :func:`lungsound.front_end.codes_of`.

    Returns
    -------
    list of Path
        The sources among them, to be compiled.

    Raises
    ------
    InputError
        If the specification or the quantization cannot be computed in the front end's integers.
    """
    tables = frontend_tables(spec, scale, zero_point)
    files = [source(name) for name in (*_FILES, _OF_NORMALISATION[spec.normalisation])]
    for path in files:
        shutil.copyfile(path, folder / path.name)
    for name, text in tables.items():
        (folder / name).write_text(text)
    return [folder / name for name in [*(path.name for path in files), *tables] if name.endswith(".c")]


def frontend_bytes(spec: LogMelSpec) -> int:
    """Return sizeof(frontend_t) on a 32-bit core."""
    work, rest = 8 * (spec.n_fft // 2 + 1), 2 * (spec.n_fft + 2) + 5
    if spec.normalisation == "recording":
        work, rest = work + 4 * spec.n_mels + 4, rest + 2 * spec.n_mels
    else:
        work, rest = max(work, 2 * spec.n_fft + 8 * spec.n_mels), rest + spec.n_mels + spec.n_mels % 2
    return -(-(work + rest) // 8) * 8


def frontend_table_bytes(spec: LogMelSpec, scale: float, zero_point: int) -> int:
    """Return the flash that the front end's constants take; parameters and errors are :func:`write_frontend`'s."""
    tables = _tables(spec, scale, zero_point)
    rotations = len(tables.fft.twiddles) + len(tables.fft.split)
    exact = 2 * (spec.n_fft + len(tables.fft.split)) if spec.normalisation == "corpus" else 0
    bands = 4 * len(tables.weights) + 24 * len(tables.bands)
    return 5 * spec.n_fft + exact + 8 * rotations + bands + 16 * LOG_SEGMENTS


def frontend_tables(spec: LogMelSpec, scale: float, zero_point: int) -> dict[str, str]:
    """Return the generated files, ``frontend_spec.h`` and ``frontend_tables.c``, by name.

    Parameters and errors are those of :func:`write_frontend`.
    """
    tables, mean = _tables(spec, scale, zero_point), None
    if spec.normalisation == "recording":
        line = code_line(spec, Quantization(scale, zero_point))
        mean = _Mean(level_step(spec), frames_remembered(spec), LINE_BITS, *line)
    radices = tables.fft.radices
    noise = _rounding_noise(radices)
    doubt = 2 * noise / math.log(2) * tables.octave
    header = render(
        "frontend_spec.h",
        spec=spec,
        mean=mean,
        summary=f"{spec.n_mels} bands, frames of {spec.window} samples every {spec.hop} at {spec.sample_rate} Hz",
        slope=tables.slope,
        least_width=tables.least_width,
        first_radix=radices[0],
        radix_4=4 in radices[1:],
        radix_5=5 in radices,
        noise=noise,
        doubt=round((math.log2(doubt) + 32) * 2**LOG_BITS),
        near=math.ceil(doubt**2),
        noisy=2 ** math.ceil(max(0, 2 * math.log2(doubt) + 28 - 32)),
        stages=tables.fft.stages,
        split_fits=tables.fft.split_fits,
    )
    constants = render(
        "frontend_tables.c",
        exact=mean is None,
        window=tables.window,
        window_low=tables.window_low,
        order=tables.fft.order.tolist(),
        twiddles=tables.fft.twiddles.tolist(),
        split=tables.fft.split.tolist(),
        cosine_low=tables.cosine_low,
        weights=tables.weights,
        bands=tables.bands,
        logarithm=logarithm(),
    )
    return {"frontend_spec.h": header, "frontend_tables.c": constants}


def _tables(spec: LogMelSpec, scale: float, zero_point: int) -> Tables:
    if not (math.isfinite(scale) and scale > 0 and -128 <= zero_point <= 127):
        raise InputError(
            f"front end: an int8 input cannot have scale {scale} and zero point {zero_point}; quantize again"
        )
    if spec.preemphasis:
        raise InputError("front end: no device does pre-emphasis; train on another log-mel, such as device_4k")
    if spec.spectrum == "magnitude":
        raise InputError("front end: no device takes magnitudes; train on another log-mel, such as device_4k")
    if spec.hop > spec.n_fft:
        raise InputError(
            f"front end: a hop of {spec.hop} samples skips some; train on a log-mel whose hop is at most "
            f"n_fft = {spec.n_fft}"
        )
    tables = Tables.of(spec, Line(spec.mean, spec.std, scale, zero_point))
    return tables if spec.normalisation == "corpus" else level_tables(spec)


def _rounding_noise(radices: list[int]) -> int:
    """Return how far the quick transform's rounding moves an amplitude, in its units.

    Three standard deviations or more, as measured on tones, pulses and recordings. Most of it is rounded samples: radix
    4 adds four and halves, which leaves noise as it is; radix 5 adds five and divides by four.
    """
    return max(4, math.ceil(8 * (math.sqrt(5) / 4) ** radices.count(5)))
