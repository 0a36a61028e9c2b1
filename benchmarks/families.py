"""Trained students of several families through the gate, one row a run.

    python benchmarks/families.py runs/CNN6 runs/MOBILENETV2 runs/STREAM -o families.json

Every run is exported again (int8 .tflite and ONNX) into RUN/bundle. A row holds parameters, bytes, how far int8 is from
float on the run's validation windows, and the milliseconds of a window on this machine, as `auscult bench` takes them.
What streams is built for Cortex-M4, M7 and M55, and in plain C for M3, and run in QEMU, which counts instructions and
compares every output byte with LiteRT. What is refused, by the gate or by the firmware, is a row with the sentence.
The runs' corpora must lie where they lay, or where --data says.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from rich.table import Table

from auscult.bench import bench
from export.bundle.manifest import ONNX_FLOAT_FILE, ONNX_INT8_FILE, TFLITE_FILE
from export.bundle.opening import Bundle
from export.command import export_run
from firmware_bridge.bench_target import bench_target
from lungsound.errors import InputError
from lungsound.files.atomic import whole_file
from lungsound.terminal import out, print_table
from lungsound.training.runs import Run

TARGETS = {"cortex-m4": None, "cortex-m7": None, "cortex-m55": None, "cortex-m3": "c99"}
"""And the kernels of each; None for those that suit it best."""

INT8 = {"litert_xnnpack": TFLITE_FILE, "onnxruntime_int8": ONNX_INT8_FILE}
MEASURED = (
    *("kernels", "ram_bytes", "flash_bytes", "instructions_per_second"),
    *("output_bytes", "differing_bytes", "codes", "differing_codes"),
)


def row_of(folder: Path, data: list[str], runs: int) -> dict[str, Any]:
    """Export a run and measure its bundle; ``refused`` holds the sentence where it does not come so far."""
    row: dict[str, Any] = {"run": str(folder)}
    try:
        run = Run.load(folder)
        row |= {"student": run.model, "listening": run.listening.to_dict(), "epochs": run.options.get("epochs")}
        bundle = export_run(run, folder / "bundle", data=data)
    except InputError as error:
        return row | {"refused": str(error)}
    manifest = bundle.manifest
    sizes = {name: facts.size for name, facts in manifest.files.items()}
    validation = manifest.validation
    return row | {
        "parameters": manifest.parameters,
        "float_bytes": sizes[ONNX_FLOAT_FILE],
        "int8": {
            name: {
                "bytes": sizes[file],
                "windows": validation["windows"],
                **{key: validation["int8"][name][key] for key in ("max_error", "mean_error", "differing_decisions")},
            }
            for name, file in INT8.items()
        },
        "milliseconds": _milliseconds(bundle, runs),
        "targets": {target: _on_target(bundle.path, target, kernels) for target, kernels in TARGETS.items()},
    }


def _milliseconds(bundle: Bundle, runs: int) -> dict[str, Any]:
    measured = bench(bundle, runs)
    kept = "median_ms", "p5_ms", "p95_ms"
    rows = {name: {key: measured["rows"][name][key] for key in kept} for name in INT8 if name in measured["rows"]}
    return {"processor": measured["processor"], "runs": measured["runs"]} | rows


def _on_target(bundle: Path, target: str, kernels: str | None) -> dict[str, Any]:
    try:
        measured = bench_target(bundle, target, kernels)
    except InputError as error:
        return {"refused": str(error)}
    return {key: measured[key] for key in MEASURED}


def parity_table(rows: list[dict[str, Any]]) -> Table:
    """Return the table of sizes, parity and time."""
    table = Table(title="Int8 beside float on validation windows")
    for column in ("student", "parameters", "float KB", "int8 KB", "largest error", "mean", "decisions", "ms"):
        table.add_column(column, justify="left" if column == "student" else "right")
    for row in rows:
        if "refused" in row:
            table.add_row(name_of(row), "refused")
            continue
        for runtime, found in row["int8"].items():
            time = row["milliseconds"].get(runtime)
            table.add_row(
                f"{name_of(row)}, {runtime}",
                f"{row['parameters']:,}",
                f"{row['float_bytes'] / 1000:.0f}",
                f"{found['bytes'] / 1000:.0f}",
                f"{found['max_error']:.3f}",
                f"{found['mean_error']:.4f}",
                f"{found['differing_decisions']:.2%} of {found['windows']} windows",
                f"{time['median_ms']:.2f}" if time else "",
            )
    return table


def firmware_table(rows: list[dict[str, Any]]) -> Table:
    """Return the table of what runs on each core."""
    table = Table(title="Firmware in QEMU")
    for column in ("student", "core", "RAM", "flash", "M instructions a second", "differing bytes"):
        table.add_column(column, justify="left" if column in ("student", "core") else "right")
    for row in rows:
        for target, found in row.get("targets", {}).items():
            cells = ["refused"] if "refused" in found else _cells(found)
            table.add_row(name_of(row), target, *cells)
    return table


def _cells(found: dict[str, Any]) -> list[str]:
    return [
        f"{found['ram_bytes']:,}",
        f"{found['flash_bytes']:,}",
        f"{found['instructions_per_second'] / 1e6:.2f}",
        f"{found['differing_bytes']} of {found['output_bytes']}",
    ]


def refusals(rows: list[dict[str, Any]]) -> list[str]:
    """Return why runs and targets have no figures, a line for each reason of a run."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for place, one in {"the gate": row, **row.get("targets", {})}.items():
            if "refused" in one:
                found.setdefault((name_of(row), one["refused"]), []).append(place)
    return [f"{name}, {', '.join(places)}: {sentence}" for (name, sentence), places in found.items()]


def name_of(row: dict[str, Any]) -> str:
    """Return what a row is called: family, width and depth, or the folder where there is no run."""
    if (model := row.get("student")) is None:
        return str(row["run"])
    depth = f", depth {model['depth']}" if model.get("depth") else ""
    return f"{model['trunk']} {model['width']:g}{depth}"


def main() -> None:
    """Print two tables, and store what they are made of."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a trained student")
    parser.add_argument("--data", action="append", default=[], metavar="CORPUS:ROOT", help="where a corpus lies now")
    parser.add_argument("--times", type=int, default=100, help="windows that each runtime is timed on [100]")
    parser.add_argument("-o", "--output", type=Path, default=Path("families.json"), help="[families.json]")
    arguments = parser.parse_args()
    rows = []
    for folder in arguments.runs:
        rows.append(row_of(folder, arguments.data, arguments.times))
        with whole_file(arguments.output) as temporary:  # what is done is kept
            temporary.write_text(json.dumps(rows, indent=2))
    print_table(parity_table(rows))
    print_table(firmware_table(rows))
    for line in refusals(rows):
        out.print(line, highlight=False, markup=False)


if __name__ == "__main__":
    main()
