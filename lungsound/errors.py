"""The one error a user can mend."""


class InputError(ValueError):
    """Bad input: one sentence that names the file, the value and the fix.

    Commands print the sentence and exit with 1, without a traceback.
    """
