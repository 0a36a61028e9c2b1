"""Large tables of a net.c as strings, which gcc reads twenty times as fast as numbers."""

import re
from pathlib import Path

import numpy as np

_TABLE = re.compile(r"^(static const int8_t (\w+)\[(\d+)\] AU_ON_A_WORD =) \{\n([^}]*)\};$", re.MULTILINE)
_LARGE = 16384
_PRAGMA = '#pragma GCC diagnostic ignored "-Woverlength-strings"\n'


def with_quick_tables(folder: Path) -> None:
    """Rewrite the folder's net.c: each int8 table of many values becomes a string of the same bytes."""
    path = folder / "net.c"
    text = path.read_text()
    quick = _TABLE.sub(_quick, text)
    if quick != text:
        path.write_text(_PRAGMA + quick)


def _quick(found: "re.Match[str]") -> str:
    head, name, count, body = found.groups()
    if int(count) < _LARGE:
        return found[0]
    values = np.fromstring(body.rstrip(",\n"), np.int64, sep=",")
    assert len(values) == int(count), name
    assert values.min() >= -128, name
    assert values.max() <= 127, name
    octal = "".join(np.array([f"\\{code:03o}" for code in range(256)])[values & 255])
    lines = (octal[start : start + 96] for start in range(0, len(octal), 96))
    return f"{head}\n" + "\n".join(f'    "{line}"' for line in lines) + ";"
