"""Audio files of a corpus, found by the stem of their name, and how long they are."""

from pathlib import Path

import soundfile

from lungsound.errors import InputError

SUFFIXES = frozenset(
    {".wav", ".flac", ".aif", ".aiff", ".aifc", ".au", ".caf", ".mp3", ".ogg", ".oga", ".opus", ".rf64", ".w64"}
)
"""Endings of the containers that libsndfile reads and recordings come in; capitals do not matter."""


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
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
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
        raise InputError(f"{path}: not readable as audio ({error.error_string}); copy or convert it again") from error
    if header.frames <= 0 or header.samplerate <= 0:
        raise InputError(f"{path}: holds no sound; leave it out or record it again")
    return str(path.absolute()), header.frames / header.samplerate, header.samplerate
