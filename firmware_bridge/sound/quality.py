"""The check of a window's signal in C: its numbers, and what they take."""

import shutil
from pathlib import Path

from firmware_bridge.c.rendering import render
from firmware_bridge.c.sources import source
from lungsound.quality.bands import MANTISSA, OCTAVES, halvings
from lungsound.quality.check import SignalCheck

C_FILES = (source("auscult_quality.h"), source("auscult_quality.c"))

_BYTES_OF_A_WINDOW = 222  # beside what its filters remember
_BYTES_OF_AN_OCTAVE = 12

CODE = 2752
"""Flash of its code, with its three scores, from above for every core."""


def quality_bytes(sample_rate: int) -> int:
    """Return sizeof(auscult_quality_t) on a 32-bit core; errors are :func:`lungsound.quality.bands.halvings`'."""
    whole = _BYTES_OF_A_WINDOW + _BYTES_OF_AN_OCTAVE * (OCTAVES + halvings(sample_rate))
    return -(-whole // 4) * 4


def write_quality(folder: Path, check: SignalCheck, sample_rate: int) -> list[Path]:
    """Write ``auscult_quality.h``, ``auscult_quality.c`` and ``auscult_quality_spec.h``.

    Parameters
    ----------
    folder : Path
        An existing folder.
    check : SignalCheck
        What makes a signal too poor.
    sample_rate : int
        Hz.

    Returns
    -------
    list of Path
        The source, to be compiled.

    Raises
    ------
    InputError
        If the rate is not one that :func:`lungsound.quality.bands.halvings` takes.
    """
    values = {"check": check.to_dict(), "halvings": halvings(sample_rate), "mantissas": MANTISSA}
    (folder / "auscult_quality_spec.h").write_text(render("auscult_quality_spec.h", **values))
    for path in C_FILES:
        shutil.copyfile(path, folder / path.name)
    return [folder / "auscult_quality.c"]
