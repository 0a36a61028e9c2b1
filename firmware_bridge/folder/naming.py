"""A model's own name before every symbol and file of its C, so that several models link into one program."""

import re
from collections.abc import Iterable
from pathlib import Path

from lungsound.errors import InputError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*")
_LONGEST = 31  # C99's significant characters of an external name (5.2.4.1), before the symbol's own
_SYMBOL = re.compile(r"\b(?:au|net|frontend|auscult|AU|NET|FRONTEND|AUSCULT)_\w+")
_READ_WITH_C = ("README.md", "Makefile", "CMakeLists.txt")
_TEXT = {"encoding": "utf-8", "errors": "surrogateescape"}


def check_name(name: str) -> str:
    """Return a name that C symbols may begin with.

    Raises
    ------
    InputError
        If it cannot stand before an underscore in a C identifier that belongs to an application.
    """
    if _NAME.fullmatch(name) is None or len(name) > _LONGEST:
        raise InputError(
            f"--name: {name[:60]!r} is no beginning of a C identifier; write letters, digits and single underscores, "
            f"a letter first, {_LONGEST} at most"
        )
    return name


def put_name(folder: Path, name: str, files: Iterable[str]) -> dict[str, str]:
    """Put a name before the symbols of all C in a folder, and before the names of some of its files.

    Symbols are those that begin as all of ours do: ``net_push`` becomes ``heart_net_push``, ``NET_ROWS`` becomes
    ``HEART_NET_ROWS``. Build files and the README follow.

    Parameters
    ----------
    folder : Path
        A written folder.
    name : str
        From :func:`check_name`.
    files : iterable of str
        What is to be renamed, by name in the folder: an application's sources and headers.

    Returns
    -------
    dict of str to str
        The files' new names by their old ones.
    """
    renamed = {file: f"{name}_{file}" for file in files}
    code = sorted(folder.rglob("*.[ch]"))
    texts = {path: path.read_text(**_TEXT) for path in code}
    symbols = {symbol for text in texts.values() for symbol in _SYMBOL.findall(text)}
    words = {symbol: f"{name.upper() if symbol[0].isupper() else name}_{symbol}" for symbol in symbols} | renamed
    longest_first = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    known = re.compile(rf"(?:(?<!\w)|(?<=-D))(?:{longest_first})(?!\w)")
    texts |= {path: path.read_text(**_TEXT) for file in _READ_WITH_C if (path := folder / file).is_file()}
    for path, text in texts.items():
        path.write_text(known.sub(lambda found: words[found[0]], text), **_TEXT)
    for old, new in renamed.items():
        (folder / old).rename(folder / new)
    return renamed
