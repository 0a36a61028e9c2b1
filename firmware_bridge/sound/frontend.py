"""The log-mel front end in C: tables of a specification, and the files that make rows of int8 from PCM.

Integers throughout, so that cores with and without an FPU give the same bytes. A block-floating FFT of 32 bits is more
exact than float32 here: its error lies 31 bits below the loudest bin. What limits both are recordings whose lowest
frequencies are a thousand times louder than the rest; so every windowed sample has 15/16 of the one before subtracted,
and the bands' weights divide by the squared response of that filter.

Where each band loses its mean over the recording, the integers are those of :mod:`lungsound.recording_mean`: bands
become levels instead of codes, and a mean and a line make codes of them.

Bands a hundred decibels below the loudest still drown in that error. Its size is known, and so is how far a band's
value lies from the border between two codes: where the error reaches further, the bins that the band needs are
transformed once more, with 64 bits, in the same memory. Few frames of a recording need it; most of a loud tone's do.
"""

import math
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.c.rendering import render
from firmware_bridge.c.sources import source
from firmware_bridge.sound.fft import fft_radices, fft_stages, input_order, rounding_noise
from lungsound.errors import InputError
from lungsound.front_end import LINE_BITS, code_line
from lungsound.logmel import LogMelSpec, analysis_window
from lungsound.mel_bands import mel_filters
from lungsound.quantization import Quantization
from lungsound.recording_mean import frames_remembered, level_step, lowest_logmel

C_FILES = tuple(
    source(name)
    for name in (
        "frontend.h",
        "frontend_parts.h",
        "frontend_butterflies.h",
        "frontend_complex.h",
        "frontend_mve.h",
        "frontend.c",
        "frontend_fft.c",
        "frontend_mel.c",
        "frontend_exact.c",
    )
)

_MEAN_FILE = source("frontend_mean.c")

_PRE_EMPHASIS = 15 / 16
_LOG_BITS = 24
_LOG_SEGMENTS = 64
_FLOOR_ROOM = 30  # a floor's mantissa of 32 bits may be shifted up so far
_SCALED_BITS = 45  # fractional bits of samples of 15 bits that are scaled up to 31 and times the window


@dataclass(frozen=True, slots=True)
class _Band:
    first_bin: int
    bins: int
    floor: int
    floor_exponent: int
    first_weight: int
    offset: int


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
    files = C_FILES if spec.normalisation == "corpus" else (*C_FILES, _MEAN_FILE)
    for path in files:
        shutil.copyfile(path, folder / path.name)
    for name, text in tables.items():
        (folder / name).write_text(text)
    return [folder / name for name in [*(path.name for path in files), *tables] if name.endswith(".c")]


