"""`auscult demo`: the whole chain on the embedded synthetic corpus, to a table and a picture."""

from pathlib import Path
from typing import Any

from rich.table import Table

from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.command.report import figure, figures_table
from lungsound.labels import NOTICE
from lungsound.terminal import activity, out, print_table


def demo_command(runs: options.Runs = Path("runs"), json_output: options.Json = False) -> None:
    """Run the whole chain on the embedded synthetic corpus.

    Synthetic recordings, a tiny teacher trained from scratch, a CNN6 student of an eighth of the width distilled
    from it, an int8 bundle, their scores on the test part, and a picture. Every figure is of a synthetic corpus. At the
    end the trained model of the package, which knows real lungs alone, hears one of its recordings.

    JSON keys: run, bundle, picture, synthetic, protocol, rows (a list: model, n, sp, se, score, auroc, kilobytes,
    latency_ms), shipped (what the package's model says: model, recording, labels, events (a list: label, start, end,
    probability)).
    """
    with activity() as doing:
        doing("loading torch")
        from auscult.whole_chain import run_chain

    found = run_chain(runs)
    if json_output:
        print_json(found)
        return
    print_table(demo_table(found["rows"], found["protocol"]))
    out.print(shipped_text(found["shipped"]), highlight=False, markup=False)
    out.print(f"run: {found['run']}\nbundle: {found['bundle']}\npicture: {found['picture']}", highlight=False)


def shipped_text(said: dict[str, Any]) -> str:
    """Return what a trained model says of a recording, for people."""
    events = [f"{event['label']} from {event['start']:.1f} to {event['end']:.1f} s" for event in said["events"]]
    heard = f"{said['model']}, trained on real lungs, hears in {Path(said['recording']).name} (synthetic)"
    return f"{heard}: {', '.join(events) or 'nothing'}; {NOTICE}"


def demo_table(rows: list[dict[str, Any]], protocol: str) -> Table:
    """Return the table of what the demo measured, a row a model."""
    title = f"synthetic corpus, test, {protocol}: {rows[0]['n']} windows; latency of one window, one thread"
    table = figures_table(title, "", "Sp", "Se", "Score", "AUROC\nany", "KB", "ms")
    for row in rows:
        scores = [figure(row[name]) for name in ("sp", "se", "score", "auroc")]
        table.add_row(row["model"], *scores, f"{row['kilobytes']:.0f}", f"{row['latency_ms']:.2f}")
    return table
