"""The C that becomes of a bundle as something that can be scored: it hears samples, as the device does."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from auscult.int8_bundle import Int8Bundle
from firmware_bridge.host import HostListener
from lungsound.audio import read_pcm
from lungsound.errors import InputError
from lungsound.features import pcm_windows
from lungsound.files.cache import cache_folder
from lungsound.front_end import decide
from lungsound.terminal import progress


class GeneratedC(Int8Bundle):
    """A bundle's firmware, built for this computer.

    A recording is heard from its beginning, and decides every hop; a cycle is heard alone.

    Parameters
    ----------
    path : Path
        The bundle.
    rounding : {"single", "double"}
        As XNNPACK rounds, or as LiteRT's reference kernels.

    Raises
    ------
    InputError
        If the bundle cannot become firmware, or there is no compiler.
    """

    def __init__(self, path: Path, rounding: str) -> None:
        super().__init__(path, rounding)
        self._listener = HostListener(path, rounding, cache_folder())
        self._manifest = self._bundle.manifest
        self.name = f"student, C, {rounding} rounding"

    def decide(self, windows: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return logits and decisions [N, labels].

        Raises
        ------
        InputError
            If cycles are to be normalised over their recording, which a stream of its own does not know.
        """
        manifest, listening = self._manifest, self.listening
        assert manifest.output is not None
        assert manifest.threshold_codes is not None
        stream = (windows["protocol"] == "stream").to_numpy()
        if not stream.all() and listening.logmel.normalisation == "recording":
            raise InputError("--engine c: a cycle knows no recording to be normalised over; take --protocol stream")
        codes = np.empty((len(windows), len(listening.labels)), dtype=np.int8)
        rows = np.arange(len(windows))
        places = [rows[stream][members] for members in windows[stream].groupby("path", sort=False).indices.values()]
        for place in progress([*places, *rows[~stream, None]], "running the C"):
            codes[place] = self._heard(windows.iloc[place])
        return manifest.output.dequantize(codes), decide(codes, manifest.threshold_codes)

    def _heard(self, windows: pd.DataFrame) -> NDArray[np.int8]:
        """Return the output codes of the windows of one recording, or of one cycle."""
        listening, rate = self.listening, self.listening.logmel.sample_rate
        numbers = np.zeros(len(windows), dtype=np.int64)
        pcm = None
        if windows["protocol"].iloc[0] == "stream":
            numbers = np.rint(windows["start"].to_numpy(np.float64) / listening.hop_seconds).astype(np.int64)
            pcm = read_pcm(Path(windows["path"].iloc[0]), rate)
        if pcm is None or len(pcm) < listening.samples:
            pcm = pcm_windows(windows, rate, listening.seconds)[0]
        with self._listener.listening() as hear:
            return hear(pcm)[numbers]
