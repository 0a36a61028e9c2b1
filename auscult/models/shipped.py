"""The trained models in the package: bundles that run at once, each with what is known of it beside."""

from pathlib import Path

from export.bundle.evidence import Evidence
from export.bundle.manifest import MANIFEST_FILE
from export.bundle.opening import Bundle
from lungsound.errors import InputError
from lungsound.files.record import read_object, read_values

FOLDER = Path(__file__).parent / "trained"
"""A folder NAME and a file NAME.json for each model; ``benchmarks/ship_models.py`` makes them."""

DEFAULT = "sprsound-m7"
"""Runs where nobody chooses: of those that become C, the one that hears best."""


def names() -> list[str]:
    """Return the names of the shipped models, the default first."""
    found = sorted(path.parent.name for path in FOLDER.glob(f"*/{MANIFEST_FILE}"))
    return sorted(found, key=lambda name: name != DEFAULT)


def evidence_of(name: str) -> Evidence:
    """Return what is known of a shipped model.

    Raises
    ------
    InputError
        If its file is missing or was changed.
    """
    file = FOLDER / f"{name}.json"
    try:
        return read_values(Evidence, read_object(file))
    except InputError as error:
        raise InputError(f"{file}: {error}; install auscult again") from error


def open_model(asked: str | None) -> tuple[str, Bundle]:
    """Open a shipped model by its name, or a bundle by its folder.

    Parameters
    ----------
    asked : str or None
        The name or the folder; None for the default.

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
    asked = DEFAULT if asked is None else asked
    if asked in known:
        return asked, Bundle.open(FOLDER / asked)
    if not (Path(asked) / MANIFEST_FILE).is_file():
        raise InputError(
            f"--model {asked}: neither a shipped model ({', '.join(known) or 'none'}) nor the folder of a bundle"
        )
    return asked, Bundle.open(Path(asked))
