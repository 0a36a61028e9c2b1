"""Files changed at random, and the checksums in them made right again, so that the reader is what is tried."""

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator

import numpy as np

VALUES = [b"null", b"true", b"-1", b"0", b"1e999", b"NaN", b"[]", b"{}", b'""', b'"x"', b"1e-320", b"9" * 400]
VALUES += [b"[" * 2000, b'{"a":' * 2000, b"\xff", b'"\\ud800"', b"-0.0", b"18446744073709551616", b'"\\u0000"']

CHECK_LINE = b"\ncrc32 %08x\n"

Mend = Callable[[bytes], bytes]


def mutations(content: bytes, count: int, seed: int, mend: Mend = bytes) -> Iterator[bytes]:
    """Yield `count` changed contents; every second one is mended."""
    rng = np.random.default_rng(seed)
    is_text = b"\x00" not in content
    for number in range(count):
        changed = content
        for _ in range(int(rng.integers(1, 4))):
            changed = _value(changed, rng) if is_text and rng.random() < 0.6 else _bytes(changed, rng)
        yield mend(changed) if number % 2 else changed


def _value(content: bytes, rng: np.random.Generator) -> bytes:
    """Put another value in the place of one: after an equals sign or a colon, or inside brackets."""
    values = list(re.finditer(rb'(?<=[:=\[,] )[^\s,\]\}]+|(?<=\n    )"?[\w.-]+"?(?=,?\n)', content))
    if not values:
        return content
    chosen = values[rng.integers(len(values))]
    return content[: chosen.start()] + VALUES[rng.integers(len(VALUES))] + content[chosen.end() :]


def _bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip a bit, or write over, cut out, repeat, insert or cut off some bytes."""
    if not content:
        return b"\x00"
    start = int(rng.integers(len(content)))
    end = start + int(rng.integers(1, 1 + min(64, len(content) - start)))
    noise = rng.bytes(end - start)
    return [
        content[:start] + bytes([content[start] ^ 1 << int(rng.integers(8))]) + content[start + 1 :],
        content[:start] + noise + content[end:],
        content[:start] + content[end:],
        content[:end] + content[start:],
        content[:start] + noise + content[start:],
        content[:start],
    ][rng.integers(6)]


def with_records(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a zip archive with one of its records changed, and checksums that fit."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(changed, "w") as target:
        names = source.namelist()
        chosen = next(name for name in names if name.endswith("data.pkl"))
        if rng.random() < 0.3:
            chosen = names[rng.integers(len(names))]
        for name in names:
            record = source.read(name)
            target.writestr(name, _bytes(record, rng) if name == chosen else record)
        target.comment = CHECK_LINE % 0
    return with_crc32(changed.getvalue())


def with_crc32(content: bytes) -> bytes:
    """Return a stored file whose last line is the checksum of what is before it."""
    body = re.sub(rb"\ncrc32 [0-9a-f]{8}\n\Z", b"", content)
    return body + CHECK_LINE % zlib.crc32(body)
