"""Arrays on disk that tell whether they are still what was written.

A stored array is a ``.npy`` file of float32, as any reader of NumPy's format takes it, with a CRC-32 of everything
before it as its last line. Files of an earlier state, without that line, are read as they are.
"""

import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError
from lungsound.files.checksum import CHECK_BYTES, check_line, checksum, is_whole
from lungsound.files.use import mark_used

# Read by hand: NumPy's own reader evaluates the header as Python.
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00(..)\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d{1,12}(?:, \d{1,12})*),?\), \} *\n",
    re.DOTALL,
)
_LONGEST_HEADER = 256


@contextmanager
def new_array(file: Path, shape: tuple[int, ...]) -> Iterator[int]:
    """Write an array's header and reserve its space; add its checksum when the block has written the values.

    The values are written through the file, never through a memory map, where a full disk would be a bus error.

    Parameters
    ----------
    file : Path
        A temporary one, of :mod:`lungsound.files.atomic`.
    shape : tuple of int
        Of the float32 values.

    Yields
    ------
    int
        Where the first value goes, in bytes from the beginning of the file.

    Raises
    ------
    OSError
        If the disk is full, before the first value is computed.
    """
    with file.open("wb") as handle:
        np.lib.format.write_array_header_1_0(handle, {"descr": "<f4", "fortran_order": False, "shape": shape})
        first_byte = handle.tell()
        size = first_byte + 4 * math.prod(shape)
        handle.truncate(size)
        if hasattr(os, "posix_fallocate"):  # macOS has none; there a full disk is met later
            os.posix_fallocate(handle.fileno(), 0, size + CHECK_BYTES)
    yield first_byte
    with file.open("r+b") as handle:
        line = check_line(checksum(handle, size))
        handle.seek(size)
        handle.write(line)


def open_array(file: Path, shape: tuple[int | None, ...], *, verify: bool = True) -> NDArray[np.float32] | None:
    """Map an array whose checksum is right; None where it is missing, damaged or of another shape.

    Parameters
    ----------
    file : Path
        What :func:`new_array` wrote.
    shape : tuple of int or None
        What it must have; None stands for any length.
    verify : bool
        Read it all and hold it against its checksum; not worth it for what this process has just written.

    Returns
    -------
    memmap of float32, or None
        Read-only; the file counts as in use (:mod:`lungsound.files.use`) while it lives.

    Raises
    ------
    InputError
        If the file is there and cannot be read.
    """
    if not file.is_file():
        return None
    try:
        with file.open("rb") as handle:
            mark_used(handle.fileno())
            found = _HEADER.match(handle.read(_LONGEST_HEADER))
            if found is None or int.from_bytes(found[1], "little") != found.end() - 10:
                return None
            held = tuple(int(length) for length in found[2].split(b", "))
            size = found.end() + 4 * math.prod(held)
            if not _fits(held, shape) or (verify and not _is_as_written(handle, size)):
                return None
            return np.memmap(handle, np.float32, "r", found.end(), held)
    except OSError as error:
        raise InputError(f"{file}: not readable ({error.strerror}); remove it or change its permissions") from error


def _fits(held: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    return 0 not in held and len(held) == len(shape) and all(b in (a, None) for a, b in zip(held, shape, strict=True))


def _is_as_written(handle: BinaryIO, size: int) -> bool:
    """Tell whether `size` bytes are followed by their checksum, or by nothing, as an earlier state left it."""
    held = handle.seek(0, os.SEEK_END)
    return held == size or (held == size + CHECK_BYTES and is_whole(handle) is True)
