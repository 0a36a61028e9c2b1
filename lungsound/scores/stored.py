"""Tables of predictions as CSV, to the last bit and back."""

import hashlib
import zlib
from collections.abc import Sequence
from contextlib import suppress
from gzip import GzipFile, compress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungsound.errors import InputError, first_line
from lungsound.files.atomic import whole_file
from lungsound.scores.evaluation import predictions_table
from lungsound.training.runs import VALIDATION_FILE

_TEXT = (
    *("corpus", "recording", "path", "protocol", "patient", "site", "device", "split", "event_type", "record_type"),
    "sex",
)
_LARGEST = 2**30


def taught_columns(labels: Sequence[str]) -> list[str]:
    """Return the columns of a teacher's decisions in a student's validation predictions."""
    return [f"taught_{label}" for label in labels]


def table_bytes(table: pd.DataFrame) -> bytes:
    """Return a table as CSV; a path may hold bytes that are no text, which come back as they are."""
    return table.to_csv(index=False, lineterminator="\n").encode(errors="surrogateescape")


def read_table(content: bytes) -> pd.DataFrame:
    """Read what :func:`table_bytes` made; `content` may come from anybody.

    Raises
    ------
    InputError
        If it is no table, or a column of numbers holds something else.
    """
    try:
        table = pd.read_csv(
            BytesIO(content), dtype=object, keep_default_na=False, encoding_errors="surrogateescape", low_memory=False
        )
        for name in table.columns.difference(list(_TEXT)):
            table[name] = _numbers(table[name])
        return table
    except ValueError as error:  # pandas' own and those of bytes and numbers
        raise InputError(f"not a table of predictions ({first_line(error)})") from error


def save_validation(
    folder: Path,
    windows: pd.DataFrame,
    logits: NDArray[np.float64],
    decisions: NDArray[Any],
    labels: tuple[str, ...],
    taught: NDArray[Any] | None = None,
) -> None:
    """Write what a training's best epoch says of every validation window into its run folder.

    Parameters
    ----------
    folder : Path
        The run folder; where recordings lie on this machine is not told.
    windows : DataFrame
        N validation windows.
    logits, decisions : ndarray, shape [N, C]
        Of the network, and which labels are given.
    labels : tuple of str, length C
        Their names.
    taught : ndarray, shape [N, C], optional
        Which labels the teacher gives.
    """
    table = predictions_table(windows.drop(columns="path"), logits, np.asarray(decisions).astype(np.int64), labels)
    if taught is not None:
        table[taught_columns(labels)] = taught.astype(np.int64)
    with whole_file(folder / VALIDATION_FILE) as temporary:
        temporary.write_bytes(compress(table_bytes(table), mtime=0))


def read_validation(folder: Path, digest: str) -> pd.DataFrame | None:
    """Return what :func:`save_validation` wrote; None of a run of before, which has no such file.

    Parameters
    ----------
    folder : Path
        The run folder.
    digest : str
        Sha256 of the file, as the run has it; "" where it has none.

    Raises
    ------
    InputError
        If the file is missing or not the one that the run has the digest of.
    """
    if not digest:
        return None
    file = folder / VALIDATION_FILE
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); restore it or train again") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise InputError(f"{file}: does not have the sha256 of its run; restore it or train again")
    try:
        with GzipFile(fileobj=BytesIO(content)) as packed:
            return read_table(packed.read(_LARGEST))
    except (OSError, EOFError, zlib.error, InputError) as error:
        raise InputError(f"{file}: {first_line(error)}; restore it or train again") from error


def _numbers(column: pd.Series) -> NDArray[Any]:
    """Return numbers as Python reads them, to the last bit; whole where all are, NaN where nothing stands."""
    with suppress(ValueError):
        return np.array([int(text) for text in column], dtype=np.int64)
    return np.array([float(text or "nan") for text in column], dtype=np.float64)
