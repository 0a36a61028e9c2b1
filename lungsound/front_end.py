"""A device's front end and its decision, as numbers: samples to int8 log-mel codes, output codes to labels."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import LogMelSpec, log_mel, normalise
from lungsound.quantization import HIGHEST, LOWEST, Quantization
from lungsound.recording_mean import frames_remembered, level_step, levels, running_mean

LINE_BITS = 24
"""Fractional bits of the line from levels to codes."""


def heard(listening: Listening, pcm: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return what is heard of windows that follow one another, before mean and deviation of the corpus.

    The float64 reference log-mel of ``pcm / 32768``. Where it is normalised over the recording, the same in a device's
    integers (:mod:`lungsound.recording_mean`), and the windows of one call are one stream, heard from its start: each
    frame is less the mean that the stream had then. Frames that reach from one window into the next belong to none, and
    count in the mean where windows are a whole number of hops; otherwise every window begins its own frames.

    Parameters
    ----------
    listening : Listening
        Log-mel specification and window.
    pcm : ndarray of int16, shape [..., samples]
        Windows at the specification's sample rate, in the order in which they are heard.

    Returns
    -------
    ndarray of float64, shape [..., frames, n_mels]

    Raises
    ------
    InputError
        If the windows are not int16 or of another length.
    """
    if pcm.dtype != np.int16 or pcm.shape[-1] != listening.samples:
        raise InputError(f"a window is {listening.samples} samples of int16, got {pcm.shape[-1]} of {pcm.dtype}")
    spec = listening.logmel
    if spec.normalisation == "corpus":
        return log_mel(spec, pcm.astype(np.float64) / 32768.0)
    shape = (*pcm.shape[:-1], listening.frames, spec.n_mels)
    hops, between = divmod(listening.samples, spec.hop)
    found = levels(spec, pcm if between else pcm.ravel()).reshape(-1, spec.n_mels)
    less = found - running_mean(found, frames_remembered(spec))
    every = listening.frames if between else hops
    first = every * np.arange(pcm.size // listening.samples)
    return np.asarray(less[first[:, None] + np.arange(listening.frames)].reshape(shape) * level_step(spec))


def normalised_logmel(listening: Listening, pcm: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the network's input before quantization; parameters, errors and shape are those of :func:`heard`."""
    return np.asarray(normalise(listening.logmel, heard(listening, pcm)), np.float64)


def code_line(spec: LogMelSpec, quantization: Quantization) -> tuple[int, int]:
    """Return slope and offset of the line from levels to codes, with `LINE_BITS` fractional bits.

    Of a band's level less its mean, d, the code is ``(d * slope + offset) >> LINE_BITS``, saturated.
    """
    unit = spec.std * quantization.scale
    offset = quantization.zero_point + 0.5 - spec.mean / unit
    return round(level_step(spec) / unit * 2**LINE_BITS), round(offset * 2**LINE_BITS)


def codes_of(spec: LogMelSpec, quantization: Quantization, features: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return the int8 codes of what is heard.

    Normalised, divided by the scale, rounded half to even, zero point added, saturated; where the log-mel is normalised
    over the recording the same in integers (:func:`code_line`), half rounded up.

    Parameters
    ----------
    spec : LogMelSpec
        With the corpus' mean and deviation.
    quantization : Quantization
        Of the network's input.
    features : ndarray of float64, shape [..., n_mels]
        From :func:`heard` or :func:`lungsound.features.heard_windows`.

    Returns
    -------
    ndarray of int8, shape [..., n_mels]
    """
    if spec.normalisation == "corpus":
        return quantization.quantize(normalise(spec, features))
    slope, offset = code_line(spec, quantization)
    differences = np.rint(features / level_step(spec)).astype(np.int64)
    return np.asarray(np.clip((differences * slope + offset) >> LINE_BITS, LOWEST, HIGHEST), np.int8)


def front_end(listening: Listening, quantization: Quantization, pcm: NDArray[np.int16]) -> NDArray[np.int8]:
    """Return the int8 log-mel codes of windows of sound: the definition of what a device hands to its network.

    :func:`codes_of` of :func:`heard`, whose parameters and errors these are.

    Parameters
    ----------
    listening : Listening
        Log-mel specification and window.
    quantization : Quantization
        Of the network's input.
    pcm : ndarray of int16, shape [..., samples]
        Windows at the specification's sample rate.

    Returns
    -------
    ndarray of int8, shape [..., frames, n_mels]
    """
    return codes_of(listening.logmel, quantization, heard(listening, pcm))


def decide(codes: NDArray[np.int8], threshold_codes: ArrayLike) -> NDArray[np.int64]:
    """Return 1 for every label whose output code reaches its threshold code, [..., labels]: integers alone."""
    return (codes.astype(np.int64) >= np.asarray(threshold_codes, np.int64)).astype(np.int64)
