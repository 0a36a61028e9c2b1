"""`auscult runs`: what is in a folder of runs."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.command.report import figure
from lungsound.errors import InputError
from lungsound.terminal import err, out, print_table
from lungsound.training.runs import RUN_FILE, SEEDS_FILE, Run, seed_folders
from lungsound.training.settings import SETTINGS_FILE


def runs_command(
    folder: Annotated[Path, typer.Argument(help="Folder that holds the runs, or one run.")] = Path("runs"),
    json_output: options.Json = False,
) -> None:
    """List the runs in a folder, the newest last: what was trained, on what, and how well it does on validation.

    An unfinished run has settings and no result yet; a damaged one cannot be read. Runs from several seeds stand in one
    folder and under its name, as NAME/seed-0. Figures are those on which epoch and thresholds were chosen, so they
    flatter.

    JSON keys: folder, runs (a list: name, kind, model, data, synthetic, protocols, teacher, finished (when run.json
    was written), labels, thresholds, validation, recipe, notes), unfinished (names), damaged (a list: name, problem).
    """
    found = runs_in(folder)
    if json_output:
        print_json(found)
        return
    for kind in dict.fromkeys(row["kind"] for row in found["runs"]):
        print_table(runs_table(kind, [row for row in found["runs"] if row["kind"] == kind]))
    if not found["runs"]:
        out.print(f"{folder}: no finished run", highlight=False, markup=False)
    for name in found["unfinished"]:
        out.print(f"unfinished: {name}; --resume {folder / name} goes on with it", highlight=False, markup=False)
    for damaged in found["damaged"]:
        err.print(f"damaged: {damaged['problem']}", style="yellow", highlight=False, markup=False)


def runs_in(folder: Path) -> dict[str, Any]:
    """Return the JSON values of :func:`runs_command`.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name the one that holds the runs")
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    places = [folder] if (folder / RUN_FILE).exists() else inside
    finished, damaged = [], []
    with_seeds = [run for place in places for run in (place, *seed_folders(place))]
    for place in (place for place in with_seeds if (place / RUN_FILE).exists()):
        name = str(place.relative_to(folder.parent if place == folder else folder))
        try:
            finished.append(_row(name, Run.load(place)))
        except InputError as error:
            damaged.append({"name": name, "problem": str(error)})
    started = [place for place in places if (place / SETTINGS_FILE).exists()]
    unfinished = [place.name for place in started if not any((place / end).exists() for end in (RUN_FILE, SEEDS_FILE))]
    return {
        "folder": str(folder),
        "runs": sorted(finished, key=lambda row: str(row["finished"])),
        "unfinished": unfinished,
        "damaged": damaged,
    }


def _row(name: str, run: Run) -> dict[str, Any]:
    finished = datetime.fromtimestamp((run.path / RUN_FILE).stat().st_mtime).astimezone()
    return {
        "name": name,
        "kind": run.kind,
        "model": run.model,
        "data": run.data,
        "synthetic": run.synthetic,
        "protocols": run.protocols,
        "teacher": run.teacher.get("name"),
        "finished": finished.isoformat(timespec="seconds"),
        "labels": run.listening.labels,
        "thresholds": run.thresholds,
        "validation": run.validation,
        "recipe": run.options.get("recipe"),
        "notes": run.notes,
    }


def _mean_auroc(validation: dict[str, Any]) -> float | None:
    """Return the mean AUROC of the labels that have one."""
    found = [value for label, value in validation.get("auroc", {}).items() if label != "any" and value is not None]
    return sum(found) / len(found) if found else None


_FIGURES: dict[str, Callable[[dict[str, Any]], float | None]] = {
    "Score": lambda validation: validation.get("score"),
    "balanced\naccuracy": lambda validation: validation.get("balanced_accuracy"),
    "mean\nAUROC": _mean_auroc,
}
"""Columns of figures, by head."""


def runs_table(kind: str, rows: list[dict[str, Any]]) -> Table:
    """Return a table of runs of one kind; the Score stands there where a run has one."""
    table = Table(kind, "finished", "data", title="figures on validation")
    columns = {
        name: column for name, column in _FIGURES.items() if any(column(row["validation"]) is not None for row in rows)
    }
    for name in columns:
        table.add_column(name, justify="right")
    for row in rows:
        corpora = " + ".join(name.partition(":")[0] for name in row["data"])
        figures = (figure(column(row["validation"])) for column in columns.values())
        table.add_row(row["name"], row["finished"][:10], corpora, *figures)
    return table
