"""`python -m export`: the export command without `auscult` before it; a bare `export` belongs to the shell."""

import typer

from export.command import export_command
from lungsound.command.console import run

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(export_command)

if __name__ == "__main__":
    run(app)
