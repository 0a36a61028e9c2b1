"""A small corpus in the layout of KAUH: every second patient has asthma, each was recorded through two filters."""

from pathlib import Path

import numpy as np
import soundfile


def small_kauh(folder: Path, patients: int = 20) -> Path:
    """Write recordings of 0.6 s."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for patient in range(1, patients + 1):
        for device in "BE":
            name = f"{device}P{patient}_{'Asthma,I E W' if patient % 2 else 'N,N'},P L L R,7{patient % 10},M.wav"
            soundfile.write(folder / name, rng.uniform(-0.1, 0.1, 2400), 4000)
    return folder
