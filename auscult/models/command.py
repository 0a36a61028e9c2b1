"""`auscult models`: the trained models that are in the package."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.command.report import figure
from lungsound.labels import NOTICE
from lungsound.terminal import out, print_table

if TYPE_CHECKING:
    from export.bundle.evidence import Evidence

COLUMNS = {
    "AUROC\nwindows": ("stream", "windows", "auroc any"),
    "AUROC\nrecordings": ("stream", "recordings", "auroc any"),
    "Score\nof events": ("cycles", "windows", "score"),
}
"""Figures that stand in the table, by head; the others are in the cards and in --json."""


def models_command(json_output: options.Json = False) -> None:
    """List the trained models that are in the package, the default of `auscult classify` first.

    Figures are of a test part that was heard when everything was chosen, with 95 % intervals over patients. RAM and
    flash are those of firmware with windows that overlap, estimated from above.

    JSON keys: notice, default, models (a list: name, device, folder, labels, seconds, hop_seconds, parameters, licence,
    teacher, data (names), seed, failed (why its gate would have refused it or null), model_bytes (of the .tflite),
    bundle_bytes, target (the core of ram_bytes and flash_bytes or null), ram_bytes, flash_bytes, recordings (by part),
    patients (by part), corpora (by name: terms, paper), recipe, options, commit, figures (a list: corpus, part,
    protocol, level, metric, value, low, high)).
    """
    from auscult.models.shipped import DEFAULT, evidence_of, names

    found = [(_facts(name), evidence_of(name)) for name in names()]
    if json_output:
        models = [asdict(evidence) | facts for facts, evidence in found]
        print_json({"notice": NOTICE, "default": DEFAULT, "models": models})
        return
    print_table(_table(found))
    for facts, _ in found:
        out.print(f"{facts['name']}: {facts['folder']}", highlight=False, markup=False)
    out.print(NOTICE, style="bold", highlight=False)


def _facts(name: str) -> dict[str, Any]:
    from auscult.models.shipped import open_model
    from export.bundle.manifest import TFLITE_FILE

    _, bundle = open_model(name)
    manifest = bundle.manifest
    return {
        "name": name,
        "folder": str(bundle.path),
        "labels": manifest.listening.labels,
        "seconds": manifest.listening.seconds,
        "hop_seconds": manifest.listening.hop_seconds,
        "parameters": manifest.parameters,
        "licence": manifest.teacher["licence"],
        "teacher": manifest.teacher["name"],
        "data": manifest.data,
        "seed": manifest.seed,
        "failed": manifest.failed,
        "model_bytes": manifest.files[TFLITE_FILE].size,
        "bundle_bytes": sum(path.stat().st_size for path in bundle.path.iterdir()),
    }


def _table(found: "list[tuple[dict[str, Any], Evidence]]") -> Table:
    parts = sorted({f"{figure.corpus} {figure.part}" for _, evidence in found for figure in evidence.figures})
    table = Table("model", "for", title=f"trained models; figures on {', '.join(parts) or 'nothing'}")
    for head in ("KB", "RAM", "flash", *COLUMNS):
        table.add_column(head, justify="right")
    table.add_column("licence")
    for facts, evidence in found:
        sizes = (_bytes(evidence.ram_bytes), _bytes(evidence.flash_bytes))
        figures = [_with_interval(evidence, *wanted) for wanted in COLUMNS.values()]
        kilobytes = f"{facts['model_bytes'] / 1000:.0f}"
        table.add_row(facts["name"], evidence.device, kilobytes, *sizes, *figures, facts["licence"])
    return table


def _bytes(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def _with_interval(evidence: "Evidence", protocol: str, level: str, metric: str) -> str:
    for one in evidence.figures:
        if (one.protocol, one.level, one.metric) == (protocol, level, metric):
            return f"{figure(one.value)}\n{figure(one.low)} to {figure(one.high)}"
    return "-"
