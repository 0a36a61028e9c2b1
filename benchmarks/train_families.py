"""Families of students on labels alone, the same budget of CPU minutes each, two seeds: trained, scored, in one table.

    python benchmarks/train_families.py --data sprsound:ROOT --weights mn04_as_mAP_432.pt --runs runs/families

A training has a fixed number of epochs: as many as fit its budget at the seconds that an epoch takes on one core
(`FAMILIES`); --smoke trains one epoch of each. These seconds are CPU time of 345 steps of 32 windows and of validation,
from two steps and one forward pass of each, taken on two busy cores: a quiet machine needs less, perhaps half.

Epoch and thresholds are chosen on validation patients, whose figures flatter for that. What is finished is skipped,
what was interrupted goes on. Scores of cycles and stream, on validation and SPRSound's intra test, go to
RUNS/families.json; intervals are those of whole patients drawn with replacement, and differences inside them say
nothing.
"""

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.table import Table
from sklearn.metrics import roc_auc_score

from auscult.evaluate import FloatRun, evaluate
from distill.losses import LossWeights
from distill.settings import DistillSettings
from distill.training import distill
from lungsound.files.atomic import whole_file
from lungsound.files.cache import cache_folder
from lungsound.listening import PROTOCOLS
from lungsound.scores.evaluation import logit_columns
from lungsound.terminal import err, print_table
from lungsound.training.data import DataOptions
from lungsound.training.runs import RUN_FILE, Run
from students.student import Student, StudentConfig

PARTS = ("validation", "intra")
DRAWS = 200


@dataclass(frozen=True)
class Family:
    """A student, what it hears, and the CPU seconds that an epoch of SPRSound's 4 s windows took it on one core."""

    student: StudentConfig
    seconds: float
    logmel: str = "device_4k"
    published: bool = False


FAMILIES = {
    "cnn6": Family(StudentConfig("cnn6", width=1 / 8), 67.0),
    "mobilenetv2": Family(StudentConfig("mobilenetv2", width=1 / 8), 121.0),
    "mn04": Family(StudentConfig("mobilenetv3", width=0.4), 197.0, "efficientat_8k", published=True),
    "stream": Family(StudentConfig("stream", width=0.25, depth=6), 33.0),
}


def settings_of(family: Family, data: list[str], weights: Path | None, seed: int, epochs: int) -> DistillSettings:
    """Return a training on labels alone; windows of a stream follow each other as the student needs."""
    options = DataOptions(data=tuple(data), logmel=family.logmel)
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


def scored(run: Run, data: list[str]) -> list[dict[str, Any]]:
    """Return a row for every part and protocol."""
    classifier, selection = FloatRun(run), DataOptions.of_run(run, data).select()
    rows = []
    for part in PARTS:
        for protocol in PROTOCOLS:
            found = evaluate(classifier, selection, part, protocol)
            score = found.scores["windows"]["score"], *found.scores["by_patient"]
            area = auroc_intervals(found.predictions, run.listening.labels)
            rows.append({"part": part, "protocol": protocol, "score": score, "auroc": area} | found.scores)
    return rows


def auroc_intervals(table: pd.DataFrame, labels: tuple[str, ...]) -> dict[str, tuple[float, float, float]]:
    """Return AUROC by label and of any, each with its 95 % interval over patients."""
    truth, logits = table[list(labels)].to_numpy(), table[logit_columns(labels)].to_numpy()
    patients, index = np.unique(table["patient"].astype(str), return_inverse=True)
    drawn = np.random.default_rng(0).multinomial(len(patients), np.full(len(patients), 1 / len(patients)), DRAWS)
    sides = {label: (truth[:, column], logits[:, column]) for column, label in enumerate(labels)}
    found = {}
    for label, (true, logit) in (sides | {"any": (truth.max(axis=1), logits.max(axis=1))}).items():
        counts = [times[index] for times in drawn]
        areas = [
            roc_auc_score(true[kept], logit[kept], sample_weight=weight[kept])
            for weight in counts
            if 0 < true[kept := weight > 0].mean() < 1
        ]
        found[label] = (float(roc_auc_score(true, logit)), *np.quantile(areas, [0.025, 0.975]).tolist())
    return found


def table_of(rows: list[dict[str, Any]]) -> Table:
    """Return the table of all rows."""
    labels = list(rows[0]["auroc"])
    table = Table(title="Labels alone; Score and AUROC, with 95 % intervals over patients")
    for column in ("student", "seed", "epochs", "part", "protocol", "Score", *(f"AUROC {label}" for label in labels)):
        table.add_column(column)
    for row in rows:
        figures = [row["score"], *row["auroc"].values()]
        where = (str(row[key]) for key in ("family", "seed", "epochs", "part", "protocol"))
        table.add_row(*where, *(f"{value:.3f} [{low:.3f}, {high:.3f}]" for value, low, high in figures))
    return table


def main() -> None:
    """Train what is not trained, score it all, print the table and store it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", required=True, metavar="sprsound:ROOT")
    parser.add_argument("--weights", type=Path, help="published mn04_as_mAP_432.pt; without it mn04 is left out")
    parser.add_argument("--runs", type=Path, default=Path("runs/families"), help="[runs/families]")
    parser.add_argument("--family", action="append", choices=FAMILIES, help="may be repeated [all]")
    parser.add_argument("--minutes", type=float, default=5.0, help="CPU minutes of each training [5]")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each [2]")
    parser.add_argument("--smoke", action="store_true", help="one epoch of each, one seed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in arguments.family or FAMILIES:
        family = FAMILIES[name]
        if family.published and arguments.weights is None:
            continue
        for seed in range(1 if arguments.smoke else arguments.seeds):
            epochs = 1 if arguments.smoke else max(1, int(60 * arguments.minutes / family.seconds))
            settings = settings_of(family, arguments.data, arguments.weights, seed, epochs)
            run = trained(settings, arguments.runs / f"{name}-{seed}")
            told = {"family": name, "seed": seed, "epochs": epochs, "run": str(run.path)}
            rows += [told | row for row in scored(run, arguments.data)]
            with whole_file(arguments.runs / "families.json") as temporary:
                temporary.write_text(json.dumps(rows, indent=2))
    print_table(table_of(rows))


if __name__ == "__main__":
    main()
