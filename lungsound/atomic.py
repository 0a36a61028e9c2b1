"""Files and folders that are there whole or not at all."""

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lungsound.errors import InputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success.

    Parameters
    ----------
    path : Path
        Where the file shall stand. Its folder is made if it is missing.

    Raises
    ------
    InputError
        If the disk is full; the temporary file is removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as handle:
        temporary = Path(handle.name)
    try:
        with _full_disk_is_input_error(path):
            yield temporary
            temporary.chmod(0o644)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; rename it to `path` on success.

    An existing `path` is replaced only once the new folder is complete.

    Parameters
    ----------
    path : Path
        Where the folder shall stand.

    Raises
    ------
    InputError
        If the disk is full; the temporary folder is removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        with _full_disk_is_input_error(path):
            yield temporary
            temporary.chmod(0o755)
            if path.exists():
                replaced = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
                path.rename(replaced / path.name)
                temporary.rename(path)
                shutil.rmtree(replaced)
            else:
                temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _full_disk_is_input_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise InputError(f"{path}: the disk is full; free some space or write to another place") from error
        raise
