"""The directive `commands`: every command of auscult from what `--help` says of it."""

import inspect
import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from auscult.cli import CONTENTS, load


class Commands(SphinxDirective):
    """A section for each command."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        text: list[str] = []
        for name in CONTENTS:
            text += section(load(name), f"auscult {name}")
        return self.parse_text_to_nodes("\n".join(text), allow_section_headings=True)


def section(command: Any, name: str) -> list[str]:
    """Return the Markdown of one command, and of those within it."""
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    lines = [f"## {name}", "", _escaped(inspect.cleandoc(command.help or "")), "", "```text", usage, "```", ""]
    for parameter in command.get_params(context):
        if record := parameter.get_help_record(context):
            lines += [f"`{record[0]}`", f": {_escaped(record[1])}", ""]
    for within, inner in getattr(command, "commands", {}).items():
        lines += section(inner, f"{name} {within}")
    return lines


def _escaped(text: str) -> str:
    return re.sub(r"([\\*_<>\[\]])", r"\\\1", text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
