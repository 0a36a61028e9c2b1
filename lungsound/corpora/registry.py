"""The corpora by name."""

from collections.abc import Callable
from pathlib import Path

from lungsound.corpora import hls_cmds, icbhi2017, sprsound, synthetic
from lungsound.corpus import Corpus
from lungsound.errors import InputError

CORPORA: dict[str, Callable[[Path], Corpus]] = {
    "icbhi2017": icbhi2017.load,
    "sprsound": sprsound.load,
    "hls_cmds": hls_cmds.load,
    "synthetic": synthetic.load,
}
"""How each is read from its folder; ``synthetic`` can do without one."""


def parse_data(text: str) -> tuple[str, Path | None]:
    """Split what a command line says, ``name:root`` or ``name``, into name and folder."""
    name, _, root = text.partition(":")
    return name, Path(root).expanduser() if root else None


def open_corpus(name: str, root: Path | None = None) -> Corpus:
    """Read a corpus.

    Parameters
    ----------
    name : str
        A name in `CORPORA`.
    root : Path, optional
        Its folder, laid out as published; only ``synthetic`` can do without.

    Raises
    ------
    InputError
        If the name is unknown, the folder missing, or a file damaged.
    """
    if name not in CORPORA:
        raise InputError(f"corpus {name!r}: unknown; choose from {', '.join(CORPORA)}")
    if root is None:
        if name != "synthetic":
            raise InputError(f"{name}: its folder is missing; write {name}:ROOT")
        return synthetic.load()
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the folder of {name}")
    return CORPORA[name](root)
