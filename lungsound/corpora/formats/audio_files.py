"""Audio files of a corpus, found by the stem of their name, and how long they are."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import soundfile

from lungsound.audio import CONVERTED, convert, unreadable
from lungsound.errors import InputError

SUFFIXES = frozenset(
    {".wav", ".flac", ".aif", ".aiff", ".aifc", ".au", ".caf", ".mp3", ".ogg", ".oga", ".opus", ".rf64", ".w64"}
)
"""Endings of the containers that libsndfile reads and recordings come in; capitals do not matter."""


def visible(paths: Iterable[Path]) -> Iterator[Path]:
    """Leave out files whose name begins with a dot, such as the ``._*`` twins that macOS writes on other disks."""
    return (path for path in paths if not path.name.startswith("."))


def audio_below(root: Path, faults: list[str]) -> list[Path]:
    """Return the audio files in a folder and all below it; one that has to be converted first is a fault."""
    found = []
    for path in sorted(root.rglob("*")):
        if any(name.startswith(".") for name in path.relative_to(root).parts) or not path.is_file():
            continue
        if path.suffix.lower() in SUFFIXES:
            found.append(path)
        elif path.suffix.lower() in CONVERTED:
            faults.append(f"{path}: a format that is not read here; {convert(path)}")
    return found


def own_recording(root: Path, path: Path, split: str = "") -> dict[str, object]:
    """Return the row of a recording of which nobody tells anything, named by its path below `root`."""
    name = path.relative_to(root).as_posix()
    file, seconds, sample_rate = measure(path)
    measured = {"recording": name, "path": file, "seconds": seconds, "sample_rate": sample_rate, "patient": name}
    return measured | {"site": "", "device": "", "split": split, "record_type": "", "continuous": True}


def audio_files(folder: Path) -> dict[str, Path]:
    """Return the audio files that lie in a folder, by stem; none where there is no such folder.

    Raises
    ------
    InputError
        If two files have the same stem: which of them was annotated cannot be told.
    """
    found: dict[str, Path] = {}
    if not folder.is_dir():
        return found
    for path in sorted(visible(folder.iterdir())):
        if path.suffix.lower() not in SUFFIXES:
            continue
        if path.stem in found:
            raise InputError(f"{path}: the same recording as {found[path.stem].name}; keep one of the two")
        found[path.stem] = path
    return found


def measure(path: Path | None) -> tuple[str, float, int]:
    """Read the header of a recording.

    Only the header, so that a corpus opens in seconds; a file that ends before its header says so is found by
    whoever reads its samples (:func:`lungsound.audio.read_pcm`).

    Parameters
    ----------
    path : Path or None
        The file; None for a recording that has annotations alone.

    Returns
    -------
    path : str
        Absolute, "" for None.
    seconds : float
        Length, 0.0 for None.
    sample_rate : int
        Hz, 0 for None.

    Raises
    ------
    InputError
        If the file is no audio or holds no sample.
    """
    if path is None:
        return "", 0.0, 0
    try:
        header = soundfile.info(path)
    except soundfile.LibsndfileError as error:
        raise unreadable(path, error.error_string) from error
    if header.frames <= 0 or header.samplerate <= 0:
        raise InputError(f"{path}: holds no sound; leave it out or record it again")
    return str(path.absolute()), header.frames / header.samplerate, header.samplerate
