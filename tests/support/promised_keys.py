"""What a command's help promises of its JSON, held against what it prints.

The paragraph is a list of keys and ends with a full stop. Lists may follow that count beside it in some cases
("With --this: ...") or in its place ("Instead, with --that: ...")::

    JSON keys: LIST. WORDS: LIST. Instead, WORDS: LIST.
    LIST = KEY, KEY, ...
    KEY  = name | name (words without a comma) | name (WORDS: LIST; WORDS: LIST)

A list in parentheses holds the keys of an object, of every object of a list, or, where the words begin
with "by", of every value; after a semicolon, those that may be missing.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Self

_NAME = re.compile(r"[a-z][a-z0-9_]*(-[0-9])?")


@dataclass
class Promise:
    """Keys of an object; `sometimes` may be missing, an item of `instead` replaces all."""

    always: dict[str, Self | None] = field(default_factory=dict)
    sometimes: dict[str, Self | None] = field(default_factory=dict)
    instead: list[Self] = field(default_factory=list)
    by_name: bool = False

    def names(self) -> set[str]:
        """Every key at the top."""
        return set(self.always) | set(self.sometimes) | {name for other in self.instead for name in other.names()}


def promised(docstring: str | None) -> Promise:
    """Read the paragraph of a command's docstring."""
    paragraphs = [" ".join(part.split()) for part in (docstring or "").split("\n\n")]
    (text,) = [part.removeprefix("JSON keys: ") for part in paragraphs if part.startswith("JSON keys: ")]
    assert text.endswith("."), f"no full stop: {text}"
    first, *rest = _split(text.removesuffix("."), ". ")
    promise = Promise(_keys(first))
    for section in rest:
        words, keys = section.split(": ", 1)
        if words.startswith("Instead, "):
            promise.instead.append(Promise(_keys(keys)))
        else:
            promise.sometimes |= _keys(keys)
    return promise


def broken(promise: Promise, value: Any, place: str = "") -> list[str]:
    """Return where a value is not what was promised."""
    if value is None:
        return []
    if isinstance(value, list):
        return [error for item in value for error in broken(promise, item, f"{place}[]")]
    if promise.by_name:
        inner = Promise(promise.always, promise.sometimes)
        return [error for name, item in value.items() for error in broken(inner, item, f"{place}.{name}")]
    chosen = next((other for other in promise.instead if set(other.always) == set(value)), promise)
    known = chosen.always | chosen.sometimes
    errors = [f"{place}.{name}: promised, not printed" for name in chosen.always if name not in value]
    errors += [f"{place}.{name}: printed, not promised" for name in value if name not in known]
    for name, inner in known.items():
        if inner is not None and name in value:
            errors += broken(inner, value[name], f"{place}.{name}")
    return errors


def _keys(text: str) -> dict[str, Promise | None]:
    found: dict[str, Promise | None] = {}
    for item in _split(text, ", ") if text else ():
        name, _, rest = item.partition(" ")
        assert _NAME.fullmatch(name), f"not a key: {item!r}"
        assert name not in found, f"twice: {name}"
        assert not rest or (rest[0], rest[-1]) == ("(", ")"), f"not in parentheses: {item!r}"
        found[name] = _inner(rest[1:-1])
    return found


def _inner(text: str) -> Promise | None:
    if ": " not in text:
        assert "," not in text, f"a list without words before it: {text!r}"
        return None
    first, *rest = _split(text, "; ")
    words, _, keys = first.partition(": ")
    promise = Promise(_keys(keys), by_name=words.startswith("by "))
    for section in rest:
        promise.sometimes |= _keys(section.split(": ", 1)[1])
    return promise


def _split(text: str, at: str) -> list[str]:
    """Split where no parenthesis is open."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and place >= start and text.startswith(at, place):
            parts.append(text[start:place])
            start = place + len(at)
    return [*parts, text[start:]]
