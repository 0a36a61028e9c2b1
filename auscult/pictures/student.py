"""A picture of what a student hears, where it looks and what it decides."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from auscult.pictures.log_mel import colour, draw_log_mel
from lungsound.audio import read_pcm, to_float
from lungsound.features import heard_windows
from lungsound.files.atomic import whole_file
from lungsound.listening import Listening
from lungsound.logmel import log_mel, normalise
from students.student import Student


def richest_recording(windows: pd.DataFrame, labels: Sequence[str]) -> str:
    """Return the path of the recording whose stream windows vary most in their labels."""
    return str(windows.groupby("path", sort=True)[list(labels)].var(ddof=0).fillna(0).sum(axis=1).idxmax())


def draw(
    student: Student,
    listening: Listening,
    thresholds: tuple[float, ...],
    recording: Path,
    events: pd.DataFrame,
    file: Path,
    title: str,
) -> None:
    """Draw log-mel, attention and decisions of one recording into a PNG file.

    Parameters
    ----------
    student : Student
        Float student, in evaluation mode.
    listening : Listening
        Its input; windows slide by its hop.
    thresholds : tuple of float
        Logits at and above which a label is given.
    recording : Path
        Audio of at least one window.
    events : DataFrame
        The recording's annotated events (start, end and labels).
    file : Path
        Where to write.
    title : str
        Names the corpus and says whether it is synthetic.
    """
    wave = to_float(read_pcm(recording, listening.logmel.sample_rate))
    starts = range(0, len(wave) - listening.samples + 1, listening.hop_samples)
    seconds = np.asarray(starts) / listening.logmel.sample_rate
    windows = pd.DataFrame({"path": str(recording), "protocol": "stream", "start": seconds, "end": seconds})
    heard = heard_windows(windows, listening.logmel, listening.seconds)
    x = torch.from_numpy(normalise(listening.logmel, heard).astype(np.float32))[:, None]
    with torch.inference_mode():
        feature_map = student.features(x)
        margins = student.head(feature_map).numpy() - np.asarray(thresholds)
        attention = student.head.attention(feature_map).numpy()

    labels = listening.labels
    heights = [3, *[1.6] * len(labels), 1.5]
    figure = Figure(figsize=(11, 7.5 / 7.7 * sum(heights)), layout="constrained")
    axes: list[Axes] = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights))
    _draw_logmel(axes[0], listening, wave, events)
    for column in range(len(labels)):
        _draw_attention(axes[1 + column], column, seconds, listening, attention[:, column])
    _draw_decisions(axes[-1], seconds, listening, margins)
    axes[0].set_title(title)
    with mpl.rc_context({"svg.hashsalt": "auscult"}), whole_file(file) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _draw_logmel(axes: Axes, listening: Listening, wave: np.ndarray, events: pd.DataFrame) -> None:
    spec = listening.logmel
    draw_log_mel(axes, spec, log_mel(spec, wave), len(wave) / spec.sample_rate)
    for column, label in enumerate(listening.labels):
        marked, height = events[events[label] == 1], spec.n_mels * (0.97 - 0.05 * column)
        axes.hlines([height] * len(marked), marked["start"], marked["end"], colour(column), linewidth=4)


def _draw_attention(axes: Axes, column: int, seconds: np.ndarray, listening: Listening, attention: np.ndarray) -> None:
    """Lay the attention of every window where it was heard; where windows overlap, the larger one shows."""
    rows, bands = attention.shape[1:]
    step = listening.seconds / rows
    image = np.zeros((round((seconds[-1] + listening.seconds) / step), bands))
    for start, weights in zip(seconds, attention, strict=True):
        first = round(start / step)
        part = image[first : first + rows]
        np.maximum(part, weights[: len(part)], out=part)
    axes.imshow(image.T, origin="lower", aspect="auto", extent=(0, len(image) * step, 0, bands), cmap="Greys")
    axes.set_yticks([])
    axes.set_ylabel(f"{listening.labels[column]}\nattention", color=colour(column))


def _draw_decisions(axes: Axes, seconds: np.ndarray, listening: Listening, margins: np.ndarray) -> None:
    for column, label in enumerate(listening.labels):
        middle = seconds + listening.seconds / 2
        axes.plot(middle, margins[:, column], "o-", color=colour(column), label=label)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_ylabel("logit above\nthreshold")
    axes.set_xlabel("seconds; bars above: annotated sounds; points: middle of each window")
    axes.legend(loc="upper right", ncols=2)
