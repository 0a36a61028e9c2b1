"""Make the models of the package: export each run, measure it on a test part, and write what is shipped.

    python benchmarks/ship_models.py FILE.toml

FILE.toml has a table a model, by the name that it gets:

    [sprsound-m7]
    run = "runs/m7"
    device = "Cortex-M7 and M55"
    target = "cortex-m7"              # whose RAM and flash are told; none for a model that becomes no firmware
    data = ["sprsound:/corpora/sprsound"]
    part = "intra"

Every command is one that a user has: export, plan, evaluate. The part is read by `evaluate` alone, which keeps count.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from auscult.models.shipped import FOLDER
from export.bundle.evidence import Evidence, Figure
from export.bundle.opening import Bundle
from export.bundle.shipping import ship
from lungsound.corpora.registry import readers
from lungsound.corpora.selection import Selection
from lungsound.files.record import write_object
from lungsound.training.data import DataOptions
from lungsound.training.runs import Run

ROOT = Path(__file__).parents[1]
LEVELS = {"cycles": ("windows", "task_1-1"), "stream": ("windows", "recordings")}
"""By protocol, those of an evaluation that are told."""
METRICS = ("auroc", "score", "se", "sp", "sensitivity", "specificity", "balanced_accuracy")


def auscult(*words: object) -> dict[str, Any]:
    """Run a command; return its answer."""
    command = [sys.executable, "-c", "from auscult.cli import main; main()", *map(str, words), "--json"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def figures_of(answer: dict[str, Any], part: str) -> tuple[Figure, ...]:
    """Return every figure of an evaluation that has an interval."""
    corpus = "+".join(answer["corpus"])
    found = []
    for protocol, levels in LEVELS.items():
        for level in levels:
            values = answer.get(protocol, {}).get(level, {})
            intervals = answer.get(protocol, {}).get("intervals", {}).get(level, {})
            for metric in METRICS:
                value, interval = _by_label(values.get(metric)), _by_label(intervals.get(metric))
                found += [
                    Figure(corpus, part, protocol, level, f"{metric} {label}".strip(), value[label], *interval[label])
                    for label in value
                    if value[label] is not None and None not in interval.get(label, [None])
                ]
    return tuple(found)


def _by_label(value: Any) -> dict[str, Any]:
    """Return a figure by label; one that is of no label is of "", one that is missing of none."""
    return value if isinstance(value, dict) else {} if value is None else {"": value}


def counts(selection: Selection, parts: list[str], run: Run) -> tuple[dict[str, int], dict[str, int]]:
    """Return recordings and patients by part."""
    windows = {part: selection.windows(part, ["stream"], run.listening) for part in parts}
    return tuple({part: int(one[column].nunique()) for part, one in windows.items()} for column in ("path", "patient"))


def ship_one(name: str, asked: dict[str, Any]) -> None:
    """Export, measure and write one model."""
    run = Run.load(Path(asked["run"]))
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    selection = DataOptions.of_run(run).select()
    recordings, patients = counts(selection, ["train", "validation", asked["part"]], run)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / name
        auscult("export", run.path, "--int8", "tflite", "-o", bundle)
        target = asked.get("target")
        plan = auscult("plan", bundle, "--target", target, "--overlapping") if target else {}
        data = [word for corpus in asked["data"] for word in ("--data", corpus)]
        answer = auscult("evaluate", bundle, *data, "--split", asked["part"], "-o", Path(folder) / "evaluation")
        evidence = Evidence(
            name=name,
            device=asked["device"],
            target=target,
            ram_bytes=plan.get("ram_bytes"),
            flash_bytes=plan.get("flash_bytes"),
            recordings=recordings,
            patients=patients,
            corpora={
                name: {"terms": readers()[name].terms, "paper": readers()[name].paper} for name in corpora_of(run)
            },
            recipe=run.options.get("recipe"),
            options=options_of(run),
            commit=commit.stdout.strip(),
            figures=figures_of(answer, asked["part"]),
        )
        shipped = ship(Bundle.open(bundle), evidence, FOLDER / name)
    write_object(FOLDER / f"{name}.json", vars(evidence) | {"figures": [vars(one) for one in evidence.figures]})
    auscult("check", shipped.path)


def corpora_of(run: Run) -> list[str]:
    """Return the names of the corpora that a run was trained on."""
    return [name.partition(":")[0] for name in run.data]


def options_of(run: Run) -> dict[str, Any]:
    """Return the options of a training; of a file on this machine its name alone."""
    return {
        name: Path(value).name if isinstance(value, str) and "/" in value else value
        for name, value in run.options.items()
    }


def main() -> None:
    for name, asked in tomllib.loads(Path(sys.argv[1]).read_text()).items():
        ship_one(name, asked)
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    print(f"{FOLDER}: {size:,} bytes")


if __name__ == "__main__":
    main()
