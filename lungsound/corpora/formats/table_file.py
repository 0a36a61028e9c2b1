"""CSV and Parquet files as rows of text, whoever wrote them."""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from lungsound.corpora.formats.text import encoding_of, shown
from lungsound.errors import InputError, first_line
from lungsound.files.atomic import whole_file
from lungsound.files.untrusted import open_regular, read_bytes

_MOST_BYTES = 2**26  # of a CSV, and of the text in a Parquet file
_MOST_CELLS = 2**22  # 260,000 rows of ten columns, half a gigabyte of text
_LONGEST_LINE = 2**20  # characters of a CSV; twenty million values of a line would take a gigabyte
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


def read_table(path: Path, faults: list[str], *, numbered: bool = False) -> TableFile:
    """Read a table.

    CSV is UTF-8 or UTF-16 with a byte order mark, separated by commas, semicolons or tabs. Lines without any value are
    passed over.

    Parameters
    ----------
    path : Path
        Of the table.
    faults : list of str
        Gets a sentence for every row that has another number of values; these are left out.
    numbered : bool
        The first column may have no name: it holds the numbers of rows, as pandas writes them.

    Raises
    ------
    InputError
        If it cannot be read, is too large, two columns have one name, or there is no row.
    """
    lines, delimiter = _parquet(path) if path.suffix.lower() in _PARQUET else _csv(path)
    heading = [name.strip() for name in next(lines, [])]
    while heading and not heading[-1]:  # spreadsheets write empty columns at the end
        heading.pop()
    if numbered and heading and not heading[0]:
        heading[0] = "number"
    _check_heading(path, heading)
    rows, cells = [], 0
    for number, values in enumerate(lines, 2):
        cells += _ROW_CELLS + len(values)
        if cells > _MOST_CELLS:
            raise _too_long(path)
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
    stream = io.TextIOWrapper(io.BytesIO(content), encoding=encoding_of(content), newline="")
    try:
        for line in iter(partial(stream.readline, _LONGEST_LINE + 1), ""):
            if len(line) > _LONGEST_LINE:
                raise InputError(f"{path}: a line of more than {_LONGEST_LINE:,} characters; save it as CSV again")
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
            columns = _parquet_columns(path, pyarrow.parquet, handle)
        except InputError:
            raise
        except (pyarrow.ArrowException, OSError, ArithmeticError, LookupError, RecursionError, ValueError) as error:
            raise InputError(f"{path}: not readable as Parquet ({first_line(error)}); write it again") from error
    return chain([[name for name, _ in columns]], map(list, zip(*(values for _, values in columns), strict=True))), ","


def _parquet_columns(path: Path, parquet: Any, handle: BinaryIO) -> list[tuple[str, list[str]]]:
    """Return names and values; of a column of lists or structs, in which nothing is looked for, its type throughout.

    A few bytes of Parquet can stand for any number of values and for a long text in each of them. So values are
    counted before they are read, and text is read as references to a dictionary and counted before it is repeated.
    """
    file = parquet.ParquetFile(handle)
    about = file.metadata
    leaves = [file.schema.column(number) for number in range(about.num_columns)]
    flat = [number for number, leaf in enumerate(leaves) if leaf.path == leaf.name]
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    stored = sum(group.column(number).total_uncompressed_size for group in groups for number in flat)
    widest = max((leaves[number].length for number in flat), default=0)  # of values of fixed length; others have 0
    if about.num_rows * about.num_columns > _MOST_CELLS or max(stored, about.num_rows * widest) > _MOST_BYTES:
        raise _too_long(path)
    names = [leaves[number].name for number in flat]
    table = parquet.ParquetFile(handle, metadata=about, read_dictionary=names).read(columns=names)
    columns = [(name, _values(column)) for name, column in zip(table.column_names, table.columns, strict=True)]
    if sum(len(value) for _, values in columns for value in values) > _MOST_BYTES:
        raise _too_long(path)
    others = [field for field in file.schema_arrow if field.name not in names]
    columns += [(field.name, [str(field.type)] * about.num_rows) for field in others]
    return [(name, values) for name, values in columns if not _PANDAS_INDEX.fullmatch(name)]


def _values(column: Any) -> list[str]:
    """Return the values of a column as text; what a dictionary holds once is in memory once."""
    values: list[str] = []
    for chunk in column.chunks:
        if not hasattr(chunk, "dictionary"):
            values += map(_text, chunk.to_pylist())
            continue
        words = list(map(_text, chunk.dictionary.to_pylist()))
        values += ["" if number is None else words[number] for number in chunk.indices.to_pylist()]
    return values


def _too_long(path: Path) -> InputError:
    return InputError(f"{path}: the table is too long to be held in memory; split it")


def _text(value: Any) -> str:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value)


def _missing_package(path: Path) -> InputError:
    return InputError(f"{path}: Parquet needs the package pyarrow; pip install 'auscult-edge[parquet]', or use CSV")


def _named(name: str) -> str:
    return f"the column {shown(name)}" if name else "a column without a name"
