"""What the workers of pytest-xdist make once for all of them, as each would make the same."""

import functools
import hashlib
import os
import pickle
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from filelock import FileLock

P = ParamSpec("P")
T = TypeVar("T")

FOLDER = "TESTS_MADE_ONCE"
"""Variable that names a folder of the workers' own; without it each process makes its own."""

_known: dict[str, Any] = {}


def made_once(function: Callable[P, T]) -> Callable[P, T]:
    """Keep what `function` returns, as a pickle, by its arguments."""
    form = signature(function)

    @functools.wraps(function)
    def made(*args: P.args, **kwargs: P.kwargs) -> T:
        bound = form.bind(*args, **kwargs)
        bound.apply_defaults()
        name = f"{function.__module__}.{function.__name__}{bound.args}"
        return once(name, lambda: function(*args, **kwargs))

    return made


def once(name: str, make: Callable[[], T]) -> T:
    """Return what is made under this name; who asks while another worker makes it waits."""
    if name not in _known:
        folder = os.environ.get(FOLDER)
        _known[name] = make() if folder is None else _of_all_workers(Path(folder), name, make)
    return _known[name]


def _of_all_workers(folder: Path, name: str, make: Callable[[], T]) -> T:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(name.encode()).hexdigest()}.pickle"
    with FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            content = pickle.dumps(make())
            path.write_bytes(content)
    return pickle.loads(path.read_bytes())  # noqa: S301  # of another worker
