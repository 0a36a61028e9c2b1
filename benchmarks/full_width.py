"""A student of the published width beside one of an eighth: RAM, weights and instructions on Cortex-M7 and Cortex-M55.

Both are exported with random weights, since neither bytes nor instructions depend on what was learnt, and run in QEMU,
weights that the core's own flash cannot hold in an external one. Five windows, random and extreme, are compared with
LiteRT's reference kernels; at full width and 8 s that takes minutes.

    python benchmarks/full_width.py --seconds 8
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from export.tflite.float_model import float_tflite
from export.tflite.int8_model import int8_tflite
from export.tflite.ranges import calibrate
from firmware_bridge.bench_target import bench_target
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from students.student import Student, StudentConfig

WIDTHS = {"full": 1.0, "eighth": 1 / 8}
TARGETS = ("cortex-m7", "cortex-m55")
COMPARED = ("ram_bytes", "constant_bytes", "network_instructions", "worst_push_instructions")


def exported(width: float, heads: int, listening: Listening) -> bytes:
    """Return an int8 .tflite file of a student with random weights."""
    torch.manual_seed(0)
    noise = np.random.default_rng(0).standard_normal((4, listening.frames, listening.logmel.n_mels), np.float32)
    student = Student(StudentConfig(width=width, heads=heads))
    for norm in student.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = None  # the average of all batches, which is one
    with torch.no_grad():
        student.train()(torch.from_numpy(noise)[:, None])
    float_model = float_tflite(student.eval(), listening)
    return int8_tflite(float_model, calibrate(float_model, noise))


def measure(heads: int, listening: Listening) -> dict[str, Any]:
    """Run both widths on both cores."""
    found: dict[str, Any] = {"shape": [listening.frames, listening.logmel.n_mels], "heads": heads}
    with tempfile.TemporaryDirectory() as folder:
        for name, width in WIDTHS.items():
            path = Path(folder) / f"{name}.tflite"
            path.write_bytes(exported(width, heads, listening))
            found[name] = {target: bench_target(path, target) for target in TARGETS}
    found["ratio"] = {
        target: {key: found["full"][target][key] / found["eighth"][target][key] for key in COMPARED}
        for target in TARGETS
    }
    return found


def main() -> None:
    """Print a line a width and core, and their ratios, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of the window [8]")
    parser.add_argument("--spec", choices=SPECS, default="panns_16k", help="64 mels every 10 ms [panns_16k]")
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    listening = Listening.with_whole_hop(SPECS[arguments.spec], arguments.seconds, 1.0)
    found = measure(arguments.heads, listening)
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{arguments.seconds:g} s, {listening.frames} x {listening.logmel.n_mels}, {arguments.heads} heads")
    row = "{:<8}{:<12}{:>12}{:>14}{:>16}{:>20}{:>18}"
    counts_of = ("RAM bytes", "weight bytes", "M instructions", "M of worst push")
    print(row.format("width", "core", *counts_of, "differing bytes"))
    for name in WIDTHS:
        for target, one in found[name].items():
            ram, weights, *counts = (one[key] for key in COMPARED)
            numbers = (f"{count / 1e6:.1f}" for count in counts)
            differing = f"{one['differing_bytes']} of {one['output_bytes']}"
            print(row.format(name, target, ram, weights, *numbers, differing))
    for target, ratios in found["ratio"].items():
        print(row.format("ratio", target, *(f"{ratios[key]:.1f}" for key in COMPARED), ""))


if __name__ == "__main__":
    main()
