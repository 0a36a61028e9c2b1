"""JSON that any parser reads, and JSON that anybody may have written, read value by value."""

import json
import math
import sys
from collections.abc import Mapping
from typing import Any

from lungsound.errors import InputError


def dumps(values: Any) -> str:
    """Return indented JSON; what is not a number becomes null, tuples lists."""
    return json.dumps(_plain(values), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def loads(text: str) -> dict[str, Any]:
    """Return the JSON object in `text`, whose numbers are finite and fit a float.

    Raises
    ------
    InputError
        If it is anything else.
    """
    try:
        values = json.loads(text, parse_constant=_not_a_number, parse_float=_finite, parse_int=_whole)
        # Half a character, which no name of a file can hold; the halves that stand for a byte of one may.
        json.dumps(values, ensure_ascii=False).encode(errors="surrogateescape")
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON ({str(error)[:80]})") from error
    if not isinstance(values, dict):
        raise InputError("not a JSON object")
    return values


def _not_a_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _not_a_number(text)


def _whole(text: str) -> int:
    value = int(text)
    if abs(value) > sys.float_info.max:  # whatever takes it for a float fails
        raise ValueError(f"{text[:20]}... is too large a number")
    return value


def take(values: dict[str, Any], name: str, kind: type[Any]) -> Any:
    """Return ``values[name]`` if it is of `kind`; whole numbers are floats too, booleans are never numbers.

    Raises
    ------
    InputError
        If it is missing or of another type.
    """
    if name not in values:
        raise InputError(f"lacks {name!r}")
    if not _is(values[name], kind):
        raise InputError(f"{name!r} must be {kind.__name__}, got {str(values[name])[:40]!r}")
    return values[name]


def take_list(values: dict[str, Any], name: str, kind: type[Any]) -> list[Any]:
    """Return the list ``values[name]`` if each of its items is of `kind`; errors are :func:`take`'s."""
    items = take(values, name, list)
    if not all(_is(item, kind) for item in items):
        raise InputError(f"{name!r} must hold {kind.__name__} alone, got {str(items)[:40]}")
    return list(items)


def _is(value: object, kind: type[Any]) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
