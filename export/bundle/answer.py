"""What `export` answers: an object, or a table and the lines below it."""

from typing import Any

from export.bundle.opening import Bundle
from export.bundle.runtimes import RUNTIMES
from lungsound.command.report import figure, figures_table, headline
from lungsound.scores.flips import in_words
from lungsound.terminal import err, out, print_table
from lungsound.training.runs import Run

UNLIKE_FLOAT = 0.01
"""Share of the decisions beyond which int8 is worth a note."""


def export_answer(run: Run | None, bundle: Bundle) -> dict[str, Any]:
    """Return the object that ``--json`` prints; `run` is None of a network from elsewhere."""
    manifest = bundle.manifest
    return {
        "bundle": str(bundle.path),
        "run": run and str(run.path),
        "synthetic": manifest.synthetic,
        "files": {name: facts.size for name, facts in manifest.files.items()},
        "parameters": manifest.parameters,
        "labels": manifest.listening.labels,
        "thresholds": manifest.thresholds,
        "aim": manifest.aim,
        "threshold_codes": manifest.threshold_codes,
        "ranges": manifest.ranges,
        "validation": manifest.validation,
        "gate": manifest.gate,
        "flips": manifest.flips,
        "abstention": manifest.abstention and manifest.abstention.to_dict(),
    }


def print_export(bundle: Bundle) -> None:
    """Print what was measured, lost and promised, and where the bundle lies."""
    manifest = bundle.manifest
    found = manifest.validation
    title = f"{' + '.join(manifest.data)}, validation" if manifest.data else "made-up sound"
    title = f"{title}, {found['windows']} windows{' (synthetic corpus)' if manifest.synthetic else ''}"
    figures = headline(found.get("float", {}))
    heads = [name.replace(" ", "\n") for name in figures]
    table = figures_table(title, "", "KB", *heads, "unlike\nfloat", "max\nerror", "mean\nerror")
    table.add_row("float", _kilobytes(bundle, "onnxruntime_float"), *figures.values(), "", "", "")
    for name, scores in found["int8"].items():
        against = [f"{scores['differing_decisions']:.2%}", figure(scores["max_error"]), figure(scores["mean_error"])]
        table.add_row(RUNTIMES[name].title, _kilobytes(bundle, name), *headline(scores).values(), *against)
        if scores["differing_decisions"] > UNLIKE_FLOAT:
            err.print(
                f"note: {RUNTIMES[name].title} often decides otherwise than float", style="yellow", highlight=False
            )
    print_table(table)
    for name in found["int8"]:
        if lost := [flip for flip in manifest.flips or () if flip["model"] == name]:
            out.print(f"{RUNTIMES[name].title}, of what float has right it loses: {in_words(lost)}", highlight=False)
    if manifest.gate is not None:
        told = "; ".join([manifest.gate["verdict"], *manifest.gate["reasons"]])
        out.print(f"gate: {told}", style="yellow" if manifest.gate["reasons"] else None, highlight=False, markup=False)
    if (left := manifest.abstention) is not None:
        out.print(f"listen again: {left.listen_again:.1%} of {left.recordings} good recordings", highlight=False)
        for label, missed, false in zip(manifest.listening.labels, left.missed, left.false, strict=True):
            told = f"promised to patients: missed {missed:.1%}, given in vain {false:.1%}"
            out.print(f"{label}, of answers, {told}", highlight=False, markup=False)
    out.print(f"bundle: {bundle.path}", highlight=False)


def _kilobytes(bundle: Bundle, runtime: str) -> str:
    return f"{bundle.manifest.files[RUNTIMES[runtime].file].size / 1000:.1f}"
