"""`auscult evaluate`: score runs and bundles, and store a prediction for every event."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.command.data_option import Data
from lungsound.command.usage import refuse_ignored
from lungsound.errors import InputError
from lungsound.listening import PROTOCOLS
from lungsound.terminal import activity, out
from lungsound.training.runs import RUN_FILE, seed_folders

if TYPE_CHECKING:  # pandas takes a second to import, which help and completion need not wait for
    from auscult.ledger.classifier import Classifier
    from lungsound.corpora.selection import Selection


def evaluate_command(
    context: typer.Context,
    target: Annotated[
        list[Path],
        typer.Argument(metavar="RUN|BUNDLE...", help="Folder of a run, of the runs of several seeds, or of a bundle."),
    ],
    data: Data,
    split: Annotated[
        str, typer.Option(help="validation, test, the corpus' own (SPRSound has intra and inter), or all recordings.")
    ] = "test",
    protocol: options.Protocols = list(PROTOCOLS),  # noqa: B006
    rounding: Annotated[
        str,
        typer.Option(help="Of an int8 bundle: single as XNNPACK, double as LiteRT's reference kernels and firmware."),
    ] = "single",
    engine: Annotated[
        str, typer.Option(help="Of an int8 bundle: litert, or c: the generated C, built for this computer by gcc.")
    ] = "litert",
    drop_shared: options.DropShared = False,
    validation: options.Validation = 0.2,
    split_seed: options.SplitSeed = 0,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder of the predictions; else RUN/evaluation, BUNDLE-evaluation."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Print every table: by device, site, age, sex, and events of a stream.")
    ] = False,
    json_output: options.Json = False,
) -> None:
    """Score runs or bundles on one part of a corpus, and store a prediction for every event.

    The Score is that of the four classes that crackle and wheeze make. Other labels have the balanced accuracy in its
    place: the mean over the labels of (sensitivity + specificity) / 2. Intervals are 95 % intervals over patients.
    Beside the predictions lies a ledger with all figures, which `auscult verify` derives again. Every reading of a part
    is written into readings.jsonl of the run, or of BUNDLE-evaluation. Several runs or bundles, such as the seeds of
    one training, are scored one after the other, with the spread of their figures.

    JSON keys: target, model, part, synthetic, labels, thresholds, corpus (names). By --protocol: cycles (scores:
    windows (with: n, auroc (by label), sensitivity (by label), specificity (by label), f1 (by label),
    balanced_accuracy; of crackle and wheeze: sp, se, score, se_any, score_any), by_patient (95 % interval of the Score
    or the balanced accuracy), intervals (of every figure: windows; of SPRSound: task_1-1, task_1-2), counts (numbers
    of: windows, recordings, patients), calibration (of probabilities: temperature (fitted on validation or null),
    by_label (by label: brier, ece, bins (a list: n, said, found), intervals); where there is a temperature:
    with_temperature (as by_label)), groups (by kind and name), within_devices (means over several devices or null:
    devices, scores, intervals), picked_on_test (null or what picking the epoch on this test would claim: epochs (a
    list: epoch, score, auroc_any), claimed (the largest: score, auroc_any)), no_sound (of the event length alone or
    null: n, auroc (by label), sensitivity (by label), specificity (by label), f1 (by label), balanced_accuracy, binary
    (SPRSound's scores), auroc_binary; of crackle and wheeze: sp, se, score, se_any, score_any), predictions (file),
    ledger (file), reading (of this part by this model so far); of SPRSound: task_1-1 (SPRSound's scores), task_1-2
    (SPRSound's scores), left_out (why by task)), stream (scores: windows (as those of cycles), by_patient (as that of
    cycles), intervals (as those of cycles), counts (as those of cycles), calibration (as that of cycles), groups (as
    those of cycles), within_devices (as those of cycles), recordings (as windows), picked_on_test (as that of cycles),
    events (by label: events, alarms, false_alarms, sensitivity, false_alarms_an_hour, intervals, curve (a list: offset,
    sensitivity, false_alarms_an_hour)), normal_breathing (of any label: hours, alarms, alarms_an_hour, intervals),
    predictions (file), ledger (file), reading (of this part by this model so far); of SPRSound: task_2-1 (SPRSound's
    scores), task_2-2 (SPRSound's scores), left_out (why by task)). Instead, of several runs or bundles: targets (a list
    of such objects), spread (by protocol and level).
    """
    targets = _each_seed(target)
    if all((one / RUN_FILE).is_file() for one in targets):
        refuse_ignored(context, ["rounding", "engine"], "means something for a bundle alone; leave it out")
    if split not in ("train", "validation"):
        refuse_ignored(context, ["validation", "split_seed"], "changes no test part; leave it out")
    if len(targets) > 1:
        refuse_ignored(context, ["output"], "holds the predictions of one run or bundle; leave it out")
    with activity() as doing:
        doing("loading pandas and the model")
        from auscult.ledger.classifier import open_classifier
        from auscult.ledger.printing import print_spread
        from lungsound.corpora.selection import Selection

        classifiers = [open_classifier(one, rounding, engine) for one in targets]
    if not any(classifier.int8 for classifier in classifiers):
        refuse_ignored(context, ["rounding"], "means something for an int8 bundle alone; leave it out")
    selection = Selection.open(data, drop_shared=drop_shared, validation=validation, seed=split_seed)
    for one, classifier in zip(targets, classifiers, strict=True):
        _refuse_other_split(one, classifier, selection, split)
    answers = [
        _evaluated(one, classifier, selection, data, split, protocol, output, None if json_output else full)
        for one, classifier in zip(targets, classifiers, strict=True)
    ]
    if len(answers) == 1:
        if json_output:
            print_json(answers[0])
        return
    spread = _spread(answers, protocol)
    if json_output:
        print_json({"targets": answers, "spread": spread})
    else:
        print_spread(spread, len(answers), synthetic=selection.synthetic)


def _each_seed(targets: Sequence[Path]) -> list[Path]:
    """Return the targets, with the runs of several seeds in the place of the folder that holds them."""
    found = []
    for target in targets:
        found += [target] if (target / RUN_FILE).is_file() else seed_folders(target) or [target]
    if twice := [one for place, one in enumerate(found) if one in found[:place]]:
        raise InputError(f"{twice[0]}: named twice; name each run or bundle once")
    return found


def _refuse_other_split(target: Path, classifier: "Classifier", selection: "Selection", split: str) -> None:
    from lungsound.corpora.splits import ALL, CHOICE

    if split in CHOICE and selection.hash != classifier.split_hash:
        raise InputError(
            f"--split {split}: not the split that {target} was trained with; give its --data, --validation, "
            "--split-seed and --drop-shared, or name a test part"
        )
    if split == ALL and selection.hash == classifier.split_hash:
        raise InputError(f"--split {ALL}: {target} was trained on these recordings; name a part that it did not see")


def _evaluated(
    target: Path,
    classifier: "Classifier",
    selection: "Selection",
    data: Sequence[str],
    split: str,
    protocols: Sequence[str],
    output: Path | None,
    full: bool | None,
) -> dict[str, Any]:
    """Score one target and store it; `full` says how much of it is printed, None nothing."""
    from auscult.ledger.epochs import epoch_thresholds
    from auscult.ledger.evaluation import evaluate, validation_temperature
    from auscult.ledger.printing import print_evaluation
    from auscult.ledger.readings import record_reading
    from auscult.ledger.stored import predictions_folder, store_evaluation
    from lungsound.corpora.splits import ALL, CHOICE

    answer: dict[str, Any] = {"target": str(target), "model": classifier.name, "part": split}
    answer |= {"synthetic": selection.synthetic, "labels": classifier.listening.labels}
    answer["thresholds"] = list(classifier.thresholds)
    answer["corpus"] = [corpus.name for corpus in selection.corpora]
    temperature = validation_temperature(classifier, selection)
    epochs = {} if split in (*CHOICE, ALL) else epoch_thresholds(classifier, data)
    for name in protocols:
        result = evaluate(classifier, selection, split, name, temperature, epochs)
        reading = record_reading(target, result)
        ledger = store_evaluation(result, output or predictions_folder(target))
        stored = {"predictions": str(ledger.with_suffix(".csv")), "ledger": str(ledger), "reading": reading}
        answer[name] = result.scores | stored
        if full is not None:
            print_evaluation(result, full=full)
            out.print(f"predictions: {ledger.with_suffix('.csv')}, reading {reading}", highlight=False)
    return answer


def _spread(answers: Sequence[dict[str, Any]], protocols: Sequence[str]) -> dict[str, Any]:
    """Return how far the figures of several targets vary, by protocol and level."""
    from lungsound.scores.spread import spreads

    levels = ("windows", "recordings", "task_1-1", "task_1-2", "task_2-1", "task_2-2")
    return {
        name: {
            level: spreads([answer[name][level] for answer in answers])
            for level in levels
            if all(level in answer[name] for answer in answers)
        }
        for name in protocols
    }
