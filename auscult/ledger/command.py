"""`auscult verify` and `auscult compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.errors import InputError
from lungsound.terminal import activity, out
from lungsound.training.runs import RUN_FILE, seed_folders

if TYPE_CHECKING:
    from auscult.ledger.verification import Verified


def verify_command(
    target: Annotated[
        Path,
        typer.Argument(metavar="RUN|BUNDLE", help="Folder of a run, of the runs of several seeds, or of a bundle."),
    ],
    json_output: options.Json = False,
) -> None:
    """Derive every stored number of a run or a bundle again from its stored predictions.

    Digests of all files come first; then the figures on validation, and those of every evaluation, with their
    intervals. No model is run: `auscult check` does that. Exit code 1 and a sentence for the first that differs. What a
    run or bundle of before does not carry is said.

    JSON keys: target, verified (a list: target, files (whose digests were held), figures (how many were derived),
    evaluations (ledgers), not_carried (sentences)).
    """
    with activity() as doing:
        doing(f"verifying {target}")
        found = _verified(target)
    if json_output:
        parts = [vars(one) | {"target": str(one.target)} for one in found]
        print_json({"target": str(target), "verified": parts})
        return
    for one in found:
        out.print(
            f"{one.target}: {len(one.files)} files as written; {one.figures:,} numbers derived again, those of "
            f"{len(one.evaluations)} evaluations among them",
            highlight=False,
            markup=False,
        )
        for sentence in one.not_carried:
            out.print(f"not carried: {sentence}", highlight=False, markup=False)


def _verified(target: Path) -> "list[Verified]":
    from auscult.ledger.verification import verify_bundle, verify_run, verify_seeds
    from export.bundle.manifest import MANIFEST_FILE

    if (target / RUN_FILE).is_file():
        return [verify_run(target)]
    if (target / MANIFEST_FILE).is_file():
        return [verify_bundle(target)]
    if seed_folders(target):
        return verify_seeds(target)
    raise InputError(f"{target}: neither a run ({RUN_FILE}) nor a bundle ({MANIFEST_FILE}); name the folder of one")


def compare_command(
    one: Annotated[Path, typer.Argument(metavar="A", help="Folder of a run or of a bundle.")],
    other: Annotated[Path, typer.Argument(metavar="B", help="Another one, which is held against it.")],
    data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="NAME:ROOT", help="Evaluate both on this corpus first; may be repeated."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Part; else of --data test, of what is stored every one.")] = None,
    protocol: Annotated[
        list[str] | None, typer.Option("--protocol", help="cycles or stream; may be repeated. Else both.")
    ] = None,
    rounding: Annotated[str, typer.Option(help="Of int8 bundles, single or double: see evaluate.")] = "single",
    json_output: options.Json = False,
) -> None:
    """Compare two runs or bundles on the same windows: paired differences by patient, and where they part.

    Without --data it takes the evaluations that are stored of both. A difference is B less A; its 95 % interval is that
    of whole patients drawn with replacement, both models on the same ones. With --data each reading is recorded.

    JSON keys: one, other, comparisons (a list: models (names), corpus, part, protocol, synthetic, paired (numbers of:
    windows, recordings, patients), windows (by figure: one, other, difference, interval), classes (from A to B: class,
    windows, had, lost, won, recordings), parting (a list: corpus, recording, patient, windows, differing, one_right,
    other_right); of a stream: recordings (by figure: one, other, difference, interval)).
    """
    with activity() as doing:
        doing("reading predictions")
        from auscult.ledger.printing import print_comparison
        from auscult.ledger.selection import pairs, read_anew

        if data:
            read_anew([one, other], data, split or "test", protocol, rounding)
        found = [pair.compared() for pair in pairs(one, other, split, protocol, rounding)]
    if json_output:
        print_json({"one": str(one), "other": str(other), "comparisons": found})
        return
    for comparison in found:
        print_comparison(comparison)
