"""A bundle whose network hears sound as something that can be scored: float ONNX, from 16-bit samples on."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from export.bundle.opening import Bundle
from export.bundle.predictions import stored_validation
from lungsound.audio import to_float
from lungsound.features import pcm_windows
from lungsound.terminal import progress

BATCH = 64


class FloatBundle:
    """A bundle's float ONNX model.

    Parameters
    ----------
    bundle : Bundle
        Of a network that hears sound.

    Raises
    ------
    InputError
        If onnxruntime is not installed or refuses the model.
    """

    name = "student, float ONNX"
    int8 = False

    def __init__(self, bundle: Bundle) -> None:
        self._runtime = bundle.load("onnxruntime_float")
        manifest = bundle.manifest
        self.listening = manifest.listening
        self.thresholds = manifest.thresholds
        self.split_hash = manifest.split["hash"]
        self.protocols = manifest.protocols
        self._bundle = bundle

    def validated(self) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
        """Return truth and logits [N, labels] of validation windows; None where the bundle has none."""
        return stored_validation(self._bundle, "float")

    def decide(self, windows: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return logits and decisions [N, labels]."""
        logits = []
        for start in progress(range(0, len(windows), BATCH), "running the ONNX model"):
            part = windows.iloc[start : start + BATCH]
            pcm = pcm_windows(part, self.listening.logmel.sample_rate, self.listening.seconds)
            logits.append(self._runtime.run(to_float(pcm)).astype(np.float64))
        joined = np.concatenate(logits)
        return joined, (joined >= np.asarray(self.thresholds)).astype(np.int64)
