"""`auscult data`: look at a corpus, or write a synthetic one."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.terminal import out

app = typer.Typer(no_args_is_help=True, help="Check a corpus on disk, or write a synthetic one.")


@app.command()
def check(
    corpus: Annotated[str, typer.Argument(help="icbhi2017, sprsound, hls_cmds or synthetic.")],
    root: Annotated[Path | None, typer.Option(help="Folder of the corpus as published.")] = None,
    json_output: options.Json = False,
) -> None:
    """Read every annotation and every recording of a corpus and count them.

    Exit code 1 and a sentence where a file is damaged.

    JSON keys: see the counts of `lungsound.corpora.check.check`, with `problems` and `notes` as lists of sentences.
    """
    from lungsound.corpora.check import check as check_corpus
    from lungsound.corpora.registry import open_corpus

    report = check_corpus(open_corpus(corpus, root))
    if json_output:
        print_json(report)
    else:
        _print(report)
    if report["problems"]:
        raise typer.Exit(1)


def _print(report: dict[str, Any]) -> None:
    for name, value in report.items():
        if value == {}:
            continue
        if isinstance(value, dict):
            value = " · ".join(f"{key} {count:,}" for key, count in value.items())
        if isinstance(value, list):
            value = "\n  ".join(["", *map(str, value)]) if value else "none"
        out.print(f"{name.replace('_', ' ')}: {value}", highlight=False, markup=False)


@app.command()
def synthesize(
    root: Annotated[Path, typer.Argument(help="Folder to write; must not exist.")],
    patients: Annotated[int, typer.Option(min=4, help="Number of patients.")] = 40,
    seed: options.Seed = 0,
) -> None:
    """Write the synthetic corpus in the ICBHI 2017 layout."""
    from lungsound.corpora.synthetic import generate
    from lungsound.errors import InputError

    if root.exists():
        raise InputError(f"{root}: exists already; name a folder that does not")
    generate(root, seed, patients)
    out.print(f"{root}: synthetic corpus of {patients} patients, seed {seed}", highlight=False)
