"""How commands name corpora, each written once."""

from typing import Annotated

import typer

CORPUS = "CORPUS[:ROOT]"
NAMED = "A corpus by name, with its folder or file where it lies on disk; `auscult data list` has the names"

Data = Annotated[list[str], typer.Option("--data", metavar=CORPUS, help=f"{NAMED}. May be repeated.")]
Corpus = Annotated[str, typer.Argument(metavar=CORPUS, help=f"{NAMED}.")]
