"""CSV and Parquet files as rows of text, whoever wrote them."""

import csv
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lungsound.errors import InputError, first_line
from lungsound.files.atomic import whole_file

_DELIMITERS = ("\t", ";", ",")
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


def read_table(path: Path) -> TableFile:
    """Read a table.

    CSV is UTF-8, with or without byte order mark, separated by commas, semicolons or tabs. Lines without any value are
    passed over.

    Raises
    ------
    InputError
        If it cannot be read, two columns have one name, a row has another number of values, or there is no row.
    """
    lines, delimiter = _parquet(path) if path.suffix.lower() in _PARQUET else _csv(path)
    heading = [name.strip() for name in lines[0]] if lines else []
    while heading and not heading[-1]:  # spreadsheets write empty columns at the end
        heading.pop()
    rows = []
    for number, values in enumerate(lines[1:], 2):
        if not any(value.strip() for value in values):
            continue
        if len(values) < len(heading) or any(value.strip() for value in values[len(heading) :]):
            raise InputError(f"{path}, row {number}: {len(values)} values for {len(heading)} columns; mend the row")
        rows.append((number, dict(zip(heading, map(str.strip, values), strict=False))))
    twice = [name for name, count in Counter(heading).items() if count > 1]
    if twice:
        raise InputError(f"{path}: {_named(twice[0])} is there {heading.count(twice[0])} times; keep one")
    if "" in heading:
        raise InputError(f"{path}: column {heading.index('') + 1} has no name; give it one or take it out")
    if not rows:
        raise InputError(f"{path}: holds no row below the names of its columns; write one a recording or event")
    return TableFile(tuple(heading), rows, decimal_comma=delimiter != ",")


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


def _csv(path: Path) -> tuple[list[list[str]], str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            heading = file.readline()
            delimiter = max(_DELIMITERS, key=heading.count) if any(map(heading.count, _DELIMITERS)) else ","
            file.seek(0)
            return list(csv.reader(file, delimiter=delimiter, skipinitialspace=True)), delimiter
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason}); save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise InputError(f"{path}: not readable as CSV ({error}); save it as CSV in UTF-8") from error


def _parquet(path: Path) -> tuple[list[list[str]], str]:
    try:
        table = pd.read_parquet(path, engine="pyarrow")
    except ImportError as error:
        raise _missing_package(path) from error
    except (OSError, ValueError, KeyError) as error:  # pyarrow's errors are among these
        raise InputError(f"{path}: not readable as Parquet ({first_line(error)}); write it again") from error
    columns = [[_text(value) for value in table[name]] for name in table.columns]
    return [[str(name) for name in table.columns], *map(list, zip(*columns, strict=True))], ","


def _text(value: Any) -> str:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value)


def _missing_package(path: Path) -> InputError:
    return InputError(f"{path}: Parquet needs the package pyarrow; pip install 'auscult-edge[parquet]', or use CSV")


def _named(name: str) -> str:
    return f"the column {name!r}" if name else "a column without a name"
