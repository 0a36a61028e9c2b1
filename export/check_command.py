"""The `check` command."""

from pathlib import Path
from typing import Annotated, Any

import typer

from export.bundle.opening import Bundle
from export.bundle.runtimes import RUNTIMES
from export.check import check
from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.terminal import activity, out


def check_command(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    json_output: options.Json = False,
) -> None:
    """Replay a bundle's golden vectors on every runtime that is installed.

    Sizes and hashes are verified first. Exit code 1 and a sentence where anything differs.

    JSON keys: bundle (folder), windows, front_end (null where the network hears sound, or: differing_codes),
    runtimes (by name; of LiteRT: differing_bytes; of onnxruntime: largest_difference (of a probability), tolerance,
    differing_decisions), skipped (runtimes that are not installed).
    """
    with activity() as doing:
        doing("replaying golden vectors")
        report = {"bundle": str(bundle)} | check(Bundle.open(bundle))
    if json_output:
        print_json(report)
    else:
        _print_check(report)


def _print_check(report: dict[str, Any]) -> None:
    out.print(f"{report['bundle']}: whole; {report['windows']} golden windows replayed", highlight=False)
    if report["front_end"] is not None:
        out.print("front end: the stored codes", highlight=False)
    for name, found in report["runtimes"].items():
        what = "the stored bytes"
        if "tolerance" in found:
            what = (
                f"within {found['largest_difference']:.2g} of the stored probabilities ({found['tolerance']:g} allowed)"
            )
        out.print(f"{RUNTIMES[name].title}: {what}", highlight=False)
    for name in report["skipped"]:
        out.print(f"{RUNTIMES[name].title}: skipped, {RUNTIMES[name].package} is not installed", highlight=False)
