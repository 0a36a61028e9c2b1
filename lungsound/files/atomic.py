"""Files and folders that are there whole or not at all."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lungsound.errors import InputError
from lungsound.files.leftovers import EARLIER, UNFINISHED, sweep
from lungsound.files.use import in_use

_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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
        If the file cannot be written there, or the disk is full; the temporary file is removed first.
    """
    with _folder_of(path):
        with (
            _cannot_be_written(path),
            tempfile.NamedTemporaryFile(
                dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED, delete=False
            ) as handle,
        ):
            temporary = Path(handle.name)
        try:
            with in_use(temporary):
                with full_disk_is_input_error(path):
                    yield temporary
                with _cannot_be_written(path):
                    temporary.chmod(0o644)
                    temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; rename it to `path` on success.

    An existing `path` is replaced only once the new folder is complete. A link is followed: it stays, and the folder
    that it names is replaced.

    Parameters
    ----------
    path : Path
        Where the folder shall stand.

    Raises
    ------
    InputError
        If the folder cannot be written there, `path` is a file or the folder that the process runs in, or the disk is
        full; the temporary folder is removed first.
    """
    folder = _place_of(path)
    with _folder_of(folder):
        with _cannot_be_written(path):
            temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=UNFINISHED))
        try:
            with in_use(temporary):
                with full_disk_is_input_error(path):
                    yield temporary
                with _cannot_be_written(path):
                    temporary.chmod(0o755)
                    _put_in_place(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _place_of(path: Path) -> Path:
    """Return where the folder lies, links followed, if it can be replaced."""
    try:
        folder = path.resolve()
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{path}: is a file; name a folder")
        if Path.cwd().is_relative_to(folder):
            raise InputError(f"{path}: is the folder that this command runs in; leave it first, or name one inside")
    except (OSError, RuntimeError) as error:  # a circle of links is a RuntimeError up to Python 3.12
        reason = getattr(error, "strerror", None) or "a circle of links"
        raise InputError(f"{path}: cannot be written ({reason}); name another place") from error
    return folder


def _put_in_place(whole: Path, folder: Path) -> None:
    """Rename the folder `whole` to `folder`; one that is there already comes back if that fails."""
    if not folder.exists():
        whole.rename(folder)
        return
    _check_removable(folder)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=EARLIER))
    earlier = aside / folder.name
    try:
        folder.rename(earlier)
        try:
            whole.rename(folder)
        except BaseException:
            earlier.rename(folder)
            raise
    except BaseException:
        aside.rmdir()
        raise
    shutil.rmtree(aside)


def _check_removable(folder: Path) -> None:
    """Raise what removing the folder would, while it is still whole."""
    for inside, _, _ in os.walk(folder):
        if not os.access(inside, os.R_OK | os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), inside)


@contextmanager
def _folder_of(path: Path) -> Iterator[None]:
    """Make the folder that `path` lies in, with those above it; what was made goes again if the block fails.

    What writers that were killed left there is swept first.
    """
    with _cannot_be_written(path):
        missing = [folder for folder in path.parents if not folder.exists()]
    try:
        with _cannot_be_written(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise


@contextmanager
def full_disk_is_input_error(path: Path) -> Iterator[None]:
    """Raise an `InputError` that names `path` where the block meets a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL_DISK:
            raise _refusal(path, error) from error
        raise


@contextmanager
def _cannot_be_written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _refusal(path, error) from error


def _refusal(path: Path, error: OSError) -> InputError:
    if error.errno in _FULL_DISK:
        return InputError(f"{path}: the disk is full; free some space or write to another place")
    if isinstance(error, FileExistsError | NotADirectoryError):
        file = next((folder for folder in path.parents if folder.is_file()), error.filename)
        return InputError(f"{path}: cannot be written, for {file} is a file; name another place")
    return InputError(f"{path}: cannot be written ({error.strerror}); name another place")
