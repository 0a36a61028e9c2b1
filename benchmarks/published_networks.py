"""Networks published for microcontrollers, on Cortex-M4 and Cortex-M55: what runs in plain C, RAM and instructions.

Every int8 .tflite file of a folder that firmware takes and that convolves is laid out, built and run in QEMU on one
random window, compared with LiteRT's reference kernels. A manifest.csv beside the files names their origins.

    python benchmarks/published_networks.py FOLDER
    python benchmarks/published_networks.py FOLDER --target cortex-m4
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

from firmware_bridge.bench_target import bench_target
from firmware_bridge.plan.network import plan_network, report
from firmware_bridge.tflite.reader import parse_tflite
from lungsound.errors import InputError

CORES = {"cortex-m4": "dsp8", "cortex-m55": "mve"}


def origins(folder: Path) -> dict[str, str]:
    """Return where each file of `folder` comes from, as far as its manifest says."""
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        return {}
    with manifest.open(newline="") as lines:
        return {row["file"]: row["origin"] for row in csv.DictReader(lines)}


def plain_share(path: Path, kernels: str) -> tuple[float, float]:
    """Return multiply-accumulates of a network, in millions, and the share of them in plain C.

    Raises
    ------
    InputError
        If firmware does not take the network.
    """
    layers = report(plan_network(parse_tflite(path.name, path.read_bytes()), kernels))["layers"]
    total = sum(layer["macs"] for layer in layers)
    plain = sum(layer["macs"] for layer in layers if layer["kernel"].endswith("_c99"))
    return total / 1e6, plain / max(total, 1)


def rows(folder: Path, cores: dict[str, str]) -> Iterator[list[str]]:
    """Yield a row of the table for each network."""
    known = origins(folder)
    for path in sorted(folder.glob("*.tflite")):
        try:
            if not any("CONV_2D" in op.kind for op in parse_tflite(path.name, path.read_bytes()).ops):
                continue
            shares = {target: plain_share(path, kernels) for target, kernels in cores.items()}
        except InputError:
            continue
        row = [known.get(path.name, path.name), f"{next(iter(shares.values()))[0]:.2f}"]
        for target, (_, plain) in shares.items():
            found = bench_target(path, target)
            row += [f"{100 * plain:.1f}", f"{found['ram_bytes']:,}", f"{found['network_instructions'] / 1e6:.2f}"]
            row.append(str(found["differing_bytes"]))
        yield row


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--target", choices=CORES, help="this one alone")
    chosen = arguments.parse_args()
    cores = {target: kernels for target, kernels in CORES.items() if chosen.target in (None, target)}
    columns = [f"{target}: % in plain C | RAM | M instructions | bytes that differ" for target in cores]
    print(f"| network | M MAC | {' | '.join(columns)} |")
    print("|---|" + "---:|" * (1 + 4 * len(cores)))
    for row in rows(chosen.folder, cores):
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
