"""Records: dataclasses whose values are held against their annotations, when made and when read from anybody's JSON."""

import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from lungsound.errors import InputError
from lungsound.files.atomic import whole_file
from lungsound.files.plain_json import dumps, loads, take
from lungsound.files.seal import UNSEALED, is_sealed, sealed

T = TypeVar("T")

_SEAL = "sha256"

_DEEPEST = 20
"""Levels of what may hold anything."""

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", dict: "an object"}


@dataclass(frozen=True)
class Range:
    """Finite numbers from `least` to `most`: ``Annotated[float, Range(0, 1)]``."""

    least: float
    most: float

    def __str__(self) -> str:
        """Return it in words."""
        return f"from {self.least:g} to {self.most:.12g}"


@dataclass(frozen=True)
class Keys:
    """Types of the keys that a dict must have; it may have others: ``Annotated[dict[str, Any], Keys({"n": int})]``."""

    types: Mapping[str, Any]


def check_values(record: Any) -> None:
    """Hold the values of a dataclass against the types and ranges of its fields; for its ``__post_init__``.

    Raises
    ------
    InputError
        Naming the first one that does not fit.
    """
    for name, hint in _hints(type(record)).items():
        _fitted(getattr(record, name), hint, name)


def read_values(kind: type[T], values: object, **others: object) -> T:
    """Make a dataclass from the values that its ``dataclasses.asdict`` has after a way through JSON.

    Lists become tuples and objects the dataclasses that they were; a nested class may read itself (``from_dict``).
    Fields that a class names in ``LATER`` may be missing, as they are in files of before.

    Parameters
    ----------
    kind : type
        The dataclass.
    values : object
        As JSON gave them.
    **others : object
        Fields that JSON does not hold.

    Raises
    ------
    InputError
        If something is missing or unknown, or a value does not fit.
    """
    if not isinstance(values, dict):
        raise InputError(f"must be an object, got {str(values)[:40]!r}")
    hints = {name: hint for name, hint in _hints(kind).items() if name not in others}
    if unknown := sorted(str(name)[:40] for name in values.keys() - hints.keys()):
        raise InputError(f"{unknown[0]!r} is unknown")
    if missing := sorted(hints.keys() - values.keys() - set(getattr(kind, "LATER", ()))):
        raise InputError(f"lacks {missing[0]!r}")
    return kind(**others, **{name: _fitted(value, hints[name], name) for name, value in values.items()})


def write_object(file: Path, values: dict[str, Any]) -> None:
    """Write a JSON object, whole or not at all; ``sha256`` in it is that of its text (:mod:`lungsound.files.seal`).

    Raises
    ------
    InputError
        If it cannot be written there, or the disk is full.
    """
    with whole_file(file) as temporary:
        temporary.write_bytes(sealed(dumps({_SEAL: UNSEALED} | values).encode()))


def read_object(file: Path) -> dict[str, Any]:
    """Read a JSON object from a file that :func:`write_object` wrote; one of an earlier state has no sha256.

    Raises
    ------
    InputError
        If it cannot be read, was changed, or is anything else; the sentence does not name the file.
    """
    try:
        content = file.read_bytes()
        values = loads(content.decode())
    except OSError as error:
        raise InputError(f"cannot be read, {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError("not text") from error
    if _SEAL in values and not is_sealed(content, take(values, _SEAL, str)):
        raise InputError(f"changed since it was written; if that was meant, take {_SEAL} out of it")
    values.pop(_SEAL, None)
    return values


def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def _fitted(value: Any, hint: Any, name: str) -> Any:
    """Return a value as its annotation wants it; JSON has lists for tuples and objects for dataclasses."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _within(_fitted(value, inner[0], name), inner[1:], name)
    if origin in (Union, types.UnionType):
        return _any_of(value, inner, name)
    if origin is Literal:
        if value not in inner or type(value) is bool:
            raise InputError(f"{name!r} must be {' or '.join(map(str, inner))}, got {str(value)[:40]!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{name!r} must be a list, got {str(value)[:40]!r}")
        return tuple(_fitted(item, inner[0], name) for item in value)
    if origin is dict:
        return {key: _fitted(item, inner[1], f"{name}.{key}"[:60]) for key, item in _of(value, dict, name).items()}
    if hint is Any:
        return _shallow(value, name)
    if is_dataclass(hint) and not isinstance(value, hint):  # type: ignore[arg-type]
        try:
            return hint.from_dict(value) if hasattr(hint, "from_dict") else read_values(hint, value)  # type: ignore[arg-type]
        except InputError as error:
            raise InputError(f"{name!r}: {error}") from error
    return _of(value, hint, name)


def _of(value: Any, kind: type, name: str) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = number and abs(value) <= sys.float_info.max if kind is float else isinstance(value, kind)
    if not fits or (kind is int and not number):
        raise InputError(f"{name!r} must be {_WORDS.get(kind, kind.__name__)}, got {str(value)[:40]!r}")
    return value


def _within(value: Any, limits: tuple[Any, ...], name: str) -> Any:
    for limit in limits:
        if isinstance(limit, Range) and not limit.least <= value <= limit.most:
            raise InputError(f"{name!r} must be {limit}, got {str(value)[:40]}")
        if isinstance(limit, Keys):
            for key, hint in limit.types.items():
                if key not in value:
                    raise InputError(f"{name!r} lacks {key!r}")
                _fitted(value[key], hint, f"{name}.{key}")
    return value


def _any_of(value: Any, hints: tuple[Any, ...], name: str) -> Any:
    """Return a value as the first annotation that it fits wants it; a refusal is told by the last one."""
    if value is None and types.NoneType in hints:
        return None
    refusal = InputError(f"{name!r} must not be null")
    for hint in (hint for hint in hints if hint is not types.NoneType):
        try:
            return _fitted(value, hint, name)
        except InputError as error:
            refusal = error
    raise refusal


def _shallow(value: Any, name: str, level: int = 0) -> Any:
    if level > _DEEPEST:
        raise InputError(f"{name!r} is nested too deeply")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        _shallow(item, name, level + 1)
    return value
