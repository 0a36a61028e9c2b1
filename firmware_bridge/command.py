"""The `firmware` and `targets` commands."""

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from firmware_bridge.device.targets import KERNELS, Target, find_target, missing_packages, targets
from firmware_bridge.folder.naming import check_name
from firmware_bridge.folder.written_files import check_replaceable
from firmware_bridge.plan.budget import Budget
from firmware_bridge.plan.effort import no_estimate
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.model import Model
from firmware_bridge.plan.network import PUSH_MACS, ROUNDINGS, report
from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.errors import InputError
from lungsound.files.atomic import whole_folder
from lungsound.terminal import activity, out, print_table

ListeningFile = Annotated[
    Path | None,
    typer.Option(
        "--listening",
        metavar="FILE.json",
        help="For a .tflite from elsewhere: listening and thresholds, as a bundle's manifest.json has them.",
    ),
]
PushMacs = Annotated[
    int,
    options.number(
        PUSH_MACS, "Multiply-accumulates that one push may cost; 0 for no limit. What is left waits for the next."
    ),
]
Source = Annotated[Path, typer.Argument(metavar="BUNDLE|FILE.tflite", help="Folder of a bundle, or an int8 .tflite.")]
TargetName = Annotated[str, typer.Option("--target", help="Core to build for; `auscult targets` lists them.")]
KernelsName = Annotated[
    str | None, typer.Option("--kernels", help=f"{', '.join(KERNELS)}; else what suits the target best.")
]
Rounding = Annotated[str, typer.Option(help=f"{' or '.join(ROUNDINGS)}: as LiteRT's reference kernels, or as XNNPACK.")]
Overlapping = Annotated[bool, typer.Option("--overlapping", help="Decide every hop, not one window after the other.")]


def _folder(name: str) -> Path:
    if not name:
        raise typer.BadParameter("the name is empty; name the folder to write")
    return Path(name)


Output = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        parser=_folder,
        metavar="DIR",
        help="Folder to write; an earlier one is replaced unless it holds files that auscult did not write.",
    ),
]

Name = Annotated[
    str | None,
    typer.Option("--name", help="Stands before every C symbol and file, so that several models link into one program."),
]

_SIZE = re.compile(r"([0-9]{1,9}) ?([KM]?)(?:I?B)?")
_MOST = "999999999M"
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20}
_COUNT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([KMG]?)")
_THOUSANDS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


def firmware_command(
    source: Source,
    target: TargetName,
    output: Output,
    kernels: KernelsName = None,
    rounding: Rounding = "double",
    push_macs: PushMacs = 0,
    overlapping: Overlapping = False,
    listening: ListeningFile = None,
    name: Name = None,
    json_output: options.Json = False,
) -> None:
    """Turn an int8 model into a folder of streaming C that compiles, tests and measures itself.

    A bundle becomes front end, network and listener: 16-bit samples in, decisions out. So does a .tflite with
    --listening; without, it becomes the network alone. The folder is written whole or not at all. An earlier one is
    replaced, with what its Makefile built; one that holds files of yours, or files that you changed, is refused.
    Two models in one program need a --name each.

    JSON keys: folder, sources (the C files to compile), self_tests_fit (the machine in QEMU), target, kernels,
    rounding, windows (open at once), ram_bytes, ram (bytes by part), flash_bytes, flash (bytes by part), sharing (of a
    trunk by windows that overlap or null: possible, why_not, ram_bytes, macs_per_second, apart_ram_bytes (with a trunk
    each), apart_macs_per_second), network (the report of every layer).
    """
    from firmware_bridge.folder.writing import how_to_test, write_folder  # templates, which help need not wait for

    checked = "" if name is None else check_name(name)
    core = find_target(target)
    model = Model.open(source, listening, overlapping=overlapping)
    network = model.plan(core.choose_kernels(kernels), rounding, push_macs)
    footprint = Footprint(model, network, overlapping)
    check_replaceable(output)
    with activity() as doing, whole_folder(output) as folder:
        doing("writing firmware and its golden vectors")
        sources = write_folder(folder, footprint, core, checked)
    fit = footprint.testable_on(core.machine)
    answer = {"folder": str(output), "sources": sources, "self_tests_fit": fit} | answer_of(footprint, core)
    if json_output:
        print_json(answer)
        return
    out.print(footprint.text(), highlight=False, markup=False)
    out.print(f"firmware: {output} ({how_to_test(output, footprint, core)})", highlight=False, markup=False)


