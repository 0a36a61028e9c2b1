"""An int8 bundle as something that can be scored: from 16-bit samples to integer decisions, as a device does."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from export.bundle.opening import Bundle
from export.bundle.runtimes import as_logits
from lungsound.errors import InputError
from lungsound.features import pcm_windows
from lungsound.front_end import decide, front_end
from lungsound.terminal import progress

BATCH = 64


class Int8Bundle:
    """A bundle's int8 .tflite.

    Parameters
    ----------
    path : Path
        The bundle.
    kernels : str
        ``xnnpack`` (rounds once) or ``reference`` (rounds twice).

    Raises
    ------
    InputError
        If the bundle is damaged or holds no .tflite, or the kernels are unknown.
    """

    def __init__(self, path: Path, kernels: str) -> None:
        if kernels not in ("xnnpack", "reference"):
            raise InputError(f"--kernels {kernels}: choose xnnpack or reference")
        bundle = Bundle.open(path)
        manifest = bundle.manifest
        if manifest.threshold_codes is None:
            raise InputError(f"{path}: holds no .tflite; export the run again with --int8 tflite")
        self._runtime = bundle.load(f"litert_{kernels}")
        self._input, self._threshold_codes = manifest.input, manifest.threshold_codes
        self.name = f"student, int8, {kernels}"
        self.listening = manifest.listening
        self.thresholds = manifest.thresholds
        self.split_hash = manifest.split["hash"]

    def decide(self, windows: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return logits [N, 2] and decisions [N, 2]; nothing between samples and decisions is float but the log-mel."""
        logits, decisions = [], []
        for start in progress(range(0, len(windows), BATCH), "running the int8 model"):
            part = windows.iloc[start : start + BATCH]
            pcm = pcm_windows(part, self.listening.logmel.sample_rate, self.listening.seconds)
            codes = self._runtime.run(front_end(self.listening, self._input, pcm))
            logits.append(as_logits(self._runtime, codes))
            decisions.append(decide(codes, self._threshold_codes))
        return np.concatenate(logits), np.concatenate(decisions)
