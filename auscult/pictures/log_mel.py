"""How pictures show a log-mel, and the colours of labels in them."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from lungsound.logmel import LogMelSpec
from lungsound.mel_bands import mel_edges

_COLOURS = ("tab:red", "tab:cyan", "tab:orange", "tab:green", "tab:purple", "tab:brown", "tab:pink", "tab:olive")


def colour(column: int) -> str:
    """Return the colour of a label by its place; more labels take them again."""
    return _COLOURS[column % len(_COLOURS)]


def draw_log_mel(axes: Axes, spec: LogMelSpec, frames: NDArray[np.float64], seconds: float) -> None:
    """Draw frames [n, n_mels] over `seconds` of time, with ticks in Hz."""
    axes.imshow(frames.T, origin="lower", aspect="auto", extent=(0, seconds, 0, spec.n_mels), cmap="magma")
    centres = mel_edges(spec)[1:-1]
    shown = [100, 200, 400, 800, 1600]
    axes.set_yticks([int(np.abs(centres - hertz).argmin()) for hertz in shown], [str(hertz) for hertz in shown])
    axes.set_ylabel("log-mel, Hz")
