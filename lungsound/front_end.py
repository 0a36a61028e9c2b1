"""A device's front end and its decision, as numbers: samples to int8 log-mel codes, output codes to labels."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import log_mel, normalise
from lungsound.quantization import Quantization


def normalised_logmel(listening: Listening, pcm: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the network's input before quantization: the float64 reference log-mel of ``pcm / 32768``, normalised.

    Parameters
    ----------
    listening : Listening
        Log-mel specification and window.
    pcm : ndarray of int16, shape [..., samples]
        Windows at the specification's sample rate.

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
    logmel = log_mel(listening.logmel, pcm.astype(np.float64) / 32768.0)
    return np.asarray(normalise(listening.logmel, logmel), np.float64)


def front_end(listening: Listening, quantization: Quantization, pcm: NDArray[np.int16]) -> NDArray[np.int8]:
    """Return the int8 log-mel codes of windows of sound: the definition of what a device hands to its network.

    :func:`normalised_logmel`, divided by the scale, rounded half to even, zero point added, saturated.

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
    return quantization.quantize(normalised_logmel(listening, pcm))


def decide(codes: NDArray[np.int8], threshold_codes: ArrayLike) -> NDArray[np.int64]:
    """Return 1 for every label whose output code reaches its threshold code, [..., labels]: integers alone."""
    return (codes.astype(np.int64) >= np.asarray(threshold_codes, np.int64)).astype(np.int64)
