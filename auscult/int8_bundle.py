"""An int8 bundle as something that can be scored: from 16-bit samples to integer decisions, as a device does."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from export.bundle.opening import Bundle
from export.bundle.predictions import stored_validation
from export.bundle.runtimes import as_logits
from lungsound.errors import InputError
from lungsound.features import heard_windows
from lungsound.front_end import codes_of, decide
from lungsound.terminal import progress

if TYPE_CHECKING:  # `auscult classify` has no need of pandas, which takes a second to import
    import pandas as pd

BATCH = 64

RUNTIME_OF_ROUNDING = {"single": "litert_xnnpack", "double": "litert_reference"}
"""Of `export.bundle.runtimes.RUNTIMES`; the words are those of ``auscult firmware --rounding``."""


class Int8Bundle:
    """A bundle's int8 .tflite.

    Parameters
    ----------
    path : Path
        The bundle.
    rounding : {"single", "double"}
        As XNNPACK rounds, or as LiteRT's reference kernels and firmware do unless told otherwise.

    Raises
    ------
    InputError
        If the bundle is damaged or holds no .tflite, or the rounding is unknown.
    """

    int8 = True

    def __init__(self, path: Path, rounding: str) -> None:
        if rounding not in RUNTIME_OF_ROUNDING:
            raise InputError(f"--rounding {rounding}: choose {' or '.join(RUNTIME_OF_ROUNDING)}")
        bundle = Bundle.open(path)
        manifest = bundle.manifest
        if manifest.threshold_codes is None or manifest.input is None:
            raise InputError(f"{path}: holds no .tflite; export the run again with --int8 tflite")
        self._runtime = bundle.load(RUNTIME_OF_ROUNDING[rounding])
        self._input, self._threshold_codes = manifest.input, manifest.threshold_codes
        self.name = f"student, int8, {rounding} rounding"
        self.listening = manifest.listening
        self.thresholds = manifest.thresholds
        self.split_hash = manifest.split["hash"]
        self.protocols = manifest.protocols
        self._bundle = bundle

    def validated(self) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
        """Return truth and logits [N, labels] of validation windows; those of XNNPACK, whatever the rounding."""
        return stored_validation(self._bundle, "litert_xnnpack")

    def decide(self, windows: "pd.DataFrame") -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return logits and decisions [N, labels]; nothing between samples and decisions is float but the log-mel."""
        logits, decisions = [], []
        for start in progress(range(0, len(windows), BATCH), "running the int8 model"):
            part = windows.iloc[start : start + BATCH]
            logmel = self.listening.logmel
            heard = heard_windows(part, logmel, self.listening.seconds)
            codes = self._runtime.run(codes_of(logmel, self._input, heard))
            logits.append(as_logits(self._runtime, codes))
            decisions.append(decide(codes, self._threshold_codes))
        return np.concatenate(logits), np.concatenate(decisions)
