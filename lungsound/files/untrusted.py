"""Files that anybody may have made: opened only if they are regular files, and read up to a limit."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from lungsound.errors import InputError, os_sentence

_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read its bytes; never wait, as a pipe would let one.

    Raises
    ------
    InputError
        If it is a folder, a pipe, a socket or a device, missing or not readable, or its name cannot be one.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise InputError(os_sentence(error, path)) from error
    except ValueError as error:
        raise InputError(f"{path}: holds a NUL character, which no path has; check the path") from error
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        if stat.S_ISDIR(mode):
            raise InputError(os_sentence(IsADirectoryError(errno.EISDIR, ""), path))
        kind = next((kind for is_one, kind in _KINDS if is_one(mode)), "no regular file")
        raise InputError(f"{path}: is {kind}; name a regular file")
    return os.fdopen(handle, "rb")


def read_bytes(path: Path, most: int) -> bytes:
    """Read a regular file whole.

    Parameters
    ----------
    path : Path
        The file.
    most : int
        Bytes it may have.

    Raises
    ------
    InputError
        If it has more, or :func:`open_regular` refuses it.
    """
    with open_regular(path) as file:
        try:
            content = file.read(most + 1)
        except OSError as error:
            raise InputError(os_sentence(error, path)) from error
    if len(content) > most:
        raise InputError(f"{path}: holds more than the {most:,} bytes that such a file may have; name another file")
    return content


def read_text(path: Path, most: int, encoding: str = "utf-8") -> str:
    """Read a regular text file whole; see :func:`read_bytes`.

    Raises
    ------
    InputError
        Also if it is not text in that encoding.
    """
    try:
        return read_bytes(path, most).decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not text ({error.reason}); restore it or save it as UTF-8") from error
