"""`auscult evaluate`: score a run or a bundle, and store a prediction for every event."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import numpy as np
import typer
from numpy.typing import NDArray

from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.command.data_option import Data
from lungsound.command.report import figure, headline, scores_table
from lungsound.command.usage import refuse_ignored
from lungsound.errors import InputError
from lungsound.files.atomic import whole_file
from lungsound.files.cache import cache_folder
from lungsound.listening import PROTOCOLS, Listening
from lungsound.terminal import activity, err, out, print_table
from lungsound.training.runs import RUN_FILE, Run

if TYPE_CHECKING:  # pandas takes a second to import, which help and completion need not wait for
    import pandas as pd

    from lungsound.corpora.selection import Selection


class Classifier(Protocol):
    """What can be scored; `int8` where its rounding is a choice."""

    name: str
    int8: bool
    listening: Listening
    thresholds: tuple[float, ...]
    split_hash: str

    def decide(self, windows: "pd.DataFrame") -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return logits [N, labels] and decisions [N, labels] for every window."""
        ...


class FloatRun:
    """A trained student or teacher in float."""

    int8 = False

    def __init__(self, run: Run) -> None:
        self.name = f"{run.kind}, float"
        self.listening = run.listening
        self.thresholds = run.decisive()
        self.split_hash = run.split["hash"]
        self._run = run

    def decide(self, windows: "pd.DataFrame") -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """See :class:`Classifier`."""
        from lungsound.features import prepare
        from lungsound.training.window_dataset import predict

        logmel = self.listening.logmel
        forward, sound = self._forward()
        features = prepare(windows, logmel, self.listening.seconds, cache_folder(), sound=sound)
        logits = predict(forward, features, logmel)
        return logits, (logits >= np.asarray(self.thresholds)).astype(np.int64)

    def _forward(self) -> tuple[Any, bool]:
        """Return what gives logits, and whether it hears sound."""
        if self._run.kind == "student":
            from students.student import Student

            student = Student.load(self._run.model, self._run.weights).eval()
            return student, student.hears_sound
        from teachers.teacher import Teacher

        teacher = Teacher.load(self._run.model, self._run.weights).eval()
        return lambda x: teacher(x).logits, False


def open_classifier(target: Path, rounding: str) -> Classifier:
    """Open a run, or a bundle to be run with one rounding.

    Raises
    ------
    InputError
        If the folder is neither.
    """
    if (target / RUN_FILE).is_file():
        return FloatRun(Run.load(target))
    from auscult.float_bundle import FloatBundle
    from auscult.int8_bundle import Int8Bundle
    from export.bundle.manifest import MANIFEST_FILE
    from export.bundle.opening import Bundle

    if (target / MANIFEST_FILE).is_file():
        bundle = Bundle.open(target)
        if bundle.manifest.failed:
            err.print(f"note: {target} failed its gate: {bundle.manifest.failed}", style="yellow", markup=False)
        return FloatBundle(bundle) if bundle.manifest.front_end else Int8Bundle(target, rounding)
    raise InputError(f"{target}: neither a run ({RUN_FILE}) nor a bundle ({MANIFEST_FILE}); name the folder of one")


@dataclass(frozen=True)
class Evaluation:
    """Predictions and scores of one protocol on one part of one corpus."""

    corpus: str
    part: str
    protocol: str
    synthetic: bool
    predictions: "pd.DataFrame"
    scores: dict[str, Any]


def evaluate(classifier: Classifier, selection: "Selection", part: str, protocol: str) -> Evaluation:
    """Run a classifier over a part and score it; `cycles` gets the no-sound baseline beside it."""
    from lungsound.scores.evaluation import predictions_table, scores

    windows = selection.windows(part, [protocol], classifier.listening)
    logits, decisions = classifier.decide(windows)
    labels = classifier.listening.labels
    table = predictions_table(windows, logits, decisions, labels)
    found = scores(table, protocol, labels)
    if protocol == "cycles":
        found["no_sound"] = _no_sound(selection, windows, classifier.listening)
    name = "+".join(corpus.name for corpus in selection.corpora)
    return Evaluation(name, part, protocol, selection.synthetic, table, found)


def _no_sound(selection: "Selection", test: "pd.DataFrame", listening: Listening) -> dict[str, Any] | None:
    """Score the baseline fitted on the same corpus' training events; None where it has none."""
    import pandas as pd

    from lungsound.scores.no_sound import no_sound_scores

    parts = [part for part in ("train", "validation") if selection.has(part)]
    if not parts:
        return None
    train = pd.concat([selection.windows(part, ["cycles"], listening) for part in parts])
    return no_sound_scores(train, test, listening.labels)


def predictions_folder(target: Path) -> Path:
    """Return where predictions lie when nobody says: in a run, but beside a bundle, which is shipped as it is."""
    if (target / RUN_FILE).is_file():
        return target / "evaluation"
    bundle = target.resolve()
    return bundle.with_name(f"{bundle.name}-evaluation")


def store_predictions(evaluation: Evaluation, folder: Path, name: str) -> Path:
    """Write the predictions as CSV, one row an event or window, and return the file."""
    label = name.replace(", ", "-").replace(" ", "-")
    file = folder / f"{evaluation.corpus}-{evaluation.part}-{evaluation.protocol}-{label}.csv"
    with whole_file(file) as temporary:
        # A path may hold bytes that are no text; they come back as they are.
        evaluation.predictions.to_csv(temporary, index=False, errors="surrogateescape")
    return file


