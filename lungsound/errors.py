"""The one error a user can mend, and the sentences of those that the system raises."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

MOST_CHARACTERS = 1500
"""Of a sentence: what fits on a screen of 80 by 24, with room for more than one."""

_DISK_FULL = "the disk is full; free some space or write to another place"
_WHY = {
    errno.ENOENT: "no such file or folder; check the path",
    errno.EACCES: "permission denied; mend its permissions or name another place",
    errno.EPERM: "permission denied; mend its permissions or name another place",
    errno.EROFS: "lies on a disk that cannot be written; name another place",
    errno.EISDIR: "is a folder; name a file",
    errno.ENOTDIR: "a part of the path is a file, not a folder; check the path",
    errno.ELOOP: "a circle of links; name the file itself",
    errno.ENAMETOOLONG: "the name is longer than the file system takes; shorten it",
    errno.EEXIST: "exists already; name another place",
    errno.ENOTEMPTY: "holds other files; name another place",
    errno.EIO: "the disk reports an error; copy the file again or use another disk",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n) or close some",
    errno.ENFILE: "too many files are open; raise the limit (ulimit -n) or close some",
    errno.ENXIO: "is a pipe, a socket or a device; name a regular file",
    errno.ESTALE: "is gone from its server; check the connection and the path",
    errno.ENOSPC: _DISK_FULL,
    errno.EDQUOT: _DISK_FULL,
    errno.EFBIG: _DISK_FULL,
}


class InputError(ValueError):
    """Bad input: one sentence that names the file, the value and the fix.

    Commands print the sentence and exit with 1, without a traceback.
    """


@contextmanager
def gathered(faults: list[str]) -> Iterator[None]:
    """Add the sentence of an `InputError` to `faults` instead of raising it, so that one reading finds them all."""
    try:
        yield
    except InputError as error:
        faults.append(str(error))


def first_line(error: BaseException) -> str:
    """Return the first line of what a library said, at most 120 characters; the error's name where it said nothing."""
    return str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__


def os_sentence(error: OSError, path: str | os.PathLike[str] | None = None) -> str:
    """Return what the system refused: the file, why, and what to do.

    Parameters
    ----------
    error : OSError
        As raised.
    path : path-like, optional
        The file, where the error does not name it.
    """
    place = error.filename if path is None else path
    why = _WHY.get(error.errno or 0) or f"{error.strerror or first_line(error)}; check the path and try again"
    if place is None or isinstance(place, int):  # a number is an open file
        return why
    return f"{os.fsdecode(place)}: {why}"


def on_a_screen(text: str) -> str:
    """Return a sentence that a terminal shows as it is: one line, nothing that steers, at most `MOST_CHARACTERS`.

    Of one that is longer the middle goes, since the file stands at its beginning and the fix at its end.
    """
    if len(text) > MOST_CHARACTERS:
        last = MOST_CHARACTERS // 3
        text = f"{text[: MOST_CHARACTERS - last]} [... {len(text) - MOST_CHARACTERS} characters ...] {text[-last:]}"
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
