"""C comments are plain text: indented lines are code, and stars and underscores mean themselves."""

import re
from typing import Any

from sphinx.application import Sphinx


def plain(app: Sphinx, lines: list[str], transform: str, options: dict[str, Any]) -> None:
    """Turn the lines of a comment into reStructuredText, in place."""
    if lines:
        lines[-1] = re.sub(r"^ \* ?", "", lines[-1])  # hawkmoth leaves it where the comment ends behind text
    text: list[str] = []
    code = False
    for line in lines:
        if line.startswith("  ") != code:
            code = not code
            text += ["", ".. code-block:: c", ""] if code else [""]
        text.append(line if code else _escaped(line))
    lines[:] = text


def _escaped(line: str) -> str:
    return re.sub(r"([\\*_`|])", r"\\\1", line)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("hawkmoth-process-docstring", plain)
    return {"parallel_read_safe": True}
