"""Count in QEMU what small networks with random weights take, step by step, and the front end of every log-mel.

    python benchmarks/measure_effort.py counts.jsonl [--target cortex-m4]

One window of noise goes through each network, for every core that QEMU emulates whole, with its usual kernels and in
both roundings. A line of the file is one of them: ``work`` and counted ``instructions`` of each step, of the schedule
around them, or of a frame. Networks that do not fit a machine are left out. fit_effort.py makes costs of it.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from auscult.sizing.untrained import untrained
from firmware_bridge.bench_target import bench_target
from firmware_bridge.device.qemu import build, run
from firmware_bridge.device.targets import Target, targets
from firmware_bridge.folder.emit import kernel_files, write_network
from firmware_bridge.plan.effort import FRONT_END, engine_work, frame_work, kernels_named, step_work
from firmware_bridge.plan.model import Model
from firmware_bridge.plan.network import ROUNDINGS
from lungsound.errors import InputError
from lungsound.files.atomic import whole_file
from lungsound.listening import Listening
from lungsound.logmel import SPECS, LogMelSpec
from lungsound.terminal import err
from students.student import Student, StudentConfig

COUNT_STEPS = Path(__file__).with_name("count_steps.c")

NETWORKS = (
    (StudentConfig("stream", 1 / 2, depth=9), "device_4k_16ms"),
    (StudentConfig("cnn6", 9 / 64), "device_8k_32ms"),
    (StudentConfig("resnet22", 1 / 32, head="linear"), "device_4k"),
    (StudentConfig("resnet22", 1 / 16), "device_4k_32ms"),
    (StudentConfig("stream", 1 / 8, depth=5), "device_4k"),
    (StudentConfig("cnn6", 1 / 64, head="linear"), "device_4k_16ms"),
    (StudentConfig("mobilenetv2", 1 / 8), "device_4k_32ms"),
    (StudentConfig("mobilenetv3", 3 / 8, head="linear"), "device_4k"),
    (StudentConfig("cnn14", 1 / 32), "device_4k"),
    (StudentConfig("mobilenetv1", 1 / 4), "device_4k_32ms"),
    (StudentConfig("stream", 1 / 64, depth=4, head="mlp"), "device_4k_16ms"),
    (StudentConfig("cnn6", 5 / 32, head="mlp"), "device_4k_16ms"),
    (StudentConfig("mobilenetv3", 3 / 16), "device_4k_16ms"),
)
"""Every family, heads and log-mels by turns."""
MORE_NETWORKS = (
    (StudentConfig("mobilenetv2", 3 / 8), "device_4k_32ms"),
    (StudentConfig("mobilenetv1", 1 / 64), "device_4k_32ms"),
    (StudentConfig("resnet22", 1 / 64), "device_4k_32ms"),
    (StudentConfig("stream", 1 / 4, depth=12, head="linear"), "device_4k_16ms"),
    (StudentConfig("mobilenetv1", 1 / 8, head="mlp"), "device_4k"),
    (StudentConfig("cnn10", 1 / 16, head="linear"), "device_4k_32ms"),
    (StudentConfig("mobilenetv1", 3 / 8, head="linear"), "device_4k_32ms"),
    (StudentConfig("cnn6", 1 / 4), "device_4k_16ms"),
    (StudentConfig("cnn14", 1 / 16, head="linear"), "device_4k_32ms"),
    (StudentConfig("cnn14", 3 / 64), "device_4k_32ms"),
    (StudentConfig("cnn6", 3 / 32, head="linear"), "device_4k_32ms"),
    (StudentConfig("stream", 3 / 8, depth=7, head="linear"), "device_4k_32ms"),
    (StudentConfig("cnn10", 3 / 64, head="mlp"), "device_4k"),
    (StudentConfig("mobilenetv2", 1 / 4, head="linear"), "device_4k"),
    (StudentConfig("cnn10", 1 / 8), "device_4k_16ms"),
    (StudentConfig("mobilenetv3", 1 / 4, head="mlp"), "device_4k_32ms"),
)
"""For cores with kernels of many shapes; those of Cortex-M7 and M33 are Cortex-M4's, and fitted with its counts."""
WITH_MORE = ("cortex-m4", "cortex-m55")
SECONDS = 2.0
HEARING = StudentConfig("stream", 1 / 64, depth=4, head="linear")
"""The network behind a front end that is counted."""


def plain_model(config: StudentConfig, logmel: LogMelSpec, seconds: float = SECONDS) -> Model:
    """Return a student with random weights that hears one window after the other."""
    listening = Listening.with_whole_hop(logmel, seconds, seconds)
    return untrained(config, replace(listening, hop_seconds=Student(config).whole_hop(listening)))


