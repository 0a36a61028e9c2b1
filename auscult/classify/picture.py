"""A picture of one answer: the log-mel of the recording, its events, and the probability of every window."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auscult.classify.answer import Answer
from lungsound.audio import pcm_blocks, to_float
from lungsound.errors import InputError
from lungsound.files.atomic import whole_file
from lungsound.labels import NOTICE
from lungsound.logmel import LogMelSpec, log_mel

_COLUMNS = 2000
"""Of the picture's log-mel, at most; of a longer recording each is the mean of several frames."""


def draw_answer(answer: Answer, file: Path) -> None:
    """Draw an answer into a PNG file.

    Parameters
    ----------
    answer : Answer
        Of a recording on disk, which is read once more.
    file : Path
        Where to write.

    Raises
    ------
    InputError
        If the recording cannot be read or the file not written.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from auscult.pictures.log_mel import colour, draw_log_mel

    if answer.path is None:
        raise InputError("--picture: what a microphone heard is not kept; record it, and classify the file")
    spec = answer.manifest.listening.logmel
    figure = Figure(figsize=(11, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    draw_log_mel(above, spec, mean_log_mel(spec, answer.path, answer.samples), answer.seconds)
    middle = (answer.starts + answer.ends) / 2
    for column, label in enumerate(answer.labels):
        height = spec.n_mels * (0.97 - 0.05 * column)
        found = [event for event in answer.events() if event.label == label]
        starts, ends = [event.start for event in found], [event.end for event in found]
        above.hlines([height] * len(found), starts, ends, colour(column), linewidth=4)
        below.axhline(answer.thresholds[column], color=colour(column), linewidth=0.8, linestyle="--")
        below.plot(middle, answer.probabilities[:, column], ".-", color=colour(column), label=label)
    below.set_ylim(0, 1)
    below.set_ylabel("probability")
    below.set_xlabel("seconds; bars above: events; points: middle of each window; dashed: thresholds")
    for text in below.legend(loc="upper right", ncols=2).get_texts():
        text.set_parse_math(False)
    above.set_title(f"{_plain(answer.name)}\n{NOTICE}", parse_math=False)
    with mpl.rc_context({"svg.hashsalt": "auscult"}), whole_file(file) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _plain(name: str) -> str:
    """Return a name that any font can draw."""
    return name.encode("ascii", "backslashreplace").decode().translate(dict.fromkeys([*range(32), 127], "?"))


def mean_log_mel(spec: LogMelSpec, path: Path, samples: int) -> NDArray[np.float64]:
    """Return the log-mel of a recording of any length in at most `_COLUMNS` columns, [columns, n_mels].

    Frames at the borders of what is in memory at once are left out or mirrored there, which nobody sees.
    """
    columns = max(1, min(_COLUMNS, samples // spec.hop))
    sums, counts, heard = np.zeros((columns, spec.n_mels)), np.zeros(columns), 0
    for pcm in pcm_blocks(path, spec.sample_rate):
        if len(pcm) > spec.n_fft:
            frames = log_mel(spec, to_float(pcm))
            place = (heard + np.arange(len(frames)) * spec.hop) * columns // samples
            place = np.minimum(place, columns - 1)
            np.add.at(sums, place, frames)
            counts += np.bincount(place, minlength=columns)
        heard += len(pcm)
    filled = np.maximum.accumulate(np.where(counts > 0, np.arange(columns), 0))  # the last column that has a frame
    return sums[filled] / np.maximum(counts[filled], 1)[:, None]
