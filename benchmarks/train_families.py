"""Students on labels alone, trained alike, two seeds: families, or what they hear; scored, in one table.

    python benchmarks/train_families.py --data sprsound:ROOT --weights mn04_as_mAP_432.pt --runs runs/families
    python benchmarks/train_families.py --ears --epochs 4 --data sprsound:ROOT --runs runs/ears

A training has a fixed number of epochs: --epochs, or as many as fit --minutes at the seconds that an epoch takes on one
core (`FAMILIES`, `EARS`); --smoke trains one epoch of each. These seconds are CPU time of 345 steps of 32 windows and
of validation, taken on two busy cores: a quiet machine needs less, perhaps half.

Epoch and thresholds are chosen on validation patients, whose figures flatter for that. What is finished is skipped,
what was interrupted goes on. Scores of cycles and stream, on validation and SPRSound's intra test, go to
RUNS/scores.json, with those of the cycles of --untouched, a corpus that no training saw: pooled, and as the mean of the
AUROC within each of its devices, since a pooled figure mixes sound with knowing the device. Intervals are those of
whole patients drawn with replacement, and differences inside them say nothing.
"""

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import torch
from rich.table import Table

from auscult.ledger.classifier import FloatRun
from auscult.ledger.evaluation import evaluate
from distill.losses import LossWeights
from distill.settings import DistillSettings
from distill.training import distill
from lungsound.corpora.selection import Selection
from lungsound.corpora.splits import ALL
from lungsound.files.atomic import whole_file
from lungsound.files.cache import cache_folder
from lungsound.listening import PROTOCOLS
from lungsound.logmel import Normalisation
from lungsound.scores.evaluation import logit_columns
from lungsound.scores.paired import interval, patient_weights, weighted_auroc
from lungsound.terminal import err, print_table
from lungsound.training.data import DataOptions
from lungsound.training.runs import RUN_FILE, Run
from students.student import Student, StudentConfig

PARTS = ("validation", "intra")
DRAWS = 200


@dataclass(frozen=True)
class Trained:
    """A student, what it hears, and the CPU seconds that an epoch of SPRSound's 4 s windows took it on one core."""

    student: StudentConfig
    seconds: float
    logmel: str = "device_4k"
    normalisation: Normalisation = "corpus"
    published: bool = False


CNN6 = StudentConfig("cnn6", width=1 / 8)

FAMILIES = {
    "cnn6": Trained(CNN6, 67.0),
    "mobilenetv2": Trained(StudentConfig("mobilenetv2", width=1 / 8), 280.0),
    "mn04": Trained(StudentConfig("mobilenetv3", width=0.4), 360.0, "efficientat_8k", published=True),
    "stream": Trained(StudentConfig("stream", width=0.25, depth=6), 33.0),
    "cnn10": Trained(StudentConfig("cnn10", width=1 / 8), 85.0),
    "cnn14": Trained(StudentConfig("cnn14", width=1 / 8), 120.0),
    "resnet22": Trained(StudentConfig("resnet22", width=1 / 8), 120.0),
    "mobilenetv1": Trained(StudentConfig("mobilenetv1", width=1 / 8), 50.0),
}

EARS = {
    f"{name}-{normalisation}": Trained(CNN6, seconds, logmel, normalisation)
    for name, logmel, seconds in (
        ("64ms", "device_4k", 67.0),
        ("32ms", "device_4k_32ms", 134.0),
        ("16ms", "device_4k_16ms", 268.0),
    )
    for normalisation in get_args(Normalisation)
}


def settings_of(family: Trained, data: list[str], weights: Path | None, seed: int, epochs: int) -> DistillSettings:
    """Return a training on labels alone; windows of a stream follow each other as the student needs."""
    options = DataOptions(data=tuple(data), logmel=family.logmel, normalisation=family.normalisation)
    options = replace(options, hop_seconds=Student(family.student).whole_hop(options.listening()))
    return DistillSettings(
        None,
        options,
        family.student,
        LossWeights(logits=0, embedding=0),
        epochs,
        seed=seed,
        student_weights=str(weights) if family.published else None,
    )


def trained(settings: DistillSettings, folder: Path) -> Run:
    """Return a finished run, or make it."""
    if not (folder / RUN_FILE).is_file():
        err.print(f"training {settings.epochs} epochs, into {folder}", highlight=False)
        return distill(settings, folder, cache_folder())
    run = Run.load(folder)
    if run.options["epochs"] != settings.epochs:
        raise SystemExit(f"{folder}: has {run.options['epochs']} epochs, not {settings.epochs}; name another --runs")
    return run