def evaluate_command(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="Folder of a run or of a bundle.")],
    data: Data,
    split: Annotated[
        str, typer.Option(help="validation, test, the corpus' own (SPRSound has intra and inter), or all recordings.")
    ] = "test",
    protocol: options.Protocols = list(PROTOCOLS),  # noqa: B006
    rounding: Annotated[
        str,
        typer.Option(help="Of an int8 bundle: single as XNNPACK, double as LiteRT's reference kernels and firmware."),
    ] = "single",
    drop_shared: options.DropShared = False,
    validation: options.Validation = 0.2,
    split_seed: options.SplitSeed = 0,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder of the predictions; else RUN/evaluation, BUNDLE-evaluation."),
    ] = None,
    json_output: options.Json = False,
) -> None:
    """Score a run or a bundle on one part of a corpus, and store its prediction for every event.

    The Score is that of the four classes that crackle and wheeze make. Other labels have the balanced accuracy in its
    place: the mean over the labels of (sensitivity + specificity) / 2.

    JSON keys: target, model, part, synthetic, labels, thresholds, corpus (names). By --protocol: cycles (scores:
    windows (with: n, auroc (by label), sensitivity (by label), specificity (by label), f1 (by label),
    balanced_accuracy; of crackle and wheeze: sp, se, score, se_any, score_any), by_patient (95 % interval of the Score
    or the balanced accuracy), no_sound (of the event length alone or null: n, auroc (by label), sensitivity (by label),
    specificity (by label), f1 (by label), balanced_accuracy, binary (SPRSound's scores), auroc_binary; of crackle and
    wheeze: sp, se, score, se_any, score_any), predictions (file); of SPRSound: task_1-1 (SPRSound's scores), task_1-2
    (SPRSound's scores), left_out (why by task)), stream (scores: windows (as those of cycles), by_patient (as that of
    cycles), recordings (as windows), predictions (file); of SPRSound: task_2-1 (SPRSound's scores), task_2-2
    (SPRSound's scores), left_out (why by task)).
    """
    if (target / RUN_FILE).is_file():
        refuse_ignored(context, ["rounding"], "means something for a bundle alone; leave it out")
    if split not in ("train", "validation"):
        refuse_ignored(context, ["validation", "split_seed"], "changes no test part; leave it out")
    with activity() as doing:
        doing("loading pandas and the model")
        from lungsound.corpora.selection import Selection
        from lungsound.corpora.splits import ALL

        classifier = open_classifier(target, rounding)
    if not classifier.int8:
        refuse_ignored(context, ["rounding"], "means something for an int8 bundle alone; leave it out")
    selection = Selection.open(data, drop_shared=drop_shared, validation=validation, seed=split_seed)
    if split in ("train", "validation") and selection.hash != classifier.split_hash:
        raise InputError(
            f"--split {split}: not the split that {target} was trained with; give its --data, --validation, "
            "--split-seed and --drop-shared, or name a test part"
        )
    if split == ALL and selection.hash == classifier.split_hash:
        raise InputError(f"--split {ALL}: {target} was trained on these recordings; name a part that it did not see")
    answer: dict[str, Any] = {"target": str(target), "model": classifier.name, "part": split}
    answer |= {"synthetic": selection.synthetic, "labels": classifier.listening.labels}
    answer["thresholds"] = list(classifier.thresholds)
    answer["corpus"] = [corpus.name for corpus in selection.corpora]
    for name in protocol:
        result = evaluate(classifier, selection, split, name)
        file = store_predictions(result, output or predictions_folder(target), classifier.name)
        answer[name] = result.scores | {"predictions": str(file)}
        if not json_output:
            print_evaluation(result, classifier.name)
            out.print(f"predictions: {file}", highlight=False)
    if json_output:
        print_json(answer)


def print_evaluation(result: Evaluation, model: str) -> None:
    """Print the tables of one evaluation."""
    found = result.scores
    columns = {"by window": found["windows"]}
    if "recordings" in found:
        columns["by recording"] = found["recordings"]
    if found.get("no_sound"):
        columns["event length alone, no sound"] = found["no_sound"]
    title = f"{model}: {result.corpus} {result.part}, {result.protocol}"
    print_table(scores_table(title, columns, synthetic=result.synthetic))
    low, high = found["by_patient"]
    *_, name = headline(found["windows"])
    out.print(f"{name}, 95 % interval over patients: {figure(low)} to {figure(high)}", highlight=False)
    for name, task in found.items():
        if name.startswith("task_"):
            line = "  ".join(f"{key.upper()} {figure(value)}" for key, value in task.items())
            out.print(f"SPRSound {name.replace('_', ' ')}: {line}", highlight=False)
    for task, reason in found.get("left_out", {}).items():
        err.print(f"note: SPRSound task {task} is left out, {reason}", style="yellow", highlight=False)
    if "task_1-1" in found and found.get("no_sound"):
        binary = found["no_sound"]["binary"]
        out.print(f"SPRSound task 1-1, no sound: Score {figure(binary['score'])}", highlight=False)
    if result.protocol == "cycles" and not found.get("no_sound"):
        err.print("note: no training events in this corpus to fit the no-sound baseline on", style="yellow")
