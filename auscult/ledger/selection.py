"""Which evaluations of two runs or bundles are held against each other."""

from collections.abc import Sequence
from pathlib import Path

from auscult.ledger.classifier import open_classifier
from auscult.ledger.comparison import Pair
from auscult.ledger.evaluation import evaluate, validation_temperature
from auscult.ledger.readings import record_reading
from auscult.ledger.stored import ledgers_in, predictions_folder, read_evaluation, read_ledger, store_evaluation
from lungsound.corpora.selection import Selection
from lungsound.errors import InputError
from lungsound.listening import PROTOCOLS, check_protocols

_SAME = ("corpus", "part", "protocol")


def read_anew(
    targets: Sequence[Path], data: Sequence[str], split: str, protocols: Sequence[str] | None, rounding: str
) -> None:
    """Evaluate runs or bundles on a part of a corpus, and store and record that as `auscult evaluate` does."""
    classifiers = [open_classifier(target, rounding) for target in targets]
    selection = Selection.open(data, drop_shared=False, validation=0.2, seed=0)
    for target, classifier in zip(targets, classifiers, strict=True):
        temperature = validation_temperature(classifier, selection)
        for protocol in protocols or PROTOCOLS:
            evaluation = evaluate(classifier, selection, split, protocol, temperature)
            record_reading(target, evaluation)
            store_evaluation(evaluation, predictions_folder(target))


def pairs(one: Path, other: Path, split: str | None, protocols: Sequence[str] | None, rounding: str) -> list[Pair]:
    """Return the stored evaluations of two targets that are of the same corpus, part and protocol.

    Raises
    ------
    InputError
        If there is none.
    """
    if protocols:
        check_protocols(protocols)
    known = [_ledgers(target, rounding) for target in (one, other)]
    both = [key for key in known[0] if key in known[1]]
    kept = [key for key in both if split in (None, key[1]) and (not protocols or key[2] in protocols)]
    if not kept:
        told = ", ".join(" ".join(key) for key in sorted(known[0].keys() ^ known[1].keys())) or "none"
        raise InputError(
            f"{one} and {other}: no stored evaluation of both is of the same corpus, part and protocol (of one alone: "
            f"{told}); name a corpus with --data"
        )
    return [Pair(*(read_evaluation(found[key]) for found in known)) for key in kept]


def _ledgers(target: Path, rounding: str) -> dict[tuple[str, ...], Path]:
    """Return the ledgers of a target by what they are of; of an int8 bundle those of one rounding."""
    name = open_classifier(target, rounding).name
    found = {}
    for file in ledgers_in(predictions_folder(target)):
        values = read_ledger(file)
        if values["model"] == name:
            found[tuple(values[key] for key in _SAME)] = file
    return found
