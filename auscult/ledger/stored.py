"""Evaluations on disk: predictions as CSV, a row an event or window, and a ledger of all that they say as JSON."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from auscult.ledger.epochs import Epochs, column
from auscult.ledger.evaluation import Evaluation
from lungsound.errors import InputError
from lungsound.files.atomic import whole_file
from lungsound.files.plain_json import take, take_list
from lungsound.files.record import read_object, write_object
from lungsound.files.versions import versions
from lungsound.scores.evaluation import decision_columns, logit_columns
from lungsound.scores.no_sound import NoSound
from lungsound.scores.stored import read_table, table_bytes
from lungsound.training.runs import RUN_FILE
from lungsound.windows import WINDOW_COLUMNS

FORMAT = 1
EVENTS, EPOCHS = "-events", "-epochs"
"""What the names of files end with that hold annotated events, and what every epoch said."""


def predictions_folder(target: Path) -> Path:
    """Return where predictions lie when nobody says: in a run, but beside a bundle, which is shipped as it is."""
    if (target / RUN_FILE).is_file():
        return target / "evaluation"
    bundle = target.resolve()
    return bundle.with_name(f"{bundle.name}-evaluation")


def ledgers_in(folder: Path) -> list[Path]:
    """Return the ledgers of a folder of predictions, by name."""
    return sorted(path for path in folder.glob("*.json") if path.with_suffix(".csv").is_file())


def ledger_file(evaluation: Evaluation, folder: Path) -> Path:
    """Return where an evaluation's ledger lies; its predictions have the same name and end in ``.csv``."""
    label = evaluation.model.replace(", ", "-").replace(" ", "-")
    return folder / f"{evaluation.corpus}-{evaluation.part}-{evaluation.protocol}-{label}.json"


def store_evaluation(evaluation: Evaluation, folder: Path) -> Path:
    """Write predictions, annotated events of a stream, and the ledger; return the ledger's file.

    Raises
    ------
    InputError
        If they cannot be written there, or the disk is full.
    """
    ledger = ledger_file(evaluation, folder)
    tables = {ledger.with_suffix(".csv"): evaluation.predictions}
    if evaluation.events is not None:
        tables[ledger.with_name(f"{ledger.stem}{EVENTS}.csv")] = evaluation.events
    if evaluation.epochs is not None:
        tables[ledger.with_name(f"{ledger.stem}{EPOCHS}.csv")] = evaluation.epochs.logits
    digests = {}
    for file, table in tables.items():
        content = table_bytes(table)
        with whole_file(file) as temporary:
            temporary.write_bytes(content)
        digests[file.name] = hashlib.sha256(content).hexdigest()
    write_object(ledger, ledger_values(evaluation) | {"files": digests})
    return ledger


def ledger_values(evaluation: Evaluation) -> dict[str, Any]:
    """Return what a ledger tells, the digests of its files apart."""
    return {
        "format": FORMAT,
        **{name: getattr(evaluation, name) for name in ("model", "corpus", "part", "protocol", "synthetic")},
        "labels": evaluation.labels,
        "thresholds": evaluation.thresholds,
        "temperature": evaluation.temperature,
        "no_sound": asdict(evaluation.no_sound) if evaluation.no_sound else None,
        "epochs": evaluation.epochs.thresholds if evaluation.epochs else None,
        "scores": evaluation.scores,
        "versions": versions(),
    }


def read_ledger(file: Path) -> dict[str, Any]:
    """Return the values of a ledger.

    Raises
    ------
    InputError
        If it cannot be read, was changed, or is no ledger of this format.
    """
    try:
        values = read_object(file)
        if values.get("format") != FORMAT:
            raise InputError(f"format {str(values.get('format'))[:20]} where this version reads {FORMAT}")
        for name in ("model", "corpus", "part", "protocol"):
            take(values, name, str)
        labels, thresholds = take_list(values, "labels", str), take_list(values, "thresholds", float)
        if len(labels) != len(thresholds):
            raise InputError(f"{len(thresholds)} thresholds for {len(labels)} labels")
        for name in ("scores", "files"):
            take(values, name, dict)
    except InputError as error:
        raise InputError(f"{file}: {error}; evaluate again or restore the file") from error
    return values


def read_evaluation(file: Path) -> Evaluation:
    """Return the evaluation that a ledger is of, from its predictions; each file is held against its digest.

    Raises
    ------
    InputError
        If the ledger is none, or a file is missing, was changed or is no table of predictions.
    """
    values = read_ledger(file)
    labels = tuple(values["labels"])
    predictions = _table(file.with_suffix(".csv"), values)
    missing = [*WINDOW_COLUMNS, *labels, *logit_columns(labels), *decision_columns(labels)]
    _refuse_lacking(file.with_suffix(".csv"), predictions, missing)
    events = None
    if values["protocol"] == "stream":
        place = file.with_name(f"{file.stem}{EVENTS}.csv")
        events = _table(place, values)
        _refuse_lacking(place, events, ["corpus", "recording", "start", "end", *labels])
    try:
        temperature = values.get("temperature")
        return Evaluation(
            **{name: values[name] for name in ("model", "corpus", "part", "protocol")},
            synthetic=take(values, "synthetic", bool),
            labels=labels,
            thresholds=tuple(values["thresholds"]),
            predictions=predictions,
            events=events,
            no_sound=_no_sound(values, len(labels)),
            temperature=None if temperature is None else float(take(values, "temperature", float)),
            epochs=_epochs(file, values, labels),
        )
    except InputError as error:
        raise InputError(f"{file}: {error}; evaluate again or restore the file") from error


def _epochs(file: Path, values: dict[str, Any], labels: tuple[str, ...]) -> Epochs | None:
    if values.get("epochs") is None:
        return None
    given = take(values, "epochs", dict)
    thresholds = {epoch: tuple(map(float, take_list(given, epoch, float))) for epoch in given}
    if not all(epoch.isdecimal() and len(of) == len(labels) for epoch, of in thresholds.items()):
        raise InputError(f"epochs are not of {len(labels)} labels")
    place = file.with_name(f"{file.stem}{EPOCHS}.csv")
    table = _table(place, values)
    _refuse_lacking(place, table, [column(epoch, label) for epoch in thresholds for label in labels])
    return Epochs(table, thresholds)


def _no_sound(values: dict[str, Any], labels: int) -> NoSound | None:
    if values.get("no_sound") is None:
        return None
    given = take(values, "no_sound", dict)
    columns = [tuple(map(float, take_list(given, name, float))) for name in ("slopes", "intercepts", "thresholds")]
    if any(len(column) != labels + 1 for column in columns):
        raise InputError(f"no_sound is not of {labels} labels")
    return NoSound(*columns)


def _table(file: Path, values: dict[str, Any]) -> pd.DataFrame:
    """Read a table whose digest the ledger has."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); evaluate again or restore the file") from error
    if hashlib.sha256(content).hexdigest() != values["files"].get(file.name):
        raise InputError(f"{file}: does not have the sha256 of its ledger; evaluate again or restore the file")
    try:
        return read_table(content)
    except InputError as error:
        raise InputError(f"{file}: {error}; evaluate again or restore the file") from error


def _refuse_lacking(file: Path, table: pd.DataFrame, columns: list[str]) -> None:
    if lacking := [name for name in columns if name not in table]:
        raise InputError(f"{file}: lacks the column {lacking[0]}; evaluate again or restore the file")
