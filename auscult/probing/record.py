"""What a probe found: the record, its files, and tables for people."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from rich.markup import escape

from lungsound.command.report import figure, figures_table
from lungsound.files.atomic import whole_file
from lungsound.files.record import write_object
from lungsound.files.versions import versions
from lungsound.terminal import err, out, print_table
from teachers.probing.evaluation import PARTS, Answer, differences
from teachers.probing.linear import LinearSettings
from teachers.probing.picture import draw_layers
from teachers.probing.questions import Asked

PROBE_FILE, PREDICTIONS_FILE, PICTURE_FILE = "probe.json", "predictions.csv", "layers.png"


def figures(answers: Sequence[Answer], asked: Asked, settings: LinearSettings) -> dict[str, Any]:
    """Return what was asked and what came of it as plain values."""
    question = asked.question
    rows = {part: question.rows(part) for part in PARTS}
    return {
        "question": list(question.names),
        "synthetic": asked.synthetic,
        "notes": list(asked.notes),
        "split": {"name": asked.split, "hash": asked.split_hash, "part": asked.part},
        "n": {part: len(found) for part, found in rows.items()},
        "patients": {part: len(set(question.patients[found])) for part, found in rows.items()},
        "settings": asdict(settings),
        "encoders": [found.to_dict(question.names) for found in answers],
        "differences": list(differences(answers)),
        "versions": versions(),
    }


def store(folder: Path, record: dict[str, Any], answers: Sequence[Answer], asked: Asked) -> dict[str, str]:
    """Write predictions, picture and record; return the files that the record does not name."""
    with whole_file(folder / PREDICTIONS_FILE) as temporary:
        _predictions(answers, asked).to_csv(temporary, index=False, errors="surrogateescape")
    draw_layers(answers, _title(record), folder / PICTURE_FILE)
    write_object(folder / PROBE_FILE, record)
    return {"predictions": str(folder / PREDICTIONS_FILE), "picture": str(folder / PICTURE_FILE)}


def print_figures(record: dict[str, Any]) -> None:
    """Print the tables of a record and where its folder is."""
    title = _title(record)
    head = ("encoder", "layer", "AUROC", "over seeds", "95 % interval")
    table = figures_table(f"{escape(title)}; AUROC on {record['split']['part']}", *head)
    for found in record["encoders"]:
        row = (str(found["layer"]), figure(found["auroc"]), f"± {figure(found['deviation'])}", _range(found))
        table.add_row(escape(found["name"]), *row)
    print_table(table)
    if record["differences"]:
        table = figures_table("differences on the same patients", "first", "second", "difference", "95 % interval")
        for pair in record["differences"]:
            names = escape(pair["first"]), escape(pair["second"])
            table.add_row(*names, figure(pair["difference"]), _range(pair))
        print_table(table)
    counts = (f"{part} {count} of {record['patients'][part]} patients" for part, count in record["n"].items())
    err.print(f"{record['cut']['protocol']}: {', '.join(counts)}", highlight=False)
    out.print(f"run: {record['folder']}\npicture: {record['picture']}", highlight=False, markup=False)


def _range(found: dict[str, Any]) -> str:
    low, high = map(figure, found["interval"])
    return f"{low} to {high}"


def _title(record: dict[str, Any]) -> str:
    corpora = ", ".join(text.partition(":")[0] for text in record["data"])
    return f"{', '.join(record['question'])}: {corpora}" + (" (synthetic corpus)" if record["synthetic"] else "")


def _predictions(answers: Sequence[Answer], asked: Asked) -> pd.DataFrame:
    """Return what every probe says of every window of the test: a row for each encoder, seed and question."""
    question, rows = asked.question, asked.question.rows("test")
    about = asked.windows.loc[rows, ["corpus", "recording", "patient", "start", "end"]].reset_index(drop=True)
    tables = []
    for found in answers:
        for seed, of_seed in enumerate(found.probabilities):
            for number, name in enumerate(question.names):
                said = {f"p_{kind}": of_seed[:, number, c] for c, kind in enumerate(question.classes)}
                truth = [question.classes[c] for c in question.truth[rows, number]]
                head: dict[str, Any] = {"encoder": found.name, "seed": seed, "question": name}
                tables.append(about.assign(**head, truth=truth, **said))
    return pd.concat(tables)
