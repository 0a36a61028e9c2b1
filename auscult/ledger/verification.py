"""Every stored number of a run or a bundle, derived again from the stored predictions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from auscult.ledger.readings import readings, readings_file
from auscult.ledger.stored import ledgers_in, predictions_folder, read_evaluation, read_ledger
from lungsound.errors import InputError
from lungsound.files.plain_json import dumps, loads
from lungsound.files.record import read_object
from lungsound.scores.evaluation import Predicted
from lungsound.scores.flips import flips
from lungsound.scores.spread import spreads
from lungsound.scores.stored import read_validation, taught_columns
from lungsound.training.runs import RUN_FILE, SEEDS_FILE, Run, seed_folders

NEAR = 1e-9
"""Relative difference of two numbers that another machine may sum otherwise; a whole file has a digest beside that."""


@dataclass
class Verified:
    """What was held against what.

    Attributes
    ----------
    target : Path
        The run or bundle.
    files : list of str
        Whose digests are those that are stored.
    figures : int
        Numbers that were derived again.
    evaluations : list of str
        Ledgers among them.
    not_carried : list of str
        What a run or bundle of before does not carry, a sentence each.
    """

    target: Path
    files: list[str] = field(default_factory=list)
    figures: int = 0
    evaluations: list[str] = field(default_factory=list)
    not_carried: list[str] = field(default_factory=list)

    def hold(self, stored: Any, derived: Any, where: object) -> None:
        """Hold stored values against derived ones, in dicts and lists as deep as one likes.

        Raises
        ------
        InputError
            Naming the first that differs.
        """
        derived = loads(dumps({"": derived}))[""]
        if (found := first_difference(stored, derived)) is not None:
            place, one, other = found
            raise InputError(
                f"{where}: {place} is {one}, the stored predictions give {other}; restore the file or make it again"
            )
        self.figures += _numbers(stored)


def verify_run(target: Path) -> Verified:
    """Derive the numbers of a run again: its validation figures, and those of every evaluation in it.

    Raises
    ------
    InputError
        If a file is damaged or a number differs.
    """
    from lungsound.training.weights import refuse_damaged_weights

    run, found = Run.load(target), Verified(target)
    found.files.append(RUN_FILE)
    if refuse_damaged_weights(run.weights):
        found.files.append(run.weights.name)
    else:
        found.not_carried.append(f"{run.weights.name} has no sha256 in it, as those of before")
    if (table := read_validation(target, run.validation_sha256)) is None:
        found.not_carried.append("no predictions of the validation windows, so the figures on validation stand as said")
    else:
        predicted = Predicted.of(table, run.listening.labels)
        _hold_decisions(predicted, run.thresholds, target)
        derived = loads(dumps(predicted.scores()))
        found.hold({name: run.validation.get(name) for name in derived}, derived, f"{target / RUN_FILE}, validation")
        if run.flips is not None:
            teacher, given = table[taught_columns(predicted.labels)].to_numpy() == 1, predicted.decisions == 1
            lost = flips(predicted.truth, teacher, given, table["recording"], predicted.labels)
            found.hold(list(run.flips), lost, f"{target / RUN_FILE}, flips")
        found.not_carried += [f"validation figure {name}" for name in run.validation if name not in derived]
    _hold_evaluations(found, run.decisive() if run.thresholds else (), whole=True)
    return found


def verify_seeds(target: Path) -> list[Verified]:
    """Verify the runs of several seeds, and the spread of their figures."""
    folders = seed_folders(target)
    found, file = [verify_run(folder) for folder in folders], target / SEEDS_FILE
    if file.is_file():
        try:
            stored = read_object(file)
        except InputError as error:
            raise InputError(f"{file}: {error}; restore the file or train again") from error
        whole = Verified(target, [SEEDS_FILE])
        whole.hold(stored.get("validation"), spreads([Run.load(folder).validation for folder in folders]), file)
        found.append(whole)
    return found


def verify_bundle(target: Path) -> Verified:
    """Derive the numbers of a bundle again: what its manifest says of validation, and every evaluation beside it.

    Raises
    ------
    InputError
        If a file is damaged or a number differs.
    """
    from export.bundle.manifest import MANIFEST_FILE
    from export.bundle.opening import Bundle
    from export.derived import derived_figures

    bundle = Bundle.open(target)
    found = Verified(target, [MANIFEST_FILE, *bundle.contents])
    derived = derived_figures(bundle)
    if derived is None:
        found.not_carried.append("no predictions of validation windows, so its figures on validation stand as said")
    else:
        for name, values in derived.items():
            stored = loads(bundle.manifest.to_json())[name]
            kept = {key: stored[key] for key in values} if isinstance(values, dict) else stored
            found.hold(kept, values, f"{target / MANIFEST_FILE}, {name}")
    _hold_evaluations(found, bundle.manifest.thresholds, whole=False)
    return found


def _hold_decisions(predicted: Predicted, thresholds: Sequence[float], where: object) -> None:
    given = (predicted.logits >= np.asarray(thresholds)).astype(np.int64)
    if (differing := int((given != predicted.decisions).sum())) > 0:
        raise InputError(
            f"{where}: {differing} stored decisions are not those of logits and thresholds; restore the file or make "
            "it again"
        )


def _hold_evaluations(found: Verified, thresholds: Sequence[float], *, whole: bool) -> None:
    """Derive the ledgers of a target again; `whole` where decisions are those of the logits, not of int8 codes."""
    known = {line.get("predictions_sha256") for line in readings(readings_file(found.target))}
    for file in ledgers_in(predictions_folder(found.target)):
        values, evaluation = read_ledger(file), read_evaluation(file)
        found.hold(values["thresholds"], list(thresholds), f"{file}, thresholds of {found.target}")
        if whole:
            _hold_decisions(Predicted.of(evaluation.predictions, evaluation.labels), thresholds, file)
        found.hold(values["scores"], evaluation.scores, file)
        if values["files"][file.with_suffix(".csv").name] not in known:
            raise InputError(
                f"{file}: no line of {readings_file(found.target)} records its reading; evaluate again or restore it"
            )
        found.evaluations.append(file.name)


def first_difference(stored: Any, derived: Any, place: str = "") -> tuple[str, Any, Any] | None:
    """Return where two values from JSON differ first, and both; None where they are the same."""
    if isinstance(stored, Mapping) and isinstance(derived, Mapping):
        for name in dict.fromkeys((*stored, *derived)):
            inner = f"{place}.{name}" if place else str(name)
            if name not in stored or name not in derived:
                return inner, stored.get(name, "not there"), derived.get(name, "not there")
            if (found := first_difference(stored[name], derived[name], inner)) is not None:
                return found
        return None
    if isinstance(stored, list) and isinstance(derived, list) and len(stored) == len(derived):
        pairs = enumerate(zip(stored, derived, strict=True))
        places = (first_difference(one, other, f"{place}[{number}]") for number, (one, other) in pairs)
        return next((found for found in places if found is not None), None)
    if _is_number(stored) and _is_number(derived):
        same = math.isclose(stored, derived, rel_tol=NEAR, abs_tol=NEAR)
    else:
        same = type(stored) is type(derived) and stored == derived
    return None if same else (place or "it", stored, derived)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(map(_numbers, value.values()))
    if isinstance(value, list):
        return sum(map(_numbers, value))
    return int(_is_number(value))
