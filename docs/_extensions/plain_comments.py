"""C comments are plain text: indented lines are code, and stars and underscores mean themselves."""

import re
from itertools import groupby
from typing import Any

from sphinx.application import Sphinx


def plain(app: Sphinx, lines: list[str], transform: str, options: dict[str, Any]) -> None:
    """Turn the lines of a comment into reStructuredText, in place."""
    if lines:
        lines[-1] = re.sub(r"^ \* ?", "", lines[-1])  # hawkmoth leaves it where the comment ends behind text
    text: list[str] = []
    for indented, block in groupby(lines, lambda line: line.startswith("  ")):
        text += ["", ".. code-block:: c", "", *block, ""] if indented else [_escaped(line) for line in block]
    lines[:] = text


def _escaped(line: str) -> str:
    return re.sub(r"([\\*_`|])", r"\\\1", line)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("hawkmoth-process-docstring", plain)
    return {"parallel_read_safe": True}
