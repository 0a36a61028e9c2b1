"""The front end and the network joined in C: one window of sound, or a decision every hop of a sliding window."""

import itertools
import math
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from firmware_bridge.c.rendering import render
from firmware_bridge.c.sources import source
from firmware_bridge.sound.frontend import frontend_bytes
from firmware_bridge.sound.quality import quality_bytes, write_quality
from lungsound.listening import Listening
from lungsound.quality.abstention import Abstention

C_FILES = (source("auscult.h"), source("auscult.c"))


def open_windows(listening: Listening) -> int:
    """Return how many windows of a stream overlap."""
    return math.ceil(listening.samples / listening.hop_samples)


def listener_bytes(listening: Listening, network_bytes: int, *, networks: int = 1, checked: int = 0) -> int:
    """Return sizeof(auscult_t) on a 32-bit core, for so many networks of so many bytes, and windows whose signal is
    checked.
    """
    front_ends = networks if listening.logmel.padding == "reflect" else 1
    parts = front_ends * frontend_bytes(listening.logmel) + networks * (network_bytes + 4)
    rest = 8 + len(listening.labels)
    if checked:
        rest = -(-(rest + 1) // 4) * 4 + checked * (quality_bytes(listening.logmel.sample_rate) + 4) + 8
    return -(-(parts + rest) // 8) * 8


@dataclass(frozen=True, slots=True)
class Pace:
    """How an application with a limit on pushes calls the listener: once a tick.

    Attributes
    ----------
    calls : int
        After a window's last sample, at most, until one brings the decision.
    longest_tick : int
        Samples from one call to the next, at most, or calls fall behind.
    """

    calls: int
    longest_tick: int

    @classmethod
    def of(cls, listening: Listening, shares: int, *, overlapping: bool) -> Self:
        """Tell it from the shares of work that the network has left after its last row."""
        logmel, samples = listening.logmel, listening.samples
        with_samples = listening.frames
        if logmel.padding == "reflect":  # frames that reach beyond the last sample are made after it
            with_samples = (samples - logmel.n_fft // 2) // logmel.hop + 1
        calls = listening.frames - with_samples + max(1, shares)
        period = listening.hop_samples if overlapping else samples
        taking = math.ceil(period / logmel.hop) + 1  # a frame's hop at most a call, and a window's end parts one
        return cls(calls, max(1, period // (taking + calls)))

    @property
    def tick(self) -> int:
        """The largest power of two up to :attr:`longest_tick`; a DMA's usual half buffer."""
        return 1 << (self.longest_tick.bit_length() - 1)


def label_constants(labels: Sequence[str]) -> list[str]:
    """Return the names that labels have in C, in their order: each once, whatever the labels' text.

    Capitals, with an underscore for whatever is no letter or digit: AUSCULT_LABEL_FINE_CRACKLE. A number follows where
    two labels would have the same name, and stands alone for a label without letters and digits.
    """
    names: list[str] = []
    for label in labels:
        word = "_".join(re.findall("[A-Z0-9]+", label.upper())) or "0"
        spelt = (word if number == 1 else f"{word}_{number}" for number in itertools.count(1))
        names.append(next(name for name in map("AUSCULT_LABEL_{}".format, spelt) if name not in names))
    return names


def write_listener(
    folder: Path,
    listening: Listening,
    threshold_codes: Sequence[int],
    *,
    overlapping: bool,
    shared: bool = False,
    abstention: Abstention | None = None,
) -> list[Path]:
    """Write ``auscult.h``, ``auscult.c`` and ``auscult_config.h`` beside the front end's and the network's files.

    Parameters
    ----------
    folder : Path
        An existing folder.
    listening : Listening
        The window, and the hop from one to the next.
    threshold_codes : sequence of int
        Output codes at and above which a label is given; 128 never.
    overlapping : bool
        Decide every hop, as the ``stream`` protocol evaluates; otherwise one window after the other.
    shared : bool
        Whether the network is one for all windows that overlap.
    abstention : Abstention, optional
        When to listen again; the files of :func:`firmware_bridge.sound.quality.write_quality` are then written, too.

    Returns
    -------
    list of Path
        The sources, to be compiled.
    """
    config = render(
        "auscult_config.h",
        seconds=listening.seconds,
        hop_seconds=listening.hop_seconds if overlapping else listening.seconds,
        samples=listening.samples,
        sample_rate=listening.logmel.sample_rate,
        hop=listening.hop_samples if overlapping else listening.samples,
        labels=listening.labels,
        constants=label_constants(listening.labels),
        thresholds=threshold_codes,
        windows=open_windows(listening) if overlapping and not shared else 1,
        shared=shared,
        checked=open_windows(listening) if overlapping else 1,
        certain=abstention and abstention.certain,
    )
    (folder / "auscult_config.h").write_text(config)
    for path in C_FILES:
        shutil.copyfile(path, folder / path.name)
    sources = [folder / "auscult.c"]
    if abstention:
        sources += write_quality(folder, abstention.signal, listening.logmel.sample_rate)
    return sources
