"""A file's own checksum: the CRC-32 of everything before it, as its last line."""

import os
import zlib
from typing import BinaryIO

_AT_ONCE = 2**20  # bytes


def check_line(checksum: int) -> bytes:
    """Return the last line of a file whose other bytes have this CRC-32."""
    return b"\ncrc32 %08x\n" % checksum


CHECK_BYTES = len(check_line(0))


def checksum(handle: BinaryIO, size: int) -> int:
    """Return the CRC-32 of the first `size` bytes of a file, and leave it open where they end."""
    handle.seek(0)
    found, left = 0, size
    while left and (block := handle.read(min(left, _AT_ONCE))):
        found, left = zlib.crc32(block, found), left - len(block)
    return found


def is_whole(handle: BinaryIO) -> bool | None:
    """Tell whether a file ends in the checksum of the rest; None where it ends in none."""
    size = handle.seek(0, os.SEEK_END) - CHECK_BYTES
    if size < 0:
        return None
    handle.seek(size)
    line = handle.read()
    if not line.startswith(check_line(0)[:7]):
        return None
    return line == check_line(checksum(handle, size))
