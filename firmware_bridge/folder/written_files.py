"""What `auscult firmware` wrote into a folder, so that it replaces nothing else."""

import hashlib
from pathlib import Path

from lungsound.errors import InputError
from lungsound.files.plain_json import loads, take

REPORT_FILE = "report.json"
_LARGEST_REPORT = 1 << 24
_MADE_BY_MAKE = ("self_test.elf", "self_test_sound.elf", "bench_main.elf", "bench.a")
_OBJECTS = ("objects/", "bench_objects/")


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder, by its path in it; `report.json`, which lists them, apart."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: _sha256(path) for name, path in files.items() if name != REPORT_FILE}


def check_replaceable(folder: Path) -> None:
    """Refuse to replace a folder that holds anything but what `hashes` lists in its `report.json`.

    Parameters
    ----------
    folder : Path
        May be missing. What the Makefile builds in it may be lost.

    Raises
    ------
    InputError
        If it is no folder, cannot be read, or holds a file that is not the one that was written; the message names it.
    """
    try:
        if not folder.exists():
            return
        if not folder.is_dir():
            raise InputError(f"{folder}: is a file; name a folder")
        foreign = _foreign_file(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror}); name another folder") from error
    if foreign is not None:
        raise InputError(f"{folder}: holds {foreign}; name another folder, or move that file away first")


def _foreign_file(folder: Path) -> str | None:
    """Return a file that is not as `auscult firmware` wrote it, and why it is not."""
    listed = _listed(folder / REPORT_FILE)
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not path.is_file():
            return f"{name}, which auscult did not write"
        if listed and (name in (REPORT_FILE, *_MADE_BY_MAKE) or (name.startswith(_OBJECTS) and name.endswith(".o"))):
            continue
        if name not in listed:
            return f"{name}, which auscult did not write"
        if _sha256(path) != listed[name]:
            return f"{name}, which was changed after auscult had written it"
    return None


def _listed(report: Path) -> dict[str, str]:
    """Return the hashes in a report; none if it is no report of this version."""
    if not report.is_file() or report.stat().st_size > _LARGEST_REPORT:
        return {}
    try:
        files = take(loads(report.read_text(encoding="utf-8")), "files", dict)
    except (InputError, UnicodeDecodeError):
        return {}
    return {name: str(value) for name, value in files.items()}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
