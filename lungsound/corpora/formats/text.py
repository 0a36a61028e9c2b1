"""Text that people and spreadsheets wrote, in whatever encoding says itself which it is."""

import codecs
import reprlib
from collections.abc import Iterable
from pathlib import Path

from lungsound.errors import InputError
from lungsound.files.untrusted import read_bytes

MOST_BYTES = 2**20
"""Of an annotation or a list: a thousand times what the published ones have."""

_LONGEST_SHOWN = 80  # more than any published name has
_short = reprlib.Repr()
_short.maxstring = _short.maxlong = _short.maxother = _LONGEST_SHOWN
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


def encoding_of(content: bytes) -> str:
    """Return UTF-16 or UTF-32 where a byte order mark says so, else UTF-8."""
    if content.startswith(_UTF32):  # the mark of UTF-16 is its beginning
        return "utf-32"
    return "utf-16" if content.startswith(_UTF16) else "utf-8-sig"


def read_text(path: Path) -> str:
    """Read an annotation or a list.

    Raises
    ------
    InputError
        If it is no file, longer than `MOST_BYTES`, or not text.
    """
    content = read_bytes(path, MOST_BYTES)
    try:
        text = content.decode(encoding_of(content))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file ({error.reason}); restore it or save it as UTF-8") from error
    if "\0" in text:
        raise InputError(f"{path}: not a text file (it holds zero bytes); restore it or save it as UTF-8")
    return text


def read_lines(path: Path) -> list[tuple[str, str]]:
    """Return the lines of a text file that are not blank, each as (where it stands, its text).

    Raises
    ------
    InputError
        As :func:`read_text`.
    """
    lines = enumerate(read_text(path).splitlines(), 1)
    return [(f"{path}, line {number}", line) for number, line in lines if line.strip()]


def shown(value: object) -> str:
    """Return a value as a sentence quotes it: of a long one its ends."""
    return _short.repr(value)


def named(names: Iterable[str], most: int = 20) -> str:
    """Return the first of the names, each cut to what a sentence holds."""
    names = list(names)
    first = [name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}..." for name in names[:most]]
    return ", ".join([*first, "..."] if len(names) > most else first)


def listed(names: Iterable[str], most: int = 5) -> str:
    """Return how many names there are and the first of them."""
    names = list(names)
    return f"{len(names)} ({named(names, most)})"
