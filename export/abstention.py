"""When a bundle's model shall say "listen again": calibrated on validation windows, as its int8 model answers them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from export.gate import Validation
from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.quality.abstention import Abstention, calibrate
from lungsound.quality.features import signal
from lungsound.quantization import Quantization

MODEL = "litert_xnnpack"
"""Whose logits are calibrated on."""


def abstention_for(
    share: float,
    listening: Listening,
    output: Quantization | None,
    threshold_codes: tuple[int, ...] | None,
    logits: Mapping[str, NDArray[np.float64]],
    validation: Validation,
) -> Abstention:
    """Calibrate on validation windows of a stream, or on all where the model was trained on cycles alone.

    Parameters
    ----------
    share : float
        Of the validation recordings that may be answered with "listen again"; see
        :func:`lungsound.quality.abstention.calibrate`.
    listening : Listening
        The window.
    output : Quantization or None
        Of the int8 logits.
    threshold_codes : tuple of int or None
        From which on labels are given.
    logits : mapping of str to ndarray of float64, shape [N, labels]
        Of :func:`export.gate.validation_logits`.
    validation : Validation
        Windows, truth and patients.

    Raises
    ------
    InputError
        If there is no .tflite, nobody knows whose windows they are, or the signal of such windows cannot be checked.
    """
    windows = validation.windows
    if output is None or threshold_codes is None:
        raise InputError("--abstain is of the .tflite that a device runs; give --int8 tflite, too")
    if windows is None or validation.labels is None:
        raise InputError("--abstain needs recordings with truth and patients to calibrate on; give --data")
    stream = windows["protocol"].eq("stream").to_numpy()
    rows = np.flatnonzero(stream if stream.any() else np.ones(len(windows), bool))
    codes = np.rint(logits[MODEL][rows] / output.scale) + output.zero_point
    names = (windows["corpus"] + " " + windows["recording"]).iloc[rows]
    people = (windows["corpus"] + " " + windows["patient"]).iloc[rows]
    heard = signal(validation.pcm[rows], listening.logmel.sample_rate)
    return calibrate(
        heard,
        codes.astype(np.int8),
        validation.labels[rows],
        people.tolist(),
        names.tolist(),
        threshold_codes,
        share,
    )
