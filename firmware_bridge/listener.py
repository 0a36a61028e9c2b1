"""The front end and the network joined in C: one window of sound, or a decision every hop of a sliding window."""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from firmware_bridge.frontend import frontend_bytes
from firmware_bridge.rendering import render
from lungsound.listening import Listening

C_FILES = tuple(Path(__file__).parent / "c" / name for name in ("auscult.h", "auscult.c"))


def open_windows(listening: Listening) -> int:
    """Return how many windows of a stream overlap: as many networks, and front ends of centred frames, take RAM."""
    return math.ceil(listening.samples / listening.hop_samples)


def listener_bytes(listening: Listening, network_bytes: int, *, overlapping: bool) -> int:
    """Return sizeof(auscult_t) on a 32-bit core, for a network of so many bytes."""
    windows = open_windows(listening) if overlapping else 1
    front_ends = windows if listening.logmel.padding == "reflect" else 1
    parts = front_ends * frontend_bytes(listening.logmel) + windows * (network_bytes + 4)
    return -(-(parts + 8 + len(listening.labels)) // 8) * 8


def write_listener(
    folder: Path, listening: Listening, threshold_codes: Sequence[int], *, overlapping: bool
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

    Returns
    -------
    list of Path
        The source, to be compiled.
    """
    config = render(
        "auscult_config.h",
        seconds=listening.seconds,
        hop_seconds=listening.hop_seconds if overlapping else listening.seconds,
        samples=listening.samples,
        hop=listening.hop_samples if overlapping else listening.samples,
        labels=listening.labels,
        thresholds=threshold_codes,
        windows=open_windows(listening) if overlapping else 1,
    )
    (folder / "auscult_config.h").write_text(config)
    for path in C_FILES:
        shutil.copyfile(path, folder / path.name)
    return [folder / "auscult.c"]
