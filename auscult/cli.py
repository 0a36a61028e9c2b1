"""The `auscult` command: a table of contents that imports the work only when it is asked for."""

import importlib
import sys
from typing import Any

import typer

from lungsound.command.console import run
from lungsound.errors import InputError

PACKAGES = ("auscult", "lungsound", "teachers", "students", "distill", "export", "firmware_bridge")

CONTENTS = {
    "data": ("auscult.data", "app", "Check a corpus on disk, or write a synthetic one."),
    "teachers": ("teachers.command", "teachers_command", "List the teachers: weights, licence, paper."),
    "finetune": ("teachers.command", "finetune_command", "Train a teacher with fused layers on lung sounds."),
    "distill": ("distill.command", "distill_command", "Distil a teacher into a small student."),
    "export": ("export.command", "export_command", "Turn a student into a bundle of int8 TFLite and ONNX models."),
    "check": ("export.command", "check_command", "Replay a bundle's golden vectors on every runtime."),
    "evaluate": (
        "auscult.evaluate",
        "evaluate_command",
        "Score a run or a bundle on a corpus and store its predictions.",
    ),
    "firmware": (
        "firmware_bridge.command",
        "firmware_command",
        "Turn a bundle into streaming C for a microcontroller.",
    ),
    "plan": ("firmware_bridge.command", "plan_command", "Say what firmware takes of RAM and flash before it is built."),
    "targets": ("firmware_bridge.command", "targets_command", "List the cores that firmware is built for."),
    "bench": ("auscult.bench", "bench_command", "Measure a bundle: latency, size, memory, runtime against runtime."),
    "demo": ("auscult.demo", "demo_command", "Run the whole chain on the embedded synthetic corpus."),
}
"""Name of each command: module, function or sub-application, one line of help; in the order of the work."""


def build(asked: str | None) -> typer.Typer:
    """Return the command line with only the asked command imported; the others have their line of help."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Lung-sound models for stethoscopes: teach, distil, quantize, export, measure. "
        "Decision support for research, not a diagnosis.",
    )
    for name, (module, attribute, line) in CONTENTS.items():
        if name != asked:
            app.command(name, help=line)(_not_asked_for)
            continue
        loaded = _load(name, module, attribute)
        if isinstance(loaded, typer.Typer):
            app.add_typer(loaded, name=name)
        else:
            app.command(name)(loaded)
    return app


def _load(name: str, module: str, attribute: str) -> Any:
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in PACKAGES:
            raise
        raise InputError(f"{name}: the package {error.name} is missing; pip install 'auscult[train]'") from error


def _not_asked_for() -> None:
    """Stand for a command in the table of contents."""


def main() -> None:
    """Run `auscult`."""
    asked = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    run(lambda: build(asked)())
