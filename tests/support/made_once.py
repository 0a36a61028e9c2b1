"""What the workers of pytest-xdist make once for all of them, as each would make the same."""

import functools
import os
import pickle
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import ParamSpec, TypeVar

from lungsound.files.atomic import whole_file

P = ParamSpec("P")
T = TypeVar("T")

FOLDER = "TESTS_MADE_ONCE"
"""Variable that names a folder of the workers' own; without it each process makes its own."""


def made_once(function: Callable[P, T]) -> Callable[P, T]:
    """Keep what `function` returns, as a pickle, by its arguments."""
    form = signature(function)
    known: dict[str, T] = {}

    @functools.wraps(function)
    def made(*args: P.args, **kwargs: P.kwargs) -> T:
        bound = form.bind(*args, **kwargs)
        bound.apply_defaults()
        name = f"{function.__module__}.{function.__name__}{bound.args}"
        if name not in known:
            known[name] = _shared(name, lambda: function(*args, **kwargs))
        return known[name]

    return made


def _shared(name: str, make: Callable[[], T]) -> T:
    folder = os.environ.get(FOLDER)
    if folder is None:
        return make()
    path = Path(folder) / f"{name}.pickle"
    if path.is_file():
        return pickle.loads(path.read_bytes())  # noqa: S301  # of another worker
    value = make()
    with whole_file(path) as temporary:
        temporary.write_bytes(pickle.dumps(value))
    return value