def frontend_bytes(spec: LogMelSpec) -> int:
    """Return sizeof(frontend_t) on a 32-bit core."""
    quick, exact = 8 * (spec.n_fft // 2 + 1), 2 * spec.n_fft + 8 * spec.n_mels
    row, mean = spec.n_mels + spec.n_mels % 2, 0
    if spec.normalisation == "recording":
        row, mean = 2 * spec.n_mels, 4 * spec.n_mels + 4
    return -(-(max(quick, exact) + mean + 2 * (spec.n_fft + 2) + row + 5) // 8) * 8


def frontend_table_bytes(spec: LogMelSpec, scale: float, zero_point: int) -> int:
    """Return the flash that the front end's constants take; parameters and errors are :func:`write_frontend`'s."""
    weights, bands = _bands(spec, _slope(spec, scale, zero_point), scale, zero_point)
    twiddles = fft_stages(fft_radices(spec.n_fft))[1]
    rotations = len(twiddles) + spec.n_fft // 4 + 1
    exact = 2 * spec.n_fft + 2 * (spec.n_fft // 4 + 1)
    return 5 * spec.n_fft + exact + 8 * rotations + 4 * len(weights) + 24 * len(bands) + 16 * _LOG_SEGMENTS


def frontend_tables(spec: LogMelSpec, scale: float, zero_point: int) -> dict[str, str]:
    """Return the generated files, ``frontend_spec.h`` and ``frontend_tables.c``, by name.

    Parameters and errors are those of :func:`write_frontend`.
    """
    slope, mean = _slope(spec, scale, zero_point), None
    if spec.normalisation == "recording":
        line = code_line(spec, Quantization(scale, zero_point))
        mean = _Mean(level_step(spec), frames_remembered(spec), LINE_BITS, *line)
        # Levels instead of codes: those of silence are 0.
        spec, scale, zero_point = spec.with_statistics(lowest_logmel(spec), 1.0), mean.step, 0
        slope = _slope(spec, scale, zero_point)
    radices = fft_radices(spec.n_fft)
    stages, twiddles = fft_stages(radices)
    weights, bands = _bands(spec, slope, scale, zero_point)
    window, window_low = _wide_fraction(analysis_window(spec))
    turns = np.arange(spec.n_fft // 4 + 1) / spec.n_fft
    cosines, cosine_low = _wide_fraction(np.cos(2 * np.pi * turns))
    noise = rounding_noise(radices)
    doubt = 2 * noise / math.log(2) * slope
    header = render(
        "frontend_spec.h",
        spec=spec,
        mean=mean,
        summary=f"{spec.n_mels} bands, frames of {spec.window} samples every {spec.hop} at {spec.sample_rate} Hz",
        slope=round(slope * 2**_LOG_BITS),
        least_width=_least_width(spec, bands, radices),
        first_radix=radices[0],
        radix_4=4 in radices[1:],
        radix_5=5 in radices,
        noise=noise,
        doubt=round((math.log2(doubt) + 32) * 2**_LOG_BITS),
        near=math.ceil(doubt**2),
        noisy=2 ** math.ceil(max(0, 2 * math.log2(doubt) + 28 - 32)),
        stages=stages,
        split_fits=len(radices) > 1 and radices[-1] == 4,
    )
    tables = render(
        "frontend_tables.c",
        window=window,
        window_low=window_low,
        order=input_order(radices).tolist(),
        twiddles=twiddles,
        split=list(zip(cosines, cosines[::-1], strict=True)),
        cosine_low=cosine_low,
        weights=weights,
        bands=bands,
        logarithm=_logarithm(),
    )
    return {"frontend_spec.h": header, "frontend_tables.c": tables}


def _slope(spec: LogMelSpec, scale: float, zero_point: int) -> float:
    """Return the codes an octave of power."""
    if not (math.isfinite(scale) and scale > 0 and -128 <= zero_point <= 127):
        raise InputError(
            f"front end: an int8 input cannot have scale {scale} and zero point {zero_point}; quantize again"
        )
    if spec.preemphasis:
        raise InputError("front end: no device does pre-emphasis; train on another log-mel, such as device_4k")
    if spec.hop > spec.n_fft:
        raise InputError(
            f"front end: a hop of {spec.hop} samples skips some; train on a log-mel whose hop is at most "
            f"n_fft = {spec.n_fft}"
        )
    slope = _log_factor(spec) / (spec.std * scale)
    if not 2**-10 < slope < 64:
        raise InputError(
            f"front end: {slope:.3g} codes an octave of power; the input's scale {scale} cannot be right, quantize "
            "again with the log-mels of its training"
        )
    return slope


def _log_factor(spec: LogMelSpec) -> float:
    return math.log(2) if spec.log == "ln" else 10 * math.log10(2)


def _least_width(spec: LogMelSpec, bands: list[_Band], radices: list[int]) -> int:
    """Return how many bits samples count as having, however quiet, so that every band's floor stays below 2^62."""
    shifts = sum({4: 1, 5: 2}[radix] for radix in radices[1:])
    loudest = max(band.floor_exponent for band in bands)
    width = math.ceil((loudest - _FLOOR_ROOM) / 2) + _SCALED_BITS - shifts
    if width > 31:
        most = spec.floor / 4.0 ** (width - 31)
        raise InputError(
            f"front end: a floor of {spec.floor} does not fit its integers; train on a log-mel with {most:.3g} at most"
        )
    return max(0, width)


def _wide_fraction(values: NDArray[np.float64]) -> tuple[list[int], list[int]]:
    """Return numbers in [0, 1] as 31 fractional bits, rounded down, and the 16 bits below them."""
    whole = np.minimum(np.rint(np.maximum(values, 0) * 2.0**47), 2**47 - 1).astype(np.int64)
    return (whole >> 16).tolist(), (whole & 0xFFFF).tolist()


def _bands(spec: LogMelSpec, slope: float, scale: float, zero_point: int) -> tuple[list[int], list[_Band]]:
    """Return the bands' weights, one after the other, and what makes codes of their sums.

    A band's weights are scaled to sum to 2^32; the logarithm of that factor goes into its offset.
    """
    angles = 2 * np.pi * np.arange(spec.n_fft // 2 + 1) / spec.n_fft
    response = 1 + _PRE_EMPHASIS**2 - 2 * _PRE_EMPHASIS * np.cos(angles)
    weights: list[int] = []
    bands: list[_Band] = []
    for row in mel_filters(spec) / response:
        used = np.flatnonzero(row)
        first, last = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
        unit = float(row.sum()) / (2**32 - 1 - (last - first)) if len(used) else spec.floor / 2**32
        weights += [round(float(value) / unit) for value in row[first:last]]
        # The sum in C is of weight times power / 2^32.
        octaves = math.log2(unit * 2**32)
        mantissa, exponent = math.frexp(spec.floor / (unit * 2**32))
        offset = (_log_factor(spec) * octaves - spec.mean) / spec.std / scale + zero_point + 0.5
        bands.append(
            _Band(
                first_bin=first,
                bins=last - first,
                floor=min(round(mantissa * 2**32), 2**32 - 1),
                floor_exponent=exponent - 32,
                first_weight=len(weights) - (last - first),
                offset=round(offset * 2 ** (2 * _LOG_BITS)),
            )
        )
    return weights, bands


@lru_cache(maxsize=1)
def _logarithm() -> list[tuple[int, int, int]]:
    """Return parabolas through ``log2(1 + (segment + x) / 64)`` at the three Chebyshev nodes of each segment.

    30 fractional bits; the quadratic term, which is negative, with its sign changed.
    """
    nodes = 0.5 + 0.5 * np.cos(np.pi * (2 * np.arange(3) + 1) / 6)
    parabolas = []
    for segment in range(_LOG_SEGMENTS):
        quadratic, linear, constant = np.polyfit(nodes, np.log2(1 + (segment + nodes) / _LOG_SEGMENTS), 2)
        parabolas.append((round(constant * 2**30), round(linear * 2**30), round(-quadratic * 2**30)))
    return parabolas
