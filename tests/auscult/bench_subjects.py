"""Things to measure that behave in known ways; a module of its own, so that fresh processes load little."""

import os

import numpy as np

from lungsound.errors import InputError


def load_hog(size):
    """Keeps `size` bytes."""
    kept = np.ones(size, np.uint8)
    return lambda window: kept[: len(window)]


def load_nothing():
    """Keeps nothing."""
    return lambda window: window.sum()


def load_diary(path):
    """Writes down every run in a file that all subjects share."""

    def run(window):
        with open(path, "a") as diary:  # noqa: PTH123
            diary.write(str(int(window[0])))

    return run


def load_nonsense():
    """Refuses."""
    raise InputError("not a model")


def load_surprise():
    """Refuses in the middle of what is timed."""
    left = iter(range(4))

    def run(window):
        if next(left, None) is None:
            raise InputError("no more")

    return run


def load_endless():
    """Never comes back."""
    while True:
        pass


def load_bomb():
    """Takes its process down."""
    return lambda window: os._exit(3)
