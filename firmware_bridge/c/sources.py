"""The C that is copied as it stands, by name: kernels, engine, front end, boards."""

from functools import lru_cache
from pathlib import Path

_HERE = Path(__file__).parent


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Path]:
    return {path.name: path for path in sorted(_HERE.rglob("*.[ch]"))}


def source(name: str) -> Path:
    """Return where the C file `name` lies; no two of them share a name, since a written folder holds them side by side.

    Raises
    ------
    KeyError
        If there is none.
    """
    return _by_name()[name]
