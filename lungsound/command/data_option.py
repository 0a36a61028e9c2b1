"""How commands name corpora; apart from the other options, as boards have no pandas to read corpora with."""

from typing import Annotated

import typer

from lungsound.corpora.registry import data_help

Data = Annotated[
    list[str],
    typer.Option("--data", metavar="CORPUS[:ROOT]", help=f"{data_help()}; may be repeated. See auscult data list."),
]
Corpus = Annotated[str, typer.Argument(metavar="CORPUS[:ROOT]", help=f"{data_help()}. See auscult data list.")]