def scored(run: Run, data: list[str], untouched: list[str]) -> list[dict[str, Any]]:
    """Return a row for every part and protocol, and one for the cycles of a corpus that no training saw."""
    selection = DataOptions.of_run(run, data).select()
    rows = [row_of(run, selection, part, protocol) for part in PARTS for protocol in PROTOCOLS]
    if untouched:
        elsewhere = Selection.open(untouched, drop_shared=False, validation=0.2, seed=0)
        rows.append(row_of(run, elsewhere, ALL, "cycles"))
    return rows


def row_of(run: Run, selection: Selection, part: str, protocol: str) -> dict[str, Any]:
    """Return the scores of one part and protocol."""
    found = evaluate(FloatRun(run), selection, part, protocol)
    score = found.scores["windows"]["score"], *found.scores["by_patient"]
    area = auroc_intervals(found.predictions, run.listening.labels)
    return {"corpus": found.corpus, "part": part, "protocol": protocol, "score": score, "auroc": area} | found.scores


def auroc_intervals(table: pd.DataFrame, labels: tuple[str, ...]) -> dict[str, tuple[float, float, float]]:
    """Return AUROC by label and of any, pooled and ``within`` devices if there are several, with 95 % intervals."""
    truth, logits = table[list(labels)].to_numpy(), table[logit_columns(labels)].to_numpy()
    weights = np.vstack([np.ones(len(table)), patient_weights(table["patient"], DRAWS)])
    devices = table["device"].astype(str).to_numpy()
    groups = {"": [np.full(len(table), True)]}
    if len(names := np.unique(devices)) > 1:
        groups[" within"] = [devices == name for name in names]
    sides = {label: (truth[:, column], logits[:, column]) for column, label in enumerate(labels)}
    found = {}
    for label, (true, logit) in (sides | {"any": (truth.max(axis=1), logits.max(axis=1))}).items():
        for suffix, members in groups.items():
            areas = [weighted_auroc(true[member], logit[member], weights[:, member]) for member in members]
            whole, *drawn = np.ma.masked_invalid(areas).mean(axis=0).filled(np.nan)
            found[f"{label}{suffix}"] = (float(whole), *interval(np.array(drawn)))
    return found


def table_of(rows: list[dict[str, Any]]) -> Table:
    """Return the table of all rows."""
    table = Table(title="Labels alone; Score and AUROC, with 95 % intervals over patients")
    for column in ("student", "seed", "epochs", "corpus", "part", "protocol", "Score", "AUROC"):
        table.add_column(column)
    for row in rows:
        areas = "\n".join(f"{label} {words(*values)}" for label, values in row["auroc"].items())
        where = (str(row[key]) for key in ("student", "seed", "epochs", "corpus", "part", "protocol"))
        table.add_row(*where, words(*row["score"]), areas)
    return table


def words(value: float, low: float, high: float) -> str:
    """Return a figure with its interval."""
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    """Train what is not trained, score it all, print the table and store it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", required=True, metavar="sprsound:ROOT")
    parser.add_argument("--weights", type=Path, help="published mn04_as_mAP_432.pt; without it mn04 is left out")
    parser.add_argument("--runs", type=Path, default=Path("runs/families"), help="[runs/families]")
    parser.add_argument("--untouched", action="append", default=[], metavar="icbhi2017:ROOT")
    parser.add_argument("--ears", action="store_true", help="CNN6/8 by log-mel and normalisation, not the families")
    parser.add_argument("--only", action="append", choices=[*FAMILIES, *EARS], help="may be repeated [all]")
    parser.add_argument("--epochs", type=int, help="of each training, whatever it takes")
    parser.add_argument("--minutes", type=float, default=5.0, help="CPU minutes of each training [5]")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each [2]")
    parser.add_argument("--smoke", action="store_true", help="one epoch of each, one seed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    trainings = EARS if arguments.ears else FAMILIES
    for seed in range(1 if arguments.smoke else arguments.seeds):
        for name, training in trainings.items():
            if (arguments.only and name not in arguments.only) or (training.published and arguments.weights is None):
                continue
            fitting = arguments.epochs or max(1, int(60 * arguments.minutes / training.seconds))
            epochs = 1 if arguments.smoke else fitting
            settings = settings_of(training, arguments.data, arguments.weights, seed, epochs)
            run = trained(settings, arguments.runs / f"{name}-{seed}")
            told = {"student": name, "seed": seed, "epochs": epochs, "run": str(run.path)}
            rows += [told | row for row in scored(run, arguments.data, arguments.untouched)]
            with whole_file(arguments.runs / "scores.json") as temporary:
                temporary.write_text(json.dumps(rows, indent=2))
    print_table(table_of(rows))


if __name__ == "__main__":
    main()
