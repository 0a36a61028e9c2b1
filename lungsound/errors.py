"""The one error a user can mend."""


class InputError(ValueError):
    """Bad input: one sentence that names the file, the value and the fix.

    Commands print the sentence and exit with 1, without a traceback.
    """


def first_line(error: Exception) -> str:
    """Return the first line of what a library said, at most 120 characters; the error's name where it said nothing."""
    return str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
