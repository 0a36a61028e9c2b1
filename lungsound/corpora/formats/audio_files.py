"""Files of a corpus, found by the ending or the stem of their name, and how long recordings are."""

import os
from collections.abc import Collection
from pathlib import Path

import soundfile

from lungsound.audio import CONVERTED, convert, refuse_absurd_header, unreadable
from lungsound.errors import InputError, os_sentence
from lungsound.files.untrusted import open_regular

SUFFIXES = frozenset(
    {".wav", ".flac", ".aif", ".aiff", ".aifc", ".au", ".caf", ".mp3", ".ogg", ".oga", ".opus", ".rf64", ".w64"}
)
"""Endings of the containers that libsndfile reads and recordings come in; capitals do not matter."""


def visible(name: str) -> bool:
    """Whether a file counts: no dot before its name, as the ``._*`` twins have that macOS writes on other disks."""
    return not name.startswith(".")


def files_in(folder: Path, suffixes: Collection[str], faults: list[str]) -> list[Path]:
    """Return what has one of the endings in a folder, whatever its capitals; none where there is no such folder."""
    if not folder.is_dir():
        return []
    try:
        found = [path for path in folder.iterdir() if visible(path.name) and path.suffix.lower() in suffixes]
    except OSError as error:
        faults.append(os_sentence(error, folder))
        return []
    return sorted(found)


def files_below(root: Path, suffixes: Collection[str], faults: list[str]) -> list[Path]:
    """Return what has one of the endings in a folder and all below it; folders that are hidden or linked are left out.

    What is no file is returned as well, so that whoever reads it says so.
    """
    found = []
    for folder, inside, names in os.walk(root, onerror=lambda error: faults.append(os_sentence(error))):
        inside[:] = filter(visible, inside)
        paths = (Path(folder) / name for name in (*inside, *names) if visible(name))
        found += [path for path in paths if path.suffix.lower() in suffixes]
    return sorted(found)


def audio_below(root: Path, faults: list[str]) -> list[Path]:
    """Return the audio files in a folder and all below it; one that has to be converted first is a fault."""
    found = files_below(root, SUFFIXES | CONVERTED, faults)
    others = [path for path in found if path.suffix.lower() in CONVERTED]
    faults += [f"{path}: a format that is not read here; {convert(path)}" for path in others if path.is_file()]
    return [path for path in found if path.suffix.lower() in SUFFIXES]


def own_recording(root: Path, path: Path, split: str = "") -> dict[str, object]:
    """Return the row of a recording of which nobody tells anything, named by its path below `root`."""
    name = path.relative_to(root).as_posix()
    file, seconds, sample_rate = measure(path)
    measured = {"recording": name, "path": file, "seconds": seconds, "sample_rate": sample_rate, "patient": name}
    return measured | {"site": "", "device": "", "split": split, "record_type": "", "continuous": True}


def audio_files(folder: Path, faults: list[str]) -> dict[str, Path]:
    """Return the audio files that lie in a folder, by stem; none where there is no such folder.

    Two files of one stem are a fault: which of them was annotated cannot be told.
    """
    found: dict[str, Path] = {}
    for path in files_in(folder, SUFFIXES, faults):
        if (other := found.setdefault(path.stem, path)) != path:
            faults.append(f"{path}: the same recording as {other.name}; keep one of the two")
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
        If the file is no file, no audio, absurdly long or holds no sample.
    """
    if path is None:
        return "", 0.0, 0
    open_regular(path).close()
    try:
        header = soundfile.info(os.fsencode(path))
    except soundfile.LibsndfileError as error:
        raise unreadable(path, error.error_string) from error
    if header.frames <= 0 or header.samplerate <= 0:
        raise InputError(f"{path}: holds no sound; leave it out or record it again")
    refuse_absurd_header(path, header.samplerate, header.frames, header.channels)
    return str(path.absolute()), header.frames / header.samplerate, header.samplerate
