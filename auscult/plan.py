"""The `plan` command: what firmware takes, of a bundle or of a student that nobody has trained yet."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from firmware_bridge.command import (
    KernelsName,
    ListeningFile,
    Overlapping,
    PushMacs,
    Rounding,
    TargetName,
    answer_of,
    budget_of,
)
from firmware_bridge.device.targets import find_target
from firmware_bridge.plan.effort import Effort, effort_of, facts_of
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.model import Model
from firmware_bridge.plan.network import report_text
from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.command.usage import is_given, refuse_ignored
from lungsound.labels import LABELS
from lungsound.logmel import Normalisation
from lungsound.terminal import activity, out
from lungsound.training.data import DataOptions

OF_A_STUDENT = ("width", "depth", "head", "heads", "logmel", "normalisation", "seconds", "hop", "label")
"""Parameters that say which student, and what it hears."""

Ram = Annotated[str | None, typer.Option(help="Bytes of RAM that the device can spare: 65536, 64K, 1M.")]
Flash = Annotated[str | None, typer.Option(help="The same of flash.")]
Instructions = Annotated[
    str | None, typer.Option(help="Instructions that it can spare for a second of sound: 20000000, 20M.")
]


def plan_command(
    context: typer.Context,
    target: TargetName,
    source: Annotated[
        Path | None, typer.Argument(metavar="[BUNDLE|FILE.tflite]", help="Folder of a bundle, or an int8 .tflite.")
    ] = None,
    student: Annotated[
        str | None,
        typer.Option(help="In their place: a family of students, with random weights; a name that is none lists them."),
    ] = None,
    width: options.Width = 0.25,
    depth: options.Depth = None,
    head: options.Head = "csra",
    heads: options.Heads = 4,
    label: options.Labels = None,
    logmel: options.LogMel = "device_4k",
    normalisation: options.Normalisation = "corpus",
    seconds: options.Seconds = 4.0,
    hop: options.Hop = 2.0,
    ram: Ram = None,
    flash: Flash = None,
    instructions_per_second: Instructions = None,
    kernels: KernelsName = None,
    rounding: Rounding = "double",
    push_macs: PushMacs = 0,
    overlapping: Overlapping = False,
    listening: ListeningFile = None,
    json_output: options.Json = False,
) -> None:
    """Say what a model takes of a device before anything is built, and whether it fits.

    A model that does not fit is refused (exit code 1) with the layer and the number that break the budget, and the
    largest width that would fit. Instructions are an estimate from above, made of costs that were fitted to QEMU's
    counts; no cycles. With --student nothing needs to be trained: weights are random, RAM and
    multiply-accumulates those of any weights, flash but for the softmax's table (1 KB; after a training often less)
    and a few bytes of equal tables, which are stored once.

    JSON keys: target, kernels, rounding, windows (open at once), ram_bytes, ram (bytes by part), flash_bytes, flash
    (bytes by part), sharing (of a trunk by windows that overlap or null: possible, why_not, ram_bytes,
    macs_per_second, apart_ram_bytes (with a trunk each), apart_macs_per_second), instructions (an estimate: why_not
    (where there is none), network (a decision), front_end (a decision), network_a_second, front_end_a_second,
    a_second), network (the report of every layer). With --student: student (with random weights: trunk, width, depth,
    head, heads, parameters).
    """
    core = find_target(target)
    budget = budget_of(ram, flash, instructions_per_second, core)
    asked: dict[str, Any] = {}
    if student is None:
        if source is None:
            raise typer.BadParameter("name a BUNDLE, a FILE.tflite or a --student", param_hint="--student")
        refuse_ignored(context, OF_A_STUDENT, "says which --student, and a model says it itself; leave it out")
        model = Model.open(source, listening, overlapping=overlapping)
    else:
        if source is not None:
            raise typer.BadParameter(f"leave it out, or leave {source} out", param_hint="--student")
        refuse_ignored(context, ("listening",), "ignored with --student; leave it out")
        if head != "csra":
            refuse_ignored(context, ("heads",), f"ignored with --head {head}; leave it out")
        with activity() as doing:
            doing("loading torch")
            from auscult.sizing.untrained import parameters_of, untrained
            from students.student import Student, StudentConfig

            doing(f"laying out {student}")
            config = StudentConfig(student, width, heads, head=head, depth=depth, classes=len(label or LABELS))
            labels = tuple(label or LABELS)
            heard = DataOptions(
                logmel=logmel,
                seconds=seconds,
                hop_seconds=hop,
                labels=labels,
                normalisation=cast(Normalisation, normalisation),
            ).listening()
            if not is_given(context, "hop"):
                heard = replace(heard, hop_seconds=Student(config).whole_hop(heard))
            model = untrained(config, heard)
        shape = {name: getattr(config, name) for name in ("trunk", "width", "depth", "head", "heads")}
        asked = {"student": shape | {"parameters": parameters_of(config)}}
    network = model.plan(core.choose_kernels(kernels), rounding, push_macs)
    footprint = Footprint(model, network, overlapping)
    budget.check(footprint)
    effort = effort_of(footprint, core)
    answer = answer_of(footprint, core) | {"instructions": facts_of(effort)} | asked
    if isinstance(effort, Effort):
        for layer, count in zip(answer["network"]["layers"], effort.steps, strict=True):
            layer["instructions"] = count
    if json_output:
        print_json(answer)
        return
    if student is not None:
        size = asked["student"]["parameters"]
        out.print(f"{model.path}, {size:,} parameters, random weights", highlight=False, markup=False)
    told = effort.text(core.name) if isinstance(effort, Effort) else effort
    told = f"{footprint.text()}\n{told}\n\n{report_text(answer['network'])}"
    out.print(told, highlight=False, markup=False, end="")
