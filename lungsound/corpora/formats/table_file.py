"""CSV and Parquet files as rows of text, whoever wrote them."""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pandas as pd

from lungsound.corpora.formats.text import encoding_of, shown
from lungsound.errors import InputError, first_line
from lungsound.files.atomic import whole_file
from lungsound.files.untrusted import open_regular, read_bytes

_MOST_BYTES = 2**26  # of a CSV
_MOST_CELLS = 2**22  # 260,000 rows of ten columns, half a gigabyte of text
_ROW_CELLS = 6  # what a row takes beside its values
_DELIMITERS = ("\t", ";", ",")
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")  # the numbers of rows, which pandas may store
_PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class TableFile:
    """What stands in a table.

    Attributes
    ----------
    columns : tuple of str
        Names, each different.
    rows : list of (int, dict)
        Number as a spreadsheet counts, the heading being 1, and text by column.
    decimal_comma : bool
        Whether a number may be written 1,5: the file separates its columns by something else.
    """

    columns: tuple[str, ...]
    rows: list[tuple[int, dict[str, str]]]
    decimal_comma: bool


def read_table(path: Path, faults: list[str]) -> TableFile:
    """Read a table.

    CSV is UTF-8 or UTF-16 with a byte order mark, separated by commas, semicolons or tabs. Lines without any value are
    passed over.

    Parameters
    ----------
    path : Path
        Of the table.
    faults : list of str
        Gets a sentence for every row that has another number of values; these are left out.

    Raises
    ------
    InputError
        If it cannot be read, is too large, two columns have one name, or there is no row.
    """
    lines, delimiter = _parquet(path) if path.suffix.lower() in _PARQUET else _csv(path)
    heading = [name.strip() for name in next(lines, [])]
    while heading and not heading[-1]:  # spreadsheets write empty columns at the end
        heading.pop()
    _check_heading(path, heading)
    rows, cells = [], 0
    for number, values in enumerate(lines, 2):
        cells += _ROW_CELLS + len(values)
        if cells > _MOST_CELLS:
            raise InputError(f"{path}, row {number}: the table is too long to be held in memory; split it")
        if not any(value.strip() for value in values):
            continue
        if len(values) < len(heading) or any(value.strip() for value in values[len(heading) :]):
            faults.append(f"{path}, row {number}: {len(values)} values for {len(heading)} columns; mend the row")
            continue
        rows.append((number, dict(zip(heading, map(str.strip, values), strict=False))))
    if not rows:
        nothing = f"{path}: holds no row below the names of its columns; write one a recording or event"
        raise InputError(faults[0] if faults else nothing)
    return TableFile(tuple(heading), rows, decimal_comma=delimiter != ",")


def _check_heading(path: Path, heading: list[str]) -> None:
    twice = [name for name, count in Counter(heading).items() if count > 1]
    if twice:
        raise InputError(f"{path}: {_named(twice[0])} is there {heading.count(twice[0])} times; keep one")
    if "" in heading:
        raise InputError(f"{path}: column {heading.index('') + 1} has no name; give it one or take it out")


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV or, by the ending of its name, as Parquet; whole or not at all.

    Raises
    ------
    InputError
        If the ending is another, the package for Parquet is missing, or the file cannot be written.
    """
    ending = path.suffix.lower()
    if ending not in (".csv", *_PARQUET):
        raise InputError(f"{path}: a table is written as .csv or .parquet; name one of the two")
    with whole_file(path) as temporary:
        if ending == ".csv":
            table.to_csv(temporary, index=False)
            return
        try:
            table.to_parquet(temporary, index=False, engine="pyarrow")
        except ImportError as error:
            raise _missing_package(path) from error


def _csv(path: Path) -> tuple[Iterator[list[str]], str]:
    content = read_bytes(path, _MOST_BYTES)
    heading = "".join(islice(_text_of(path, content), 1))
    delimiter = max(_DELIMITERS, key=heading.count) if any(map(heading.count, _DELIMITERS)) else ","
    return _csv_lines(path, content, delimiter), delimiter


def _csv_lines(path: Path, content: bytes, delimiter: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(_text_of(path, content), delimiter=delimiter, skipinitialspace=True)
    except csv.Error as error:
        raise InputError(f"{path}: not readable as CSV ({error}); save it as CSV in UTF-8") from error


def _text_of(path: Path, content: bytes) -> Iterator[str]:
    """Decode line by line, so that a long table does not lie in memory twice."""
    try:
        for line in io.TextIOWrapper(io.BytesIO(content), encoding=encoding_of(content), newline=""):
            if "\0" in line:
                raise InputError(f"{path}: not readable as CSV (it holds zero bytes); save it as CSV in UTF-8")
            yield line
    except UnicodeError as error:
        reason = getattr(error, "reason", None) or first_line(error)
        raise InputError(f"{path}: not UTF-8 text ({reason}); save it as CSV in UTF-8") from error


def _parquet(path: Path) -> tuple[Iterator[list[str]], str]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise _missing_package(path) from error
    with open_regular(path) as handle:
        try:
            file = pyarrow.parquet.ParquetFile(handle)
            about = file.metadata
            if about.num_rows * about.num_columns > _MOST_CELLS:
                raise InputError(f"{path}: more than {_MOST_CELLS:,} values; split the table")
            table = file.read()
            names = [str(name) for name in table.column_names if not _PANDAS_INDEX.fullmatch(name)]
            columns = [[_text(value) for value in table.column(name).to_pylist()] for name in names]
        except (pyarrow.ArrowException, OSError, OverflowError, RecursionError) as error:
            raise InputError(f"{path}: not readable as Parquet ({first_line(error)}); write it again") from error
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path}: not readable as Parquet ({first_line(error)}); write it again") from error
    return chain([names], map(list, zip(*columns, strict=True))), ","


def _text(value: Any) -> str:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value)


def _missing_package(path: Path) -> InputError:
    return InputError(f"{path}: Parquet needs the package pyarrow; pip install 'auscult-edge[parquet]', or use CSV")


def _named(name: str) -> str:
    return f"the column {shown(name)}" if name else "a column without a name"
