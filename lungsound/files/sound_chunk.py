"""The chunk of a WAV or AIFF that holds its sound, and whether all of it is there."""

import os
import struct
from pathlib import Path
from typing import BinaryIO

from lungsound.errors import InputError
from lungsound.files.untrusted import open_regular

_OPEN_END = 0x7FFFF000  # writers to a pipe put this or more where they do not know the length
_MOST_CHUNKS = 1000  # before the sound; millions of empty ones would be walked for minutes
_IFF = {b"RIFF": "<", b"RF64": "<", b"RIFX": ">", b"FORM": ">"}  # WAV and AIFF, and their byte order


def refuse_cut_chunk(path: Path) -> None:
    """Refuse a WAV or AIFF whose sound chunk ends after the file: libsndfile reads those without a word.

    Raises
    ------
    InputError
        Naming the bytes that are there; or if it is no regular file.
    """
    with open_regular(path) as file:
        order = _IFF.get(file.read(4))
        file.seek(12)
        if order is None:
            return
        promised = _sound_chunk_bytes(file, order)
        start = file.tell()
        present = file.seek(0, os.SEEK_END) - start
    if promised is not None and present < promised:
        raise InputError(f"{path}: cut short, {present} of {promised} bytes of sound are there; copy the file again")


def _sound_chunk_bytes(file: BinaryIO, order: str) -> int | None:
    """Walk to the sound chunk and return the length it states; None if there is none or it is left open."""
    long_length = None
    for _ in range(_MOST_CHUNKS):
        if len(header := file.read(8)) < 8:
            break
        name, length = struct.unpack(f"{order}4sI", header)
        if name in (b"data", b"SSND"):
            return length if length < _OPEN_END else long_length
        if name == b"ds64" and len(lengths := file.read(16)) == 16:  # RF64 states 64-bit lengths here
            long_length = int(struct.unpack("<QQ", lengths)[1])
            file.seek(-16, 1)
        file.seek(length + length % 2, 1)
    return None
