"""`auscult bench`: latency, size and memory of a bundle's models, runtime against runtime."""

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

from auscult.bench_process import Measured, Subject, measure
from export.bundle.manifest import TFLITE_FILE, Manifest
from export.bundle.opening import Bundle
from export.bundle.runtimes import RUNTIMES
from export.onnx.runtime import OnnxRuntime
from export.tflite.runtime import LiteRT
from firmware_bridge.device.targets import KERNELS
from firmware_bridge.plan.network import PUSH_MACS
from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.command.report import figures_table
from lungsound.command.usage import refuse_ignored
from lungsound.errors import InputError
from lungsound.files.record import Range
from lungsound.front_end import front_end
from lungsound.listening import Listening
from lungsound.quantization import Quantization
from lungsound.terminal import out, print_table
from lungsound.training.runs import Run

ROUNDS = 10
WINDOW = 5
"""The golden window that is measured on: breath with clicks and a whistle."""

_WITHOUT_TARGET = ("runs", "threads", "run")
_WITH_TARGET = ("kernels", "rounding", "push_macs", "listening", "overlapping")


def bench(bundle: Bundle, runs: int = 100, threads: int = 1, run: Run | None = None) -> dict[str, Any]:
    """Measure everything in a bundle that this machine can run.

    Parameters
    ----------
    bundle : Bundle
        Its int8 and float models, and the front end.
    runs : int
        Of each, spread over `ROUNDS` rounds that take turns.
    threads : int
        Threads each may compute with.
    run : Run, optional
        The run that was exported; adds the student in torch, and in LiteRT as float.

    Returns
    -------
    dict
        The JSON keys of :func:`bench_command`.

    Raises
    ------
    InputError
        If the run is another student's, or something cannot be loaded.
    """
    subjects, skipped = _subjects(bundle, threads, run)
    rounds = min(ROUNDS, runs)
    found = measure(subjects, rounds, -(-runs // rounds))
    reference = next(name for name in ("litert_xnnpack", "onnxruntime_int8", "front_end") if name in found)
    return {
        "bundle": str(bundle.path),
        "processor": processor(),
        "threads": threads,
        "runs": found[reference].rounds.size,
        "reference": reference,
        "rows": {name: _row(subjects[name], found[name], found[reference]) for name in subjects},
        "skipped": skipped,
    }


def bench_command(
    context: typer.Context,
    bundle: Annotated[
        Path,
        typer.Argument(metavar="BUNDLE|FILE.tflite", help="Folder of a bundle; with --target also an int8 .tflite."),
    ],
    runs: Annotated[
        int, options.number(Range(1, 100_000), "Not with --target: runs of each, in rounds that take turns.")
    ] = 100,
    threads: Annotated[int, options.number(Range(1, 1024), "Not with --target: threads each may compute with.")] = 1,
    run: Annotated[
        Path | None,
        typer.Option(
            help="Not with --target: the run that was exported; adds its student in torch, and in LiteRT as float."
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Build firmware for this core and run it in QEMU instead; see `auscult targets`.")
    ] = None,
    kernels: Annotated[
        str | None, typer.Option(help=f"Of --target: {', '.join(KERNELS)}; else what suits the core best.")
    ] = None,
    rounding: Annotated[
        str, typer.Option(help="Of --target: double as LiteRT's reference kernels, single as XNNPACK.")
    ] = "double",
    push_macs: Annotated[
        int, options.number(PUSH_MACS, "Of --target: multiply-accumulates a push; 0 for no limit.")
    ] = 0,
    listening: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Of --target: what a .tflite from elsewhere listens to.")
    ] = None,
    overlapping: Annotated[
        bool, typer.Option("--overlapping", help="Of --target: decide every hop, not one window after the other.")
    ] = False,
    json_output: options.Json = False,
) -> None:
    """Measure a bundle: latency, size, peak memory; float against int8, LiteRT against onnxruntime against torch.

    Each is loaded in a process of its own, hears the same golden window, and takes turns with the others, so that a
    drift of the machine hits all alike. Ratios are to LiteRT int8, round by round.

    JSON keys: bundle (folder), processor, threads, runs (of each), reference (the row that ratios are to), rows (by
    name: title, bytes, load_ms, first_ms, median_ms, p5_ms, p95_ms, ratio, ratio_low (of the rounds), ratio_high,
    peak_bytes (of the process), added_bytes (by loading and running)), skipped (reason by name). Instead, with
    --target: path, target, kernels, rounding, push_limit, overlapping, windows (compared), output_bytes,
    differing_bytes (against LiteRT), codes (of the front end), differing_codes (against float64), ram_bytes,
    network_bytes, front_end_bytes, stack_bytes, listener_bytes (windows: one_window, overlapping), flash_bytes,
    constant_bytes, code_bytes, instructions (a window or a decision of windows that overlap; not cycles),
    front_end_instructions, network_instructions, worst_push_instructions, worst_call_instructions,
    instructions_per_second (of sound).
    """
    _check_usage(context, bundle, target)
    if target is not None:
        from firmware_bridge.bench_target import bench_target, print_bench

        measured = bench_target(
            bundle, target, kernels, rounding, push_limit=push_macs, listening=listening, overlapping=overlapping
        )
        (print_json if json_output else print_bench)(measured)
        return
    opened = Bundle.open(bundle)
    if opened.manifest.front_end is not None:
        raise InputError(
            f"{bundle}: holds float ONNX alone, and nothing to measure it against; name a bundle with int8"
        )
    found = bench(opened, runs, threads, None if run is None else Run.load(run))
    if json_output:
        print_json(found)
        return
    print_table(bench_table(found))
    for name, reason in found["skipped"].items():
        out.print(f"{name}: skipped, {reason}", highlight=False)


def bench_table(found: dict[str, Any]) -> Table:
    """Return the table of what :func:`bench` found."""
    threads = f"{found['threads']} thread{'s' * (found['threads'] > 1)}"
    title = f"{found['processor']}, {threads}, {found['runs']} runs of each"
    table = figures_table(title, "", "KB", "ms", "5 to 95 %", "ratio", "MB added")
    for row in found["rows"].values():
        table.add_row(*_cells(row))
    return table


def _check_usage(context: typer.Context, bundle: Path, target: str | None) -> None:
    """Refuse options that would be ignored, and a file that only --target measures."""
    ignored, why = (
        (_WITHOUT_TARGET, "does not go with --target, which counts instructions in QEMU; leave it out")
        if target is not None
        else (_WITH_TARGET, "means something with --target alone; add --target, or leave it out")
    )
    refuse_ignored(context, ignored, why)
    if target is None and bundle.is_file():
        raise InputError(
            f"{bundle}: no bundle here, but a file; name a folder that `export` wrote, or add --target to measure a "
            ".tflite file"
        )


def load_front_end(listening: Listening, quantization: Quantization) -> Callable[[NDArray[Any]], object]:
    """Return what turns one window of PCM into int8 codes."""
    return lambda pcm: front_end(listening, quantization, pcm)


def load_litert(model: bytes, threads: int) -> Callable[[NDArray[Any]], object]:
    """Return what runs one window through LiteRT with XNNPACK."""
    return LiteRT(model, "xnnpack", threads).run


def load_onnxruntime(model: bytes, threads: int) -> Callable[[NDArray[Any]], object]:
    """Return what runs one window through onnxruntime."""
    return OnnxRuntime(model, threads).run


def load_torch(model: dict[str, Any], weights: Path, threads: int) -> Callable[[NDArray[Any]], object]:
    """Return what runs one window through the student in torch."""
    import torch

    from students.student import Student

    torch.set_num_threads(threads)
    student = Student.load(model, weights).eval()

    @torch.inference_mode()
    def run(window: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(student(torch.from_numpy(window)[None]))

    return run


def processor() -> str:
    """Return the processor's name, as Linux tells it, or its architecture."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _subjects(bundle: Bundle, threads: int, run: Run | None) -> tuple[dict[str, Subject], dict[str, str]]:
    """Return what can be measured, and why the rest cannot."""
    manifest = bundle.manifest
    window = min(WINDOW, len(bundle.golden.pcm) - 1)
    assert bundle.golden.codes is not None
    assert manifest.input is not None
    codes = bundle.golden.codes[window : window + 1]
    values = manifest.input.dequantize(codes).astype(np.float32)
    facts = manifest.listening, manifest.input
    subjects = {"front_end": Subject("front end, NumPy", load_front_end, facts, bundle.golden.pcm[window])}
    skipped = {}
    for name in ("litert_xnnpack", "onnxruntime_int8", "onnxruntime_float"):
        kind = RUNTIMES[name]
        if name not in bundle.runtimes:
            skipped[name] = f"the bundle holds no {kind.file}"
        elif not kind.installed:
            skipped[name] = f"{kind.package} is not installed"
        else:
            content, int8 = bundle.contents[kind.file], kind.file == TFLITE_FILE
            load = load_litert if int8 else load_onnxruntime
            heard = codes if int8 else values
            subjects[name] = Subject(kind.title, load, (content, threads), heard, len(content), threads)
    if run is None:
        return subjects, skipped | dict.fromkeys(("litert_float", "torch_float"), "no run given (--run)")
    return subjects | _of_run(run, manifest, values, threads), skipped


def _of_run(run: Run, manifest: Manifest, values: NDArray[np.float32], threads: int) -> dict[str, Subject]:
    from export.tflite.float_model import float_tflite
    from students.student import Student

    if run.listening != manifest.listening or not _of_same_student(run, manifest):
        raise InputError(f"{run.path}: not the run that this bundle was exported from; name that one")
    model = float_tflite(Student.load(run.model, run.weights).eval(), run.listening)
    arguments = run.model, run.weights, threads
    return {
        "litert_float": Subject("LiteRT float, XNNPACK", load_litert, (model, threads), values, len(model)),
        "torch_float": Subject("torch float", load_torch, arguments, values, run.weights.stat().st_size),
    }


def _of_same_student(run: Run, manifest: Manifest) -> bool:
    """Return whether a bundle and a run are of one student; either may stem from before there were two heads."""
    from students.student import StudentConfig

    if "trunk" not in manifest.student:  # a network from elsewhere
        return False
    return StudentConfig.from_dict(run.model) == StudentConfig.from_dict(manifest.student)


def _row(subject: Subject, found: Measured, reference: Measured) -> dict[str, Any]:
    low, middle, high = np.percentile(found.rounds, [5, 50, 95]).tolist()
    ratios = np.median(found.rounds, axis=1) / np.median(reference.rounds, axis=1)
    return {
        "title": subject.title,
        "bytes": subject.size,
        "load_ms": found.load_ms,
        "first_ms": found.first_ms,
        "median_ms": middle,
        "p5_ms": low,
        "p95_ms": high,
        "ratio": float(np.median(ratios)),
        "ratio_low": float(ratios.min()),
        "ratio_high": float(ratios.max()),
        "peak_bytes": found.peak_bytes,
        "added_bytes": found.added_bytes,
    }


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        row["title"],
        "" if row["bytes"] is None else f"{row['bytes'] / 1000:.1f}",
        f"{row['median_ms']:.3f}",
        f"{row['p5_ms']:.3f} to {row['p95_ms']:.3f}",
        f"{row['ratio']:.2f}",
        f"{row['added_bytes'] / 1e6:.1f}",
    ]
