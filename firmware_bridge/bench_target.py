"""A model built for a target, run in QEMU, compared with LiteRT byte for byte, and measured.

QEMU counts instructions, not cycles; nothing here is a time.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from firmware_bridge.bench_windows import WINDOWS, codes_of_windows, heard_files, reference_codes, windows_of_sound
from firmware_bridge.device.qemu import BOARDS, Build, Run, Sizes, build, run
from firmware_bridge.device.room import DoesNotFit
from firmware_bridge.device.targets import Target, find_target, require_tools, targets
from firmware_bridge.folder.golden import litert_outputs
from firmware_bridge.folder.writing import write_sources
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.model import Model
from lungsound.errors import InputError
from lungsound.terminal import activity, print_table

BENCH = BOARDS / "bench_main.c"
BENCH_STREAM = BOARDS / "bench_stream.c"

_TIMEOUT = 900.0


def bench_target(
    path: Path,
    target_name: str,
    kernels: str | None = None,
    rounding: str = "double",
    *,
    push_limit: int = 0,
    listening: Path | None = None,
    overlapping: bool = False,
) -> dict[str, Any]:
    """Build a model for a target, run it over five windows, compare and measure.

    A model that listens hears five made-up windows, and its network is compared on the codes that the C front end made;
    a bare .tflite gets random and extreme inputs. Where windows overlap the five are one sound without a break, and
    every window of it is compared as if it were cut out.

    Parameters
    ----------
    path : Path
        Folder of a bundle, or a .tflite file.
    target_name : str
        One of `targets`.
    kernels : str, optional
        Else what suits the target best.
    rounding : {"double", "single"}
        Of TFLite's reference kernels or of XNNPACK.
    push_limit : int
        Multiply-accumulates that one push may cost; 0 for no limit.
    listening : Path, optional
        For a .tflite file: what it listens to, see `SoundInterface.read`.
    overlapping : bool
        Decide every hop, not one window after the other.

    Returns
    -------
    dict
        path, target, kernels, rounding, push_limit, overlapping, windows (compared), output_bytes and differing_bytes
        (compared with LiteRT and different), differing_codes of codes (the front end against Python's reference; null
        without one), ram_bytes (network_bytes, front_end_bytes and stack_bytes, the high-water mark of the whole
        run),
        listener_bytes (one_window and overlapping, the stack apart; null without a front end), flash_bytes (code_bytes
        and constant_bytes, the program's test frame apart), instructions (a window: median of five; a decision where
        windows overlap: the average), front_end_instructions, network_instructions, worst_push_instructions (of one row
        into the network; null where windows overlap), worst_call_instructions (of a hop of samples into the listener;
        null without a front end), instructions_per_second (of sound; null without a front end). Where no machine is
        emulated whole, stack and instructions are null.

    Raises
    ------
    InputError
        If the model cannot become firmware, tools are missing, or the program does not fit, crashes, or does not end.
    """
    target = find_target(target_name)
    model = Model.open(path, listening, overlapping=overlapping)
    footprint = Footprint(model, model.plan(target.choose_kernels(kernels), rounding, push_limit), overlapping)
    require_tools(target)
    with activity() as doing, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        doing(f"building for {target.name}")
        sources = write_sources(folder, footprint)
        program = _build(folder, sources, footprint, target)
        made = _run(program, footprint, doing)
        sizes = _sizes([program.objects[source] for source in sources], footprint, made)
        doing("comparing with LiteRT")
        codes = codes_of_windows(footprint, made)
        outputs = np.frombuffer(made.files["outputs.bin"], np.int8).reshape(len(codes), -1)
        wanted = litert_outputs(model.content, rounding, codes, model.graph.name)
    return {
        "path": str(path),
        "target": target.name,
        "kernels": footprint.network.kernels,
        "rounding": rounding,
        "push_limit": push_limit,
        "overlapping": overlapping,
        "windows": len(codes),
        "output_bytes": outputs.size,
        "differing_bytes": int((outputs != wanted).sum()),
        **_compared_codes(footprint, codes),
        **sizes,
        **_instructions(footprint, target, made),
    }


def _build(folder: Path, sources: list[str], footprint: Footprint, target: Target) -> Build:
    defines = ["BENCH_FILES"] if footprint.model.interface else ["BENCH_FILES", "BENCH_NETWORK_ONLY"]
    main = BENCH_STREAM if footprint.overlapping else BENCH
    try:
        return build(
            [*(folder / source for source in sources), main],
            target,
            folder / "build",
            include=[folder],
            defines=defines,
            external=target.wants_external_flash(sum(footprint.flash.values())),
        )
    except DoesNotFit as error:
        roomy = [other.name for other in targets() if error.fits(other)]
        advice = f"--target {roomy[0]} has room" if roomy else "`auscult plan --ram --flash` says what width would fit"
        raise InputError(f"{footprint.model.path}: {error}; {advice}") from error


def _run(program: Build, footprint: Footprint, doing: Callable[[str], None]) -> Run:
    """Let a program hear its windows, and say how many it has heard."""
    model, streams = footprint.model, footprint.network.program
    output = streams.streams[streams.output]
    windows = len(windows_of_sound(footprint)) if model.interface else WINDOWS

    def watch(folder: Path) -> None:
        file = folder / "outputs.bin"
        heard = file.stat().st_size // (output.rows * output.width) if file.is_file() else 0
        doing(f"running window {min(heard + 1, windows)} of {windows} on {program.target.name}")

    doing(f"running {windows} windows on {program.target.name}")
    try:
        made = run(
            program,
            inputs=heard_files(footprint),
            outputs=["outputs.bin", "codes.bin"] if model.interface else ["outputs.bin"],
            timeout=_TIMEOUT,
            watch=watch if program.target.machine else None,  # the others' C library writes all at the end
        )
    except InputError as error:
        raise InputError(f"{model.path}: {error}") from error
    if made.status != 0:
        said = " ".join(made.text.split())[-300:]
        raise InputError(
            f"{model.path}: the firmware ended with status {made.status} on {program.target.name}: {said}; try another "
            "--target, and report this with the model"
        )
    return made


def _sizes(objects: list[Sizes], footprint: Footprint, made: Run) -> dict[str, Any]:
    network = footprint.network
    front_end, stack = made.values.get("frontend_bytes", 0), made.values.get("stack_bytes")
    flash = sum(size.flash for size in objects)
    return {
        "ram_bytes": made.values["network_bytes"] + front_end + sum(size.ram for size in objects) + (stack or 0),
        "network_bytes": made.values["network_bytes"],
        "front_end_bytes": front_end,
        "stack_bytes": stack,
        "listener_bytes": footprint.listener,
        "flash_bytes": flash,
        "constant_bytes": network.constant_bytes,
        "code_bytes": flash - network.constant_bytes,
    }


def _compared_codes(footprint: Footprint, codes: NDArray[np.int8]) -> dict[str, int | None]:
    if footprint.model.interface is None:
        return {"codes": None, "differing_codes": None}
    return {"codes": codes.size, "differing_codes": int((codes != reference_codes(footprint)).sum())}


def _instructions(footprint: Footprint, target: Target, made: Run) -> dict[str, int | None]:
    interface, machine = footprint.model.interface, target.machine
    parts = "front_end", "network", "worst_push", "worst_call"
    if machine is None:
        return dict.fromkeys(("instructions", *(f"{part}_instructions" for part in parts), "instructions_per_second"))
    if footprint.overlapping and interface:
        seconds = interface.listening.hop_seconds
        front, all_of_it = _ticks_of_a_decision(footprint, made)
        ticks: list[int | None] = [front, all_of_it - front, None]
    else:
        seconds = interface.listening.seconds if interface else 0.0
        ticks = [made.values[f"{part}_ticks"] for part in ("frontend", "network", "worst_push")]
    ticks.append(made.values.get("worst_call_ticks"))
    counts = [None if count is None else machine.instructions(count) for count in ticks]
    whole = (counts[0] or 0) + (counts[1] or 0)
    found = dict(zip((f"{part}_instructions" for part in parts), counts, strict=True))
    per_second = round(whole / seconds) if interface else None
    return {"instructions": whole, **found, "instructions_per_second": per_second}


def _ticks_of_a_decision(footprint: Footprint, made: Run) -> tuple[int, int]:
    """Of the front end, and of the whole listener, from one decision to the next, on average."""
    interface = footprint.model.interface
    assert interface is not None
    listening = interface.listening
    centred = listening.logmel.padding == "reflect"
    # Centred frames are each window's own, and were heard window by window; others once for all windows.
    heard = len(windows_of_sound(footprint)) if centred else WINDOWS * listening.samples / listening.hop_samples
    return round(made.values["frontend_ticks"] / heard), round(
        made.values["listener_ticks"] / max(1, made.values["decisions"] - 1)
    )


def print_bench(found: dict[str, Any]) -> None:
    """Print what :func:`bench_target` found for people."""
    kernels = f"kernels {found['kernels']}, rounding {found['rounding']}"
    how = f", {found['windows']} windows that overlap" if found["overlapping"] else ""
    title = f"{found['path']} on {found['target']}, {kernels}{how}"
    table = Table("", "", title=title, show_header=False)
    for name, value in _lines(found):
        table.add_row(name, value)
    print_table(table)


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [("output bytes that differ from LiteRT", f"{found['differing_bytes']} of {found['output_bytes']}")]
    if found["codes"] is not None:
        lines.append(("log-mel codes that differ from float64", f"{found['differing_codes']} of {found['codes']}"))
    stack = found["stack_bytes"]
    stack_text = "without the stack, which is not measured here" if stack is None else f"stack {stack}"
    ram = f"network {found['network_bytes']}, front end {found['front_end_bytes']}, {stack_text}"
    lines.append(("RAM, bytes", f"{found['ram_bytes']} ({ram})"))
    if found["listener_bytes"]:
        listener = found["listener_bytes"]
        one, both = listener["one_window"], listener["overlapping"]
        lines.append(("RAM of the listener, bytes", f"{one} one window at a time, {both} overlapping"))
    flash = f"weights and tables {found['constant_bytes']}, the rest {found['code_bytes']}"
    lines.append(("flash, bytes", f"{found['flash_bytes']} ({flash})"))
    if found["instructions"] is None:
        return [*lines, ("instructions", "not counted here")]
    parts = f"front end {found['front_end_instructions']:,}, network {found['network_instructions']:,}"
    lines.append(
        (f"instructions a {'decision' if found['overlapping'] else 'window'}", f"{found['instructions']:,} ({parts})")
    )
    if found["worst_push_instructions"] is not None:
        lines.append(("instructions of the worst push", f"{found['worst_push_instructions']:,}"))
    if found["worst_call_instructions"] is not None:
        lines.append(("instructions of the listener's worst call", f"{found['worst_call_instructions']:,}"))
    if found["instructions_per_second"] is not None:
        lines.append(("instructions a second of sound", f"{found['instructions_per_second']:,}"))
    return lines
