"""The corpora by name: a module of this package registers how it is read."""

import importlib
import pkgutil
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import lungsound.corpora
from lungsound.errors import InputError, os_sentence

if TYPE_CHECKING:  # the names of the commands need not wait for pandas
    from lungsound.corpus import Corpus

Load = Callable[[Path], "Corpus"]

SHARDS = "shards"
"""What ``shards:FOLDER`` names is no corpus: clips of any corpora, written by :mod:`lungsound.shards.writing`."""


@dataclass(frozen=True)
class Reader:
    """A corpus that can be read.

    Attributes
    ----------
    name : str
        As command lines say it, ``NAME:ROOT``.
    what : str
        What it is, in a line.
    layout : str
        How it lies on disk, in a sentence.
    terms : str
        Licence or terms of use.
    paper : str
        What to cite.
    load : callable
        From the folder or file to a `Corpus`. A file that is damaged is a sentence in the corpus' ``faults``
        (:func:`lungsound.errors.gathered`); where nothing can be read, an `InputError`.
    root : {"folder", "file"}
        What the root is.
    embedded : callable, optional
        The corpus that needs no root.
    """

    name: str
    what: str
    layout: str
    terms: str
    paper: str
    load: Load
    root: Literal["folder", "file"] = "folder"
    embedded: "Callable[[], Corpus] | None" = None


_READERS: dict[str, Reader] = {}


def register(
    name: str,
    *,
    what: str,
    layout: str,
    terms: str,
    paper: str,
    root: Literal["folder", "file"] = "folder",
    embedded: "Callable[[], Corpus] | None" = None,
) -> Callable[[Load], Load]:
    """Register the decorated function as the reader of a corpus; the parameters are those of `Reader`.

    Raises
    ------
    ValueError
        If another function has the name.
    """

    def registered(load: Load) -> Load:
        known = _READERS.get(name)
        if known is not None and known.load.__module__ != load.__module__:
            raise ValueError(f"corpus {name!r} is registered by {known.load.__module__} already")
        _READERS[name] = Reader(name, what, layout, terms, paper, load, root, embedded)
        return load

    return registered


def readers() -> dict[str, Reader]:
    """Return all readers by name: those of every module in or below this package, and whatever else was registered."""
    for module in pkgutil.walk_packages(lungsound.corpora.__path__, f"{lungsound.corpora.__name__}."):
        importlib.import_module(module.name)
    return dict(sorted(_READERS.items()))


def parse_data(text: str) -> tuple[str, Path | None]:
    """Split what a command line says, ``name:root`` or ``name``, into name and root."""
    name, _, root = text.partition(":")
    return name, Path(root).expanduser() if root else None


def absolute_data(text: str) -> str:
    """Return what a command line says of a corpus with an absolute root, which is found from every folder."""
    name, root = parse_data(text)
    return text if root is None else f"{name}:{root.absolute()}"


def moved(data: Sequence[str], now: Sequence[str], owner: Path) -> tuple[str, ...]:
    """Return where corpora lie now.

    Parameters
    ----------
    data, now : sequence of str
        ``name:root`` of before, and of today; the first where that is empty.
    owner : Path
        Whose corpora they are; for the sentence.

    Raises
    ------
    InputError
        If the names are not the same.
    """
    names = [text.partition(":")[0] for text in data]
    if now and [text.partition(":")[0] for text in now] != names:
        said = " ".join(f"--data {name}:ROOT" for name in names)
        raise InputError(f"{owner}: its corpora are {', '.join(names)}, not {', '.join(now)}; give {said}")
    return tuple(now or data)


def read_corpus(name: str, root: Path | None = None) -> "Corpus":
    """Read a corpus, whatever is wrong with its files.

    Parameters
    ----------
    name : str
        Of a reader.
    root : Path, optional
        Its folder or file; an embedded corpus can do without.

    Raises
    ------
    InputError
        If the name is unknown, the root missing, or nothing there can be read.
    """
    known = readers()
    if name == SHARDS:
        raise InputError("shards are read by auscult pretrain --data alone; name the corpora that they were made of")
    if name not in known:
        raise InputError(f"corpus {name!r}: unknown; choose from {', '.join(known)}")
    reader = known[name]
    if root is None:
        if reader.embedded is None:
            raise InputError(f"{name}: its {reader.root} is missing; write {name}:{_placeholder(reader)}")
        return reader.embedded()
    _check_root(root, reader)
    return reader.load(root)


def _check_root(root: Path, reader: Reader) -> None:
    try:
        found = root.stat()
        right = stat.S_ISREG(found.st_mode) if reader.root == "file" else stat.S_ISDIR(found.st_mode)
        if right and reader.root == "folder":
            next(root.iterdir(), None)
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        if isinstance(error, FileNotFoundError | NotADirectoryError | ValueError):
            right = False
        else:
            raise InputError(os_sentence(error, root)) from error
    if not right:
        raise InputError(f"{root}: no such {reader.root}; name the {reader.root} of {reader.name}")


def open_corpus(name: str, root: Path | None = None) -> "Corpus":
    """Read a corpus to work with; see :func:`read_corpus`.

    Raises
    ------
    InputError
        Also if anything is wrong with any of its files.
    """
    corpus = read_corpus(name, root)
    if corpus.faults:
        first, *others = corpus.faults
        more = f" (and {len(others)} more faults; auscult data check lists them)" if others else ""
        raise InputError(first + more)
    return corpus


def _placeholder(reader: Reader) -> str:
    return "FILE" if reader.root == "file" else "ROOT"