def targets_command(json_output: options.Json = False) -> None:
    """List the cores that firmware is built for, and what each needs to be installed.

    JSON keys: targets (a list: name, core, compiler, fpu, kernels (that it runs), best_kernels, machine (of QEMU or
    null where an operating system runs the programs), emulator (null for this computer), installed, packages (of
    Debian)).
    """
    rows = [_row(target) for target in targets()]
    if json_output:
        print_json({"targets": rows})
        return
    table = Table("target", "core", "FPU", "kernels", "runs in", "tools")
    for row in rows:
        kernels = ", ".join(row["kernels"])
        place = row["machine"] or row["emulator"] or "this computer"
        tools = "installed" if row["installed"] else "missing"
        table.add_row(row["name"], row["core"], "yes" if row["fpu"] else "no", kernels, place, tools)
    print_table(table)
    for packages, names in _lacking().items():
        out.print(f"{', '.join(names)}: apt-get install {packages}", highlight=False, markup=False)


def _lacking() -> dict[str, list[str]]:
    """Return the names of the targets that lack the same packages, by these; below a table they are never cut."""
    lacking: dict[str, list[str]] = {}
    for target in targets():
        if packages := missing_packages(target):
            lacking.setdefault(packages, []).append(target.name)
    return lacking


def bytes_of(size: str, option: str) -> int:
    """Return the number of bytes that `size` names: 65536, 64K, 64KB, 64KiB (all the same) or 1M.

    Raises
    ------
    InputError
        If it names none.
    """
    match = _SIZE.fullmatch(size.strip().upper())
    if match is None or not int(match[1]):
        raise InputError(f"{option}: {size[:40]!r} is no number of bytes; write 65536, 64K or 1M, 1 to {_MOST}")
    return int(match[1]) * _UNITS[match[2]]


def instructions_of(count: str) -> int:
    """Return the number of instructions that `count` names: 20000000, 20000K or 20M (all the same).

    Raises
    ------
    InputError
        If it names none.
    """
    match = _COUNT.fullmatch(count.strip().upper())
    if match is None:
        raise InputError(
            f"--instructions-per-second: {count[:40]!r} is no number of instructions; write 20000000, 20M or 0.5G"
        )
    return round(Decimal(match[1]) * _THOUSANDS[match[2]])


def budget_of(ram: str | None, flash: str | None, instructions: str | None, target: Target) -> Budget:
    """Return what ``--ram``, ``--flash`` and ``--instructions-per-second`` say of a core.

    Raises
    ------
    InputError
        If one is no such number, or instructions are limited of a core for which there is no estimate.
    """
    sizes = {"--ram": ram, "--flash": flash}
    known = {option: None if size is None else bytes_of(size, option) for option, size in sizes.items()}
    budget = Budget(known["--ram"], known["--flash"])
    if instructions is None:
        return budget
    if why := no_estimate(target):
        raise InputError(f"--instructions-per-second: {why}; leave it out")
    return replace(budget, instructions=instructions_of(instructions), target=target)


def answer_of(footprint: Footprint, target: Target) -> dict[str, Any]:
    """Return what `firmware` and `plan` answer of a model, as plain values for JSON."""
    network = footprint.network
    asked = {"target": target.name, "kernels": network.kernels, "rounding": network.rounding}
    return asked | footprint.facts() | {"network": report(network)}


def _row(target: Target) -> dict[str, Any]:
    return {
        "name": target.name,
        "core": target.core,
        "compiler": f"{target.compiler}gcc",
        "fpu": target.fpu,
        "kernels": target.runs_kernels,
        "best_kernels": target.kernels,
        "machine": target.machine.name if target.machine else None,
        "emulator": target.machine.emulator if target.machine else target.emulator,
        "installed": not missing_packages(target),
        "packages": target.packages,
    }