def count_network(model: Model, target: Target, rounding: str) -> list[dict[str, Any]]:
    """Return rows of a network: a step each, and the schedule around them.

    Raises
    ------
    InputError
        If it does not fit the machine, or does not run.
    """
    network = model.plan(target.kernels, rounding)
    steps = network.program.steps
    kernels = {step.kernel: "RUN" if step.fold is None else "FOLD" for step in steps}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_network(folder, network)
        lines = (f"COUNT_{kind}({kernel})\n" for kernel, kind in kernels.items())
        (folder / "counted_steps.h").write_text("".join(lines))
        sources = [folder / file for file in kernel_files(network) if file.endswith(".c")]
        program = build(
            [*sources, COUNT_STEPS],
            target,
            folder / "build",
            include=[folder],
            flags=[f"-Wl,--wrap={kernel}" for kernel in kernels],
            external=target.wants_external_flash(network.constant_bytes + (64 << 10)),
        )
        done = run(program, timeout=600.0)
    machine = target.machine
    if done.status != 0 or machine is None:
        raise InputError(f"{model.path} ended with status {done.status} on {target.name}: {done.text[-300:]}")
    counts = [machine.instructions(done.values[f"step_{index:03d}"]) for index in range(len(steps))]
    around = machine.instructions(done.values["network"]) - sum(counts)
    rows = [
        {"kernel": step.kernel, "work": step_work(network.program, step, step.runs), "instructions": count}
        for step, count in zip(steps, counts, strict=True)
    ]
    return [*rows, {"kernel": "engine", "work": engine_work(network), "instructions": around}]


def count_front_end(spec: LogMelSpec, target: Target) -> list[dict[str, Any]]:
    """Return the row of a front end: what a frame takes on average over a window of made-up sound."""
    seconds = max(SECONDS, 40 * spec.hop / spec.sample_rate)
    model = plain_model(HEARING, spec, seconds)
    assert model.interface is not None
    listening = model.interface.listening
    with tempfile.TemporaryDirectory() as name:
        path, hears = Path(name) / "net.tflite", Path(name) / "listening.json"
        path.write_bytes(model.content)
        thresholds = [0.5] * len(listening.labels)
        hears.write_text(json.dumps({"listening": listening.to_dict(), "thresholds": thresholds}))
        found = bench_target(path, target.name, listening=hears)
    count = found["front_end_instructions"] / listening.frames
    return [{"kernel": FRONT_END, "work": frame_work(listening.logmel), "instructions": round(count)}]


def measured(wanted: list[str]) -> Iterator[dict[str, Any]]:
    """Yield every row, each with its target, kernels and rounding."""
    emulated = [target for target in targets() if target.machine and (not wanted or target.name in wanted)]
    for config, logmel in NETWORKS + MORE_NETWORKS:
        model = plain_model(config, SPECS[logmel])
        for target in emulated:
            if target.name not in WITH_MORE and (config, logmel) in MORE_NETWORKS:
                continue
            for rounding in ROUNDINGS:
                what = {"target": target.name, "kernels": kernels_named(target.kernels, rounding)}
                yield from _told(what | {"network": f"{model.path}, {logmel}"}, count_network, model, target, rounding)
    for name, spec in front_ends().items():
        for target in emulated:
            yield from _told({"target": target.name, "network": name}, count_front_end, spec, target)


def front_ends() -> dict[str, LogMelSpec]:
    """Return every log-mel that firmware has; where windows share frames, also less the mean of a recording."""
    found = {name: spec for name, spec in SPECS.items() if not spec.preemphasis}
    shared = {name: spec for name, spec in found.items() if spec.padding == "none"}
    return found | {f"{name}, recording": replace(spec, normalisation="recording") for name, spec in shared.items()}


def _told(what: dict[str, Any], count: Any, *arguments: Any) -> Iterator[dict[str, Any]]:
    try:
        rows = count(*arguments)
    except InputError as error:
        err.print(f"{what}: {error}", highlight=False)
        return
    err.print(f"{what}: {sum(row['instructions'] for row in rows):,}", highlight=False)
    yield from (what | row for row in rows)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("counts", type=Path, help="the JSON lines to write")
    words.add_argument("--target", action="append", default=[], help="a core; all if none is named")
    asked = words.parse_args()
    with whole_file(asked.counts) as path, path.open("w") as file:
        for row in measured(asked.target):
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
