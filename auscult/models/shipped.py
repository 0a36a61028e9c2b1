"""The trained models in the package: bundles that run at once."""

from pathlib import Path
from typing import Any

from export.bundle.manifest import MANIFEST_FILE
from export.bundle.opening import Bundle
from lungsound.errors import InputError
from lungsound.files.plain_json import loads, take

FOLDER = Path(__file__).parent / "bundles"
INDEX = FOLDER / "index.json"
"""What is known of each bundle beside its manifest: made by ``benchmarks/ship_models.py``."""


def names() -> list[str]:
    """Return the names of the shipped models; the first is the one that is used if nobody chooses."""
    return list(index())


def index() -> dict[str, dict[str, Any]]:
    """Return what is known of the shipped models, by name."""
    if not INDEX.is_file():
        return {}
    values = loads(INDEX.read_text(encoding="utf-8"))
    return {name: take(values, name, dict) for name in values}


def open_model(asked: str | None) -> tuple[str, Bundle]:
    """Open a shipped model by its name, or a bundle by its folder.

    Parameters
    ----------
    asked : str or None
        The name or the folder; None for the first of the shipped models.

    Returns
    -------
    str
        What to call it.
    Bundle
        Read from disk, and held against its hashes.

    Raises
    ------
    InputError
        If it is neither, or is damaged.
    """
    known = names()
    if asked is None:
        if not known:
            raise InputError("no model is in this package; name a bundle with --model")
        asked = known[0]
    if asked in known:
        return asked, Bundle.open(FOLDER / asked)
    if not (Path(asked) / MANIFEST_FILE).is_file():
        raise InputError(
            f"--model {asked}: neither a shipped model ({', '.join(known) or 'none'}) nor the folder of a bundle"
        )
    return asked, Bundle.open(Path(asked))
