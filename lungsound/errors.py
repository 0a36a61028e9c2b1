"""The one error a user can mend."""

from collections.abc import Iterator
from contextlib import contextmanager


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
