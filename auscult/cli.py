"""The `auscult` command: a table of contents that imports the work only when it is asked for."""

from functools import partial
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lungsound.command.console import run
from lungsound.terminal import activity, out

CONTENTS = {
    "models": ("auscult.models.command", "models_command", "List the trained models that are in the package."),
    "classify": (
        "auscult.classify.command",
        "classify_command",
        "Say which lung sounds a model hears in recordings, folders or the microphone.",
    ),
    "data": ("auscult.data", "app", "Check a corpus, write it as a table, or make a synthetic one."),
    "teachers": ("teachers.command", "teachers_command", "List the teachers: weights, licence, paper."),
    "recipes": ("auscult.recipes", "recipes_command", "List the recipes: the options of a training by name."),
    "pretrain": (
        "teachers.pretraining.command",
        "pretrain_command",
        "Pre-train an encoder on sound without labels: M2D, M2D-X.",
    ),
    "probe": (
        "auscult.probing.command",
        "probe_command",
        "Judge frozen features of encoders by linear probes, OPERA's tasks among them.",
    ),
    "finetune": ("teachers.command", "finetune_command", "Train a teacher with fused layers on lung sounds."),
    "distill": ("auscult.distill", "distill_command", "Distil a teacher into a small student."),
    "runs": ("auscult.runs", "runs_command", "List the runs in a folder: what was trained, and how well it does."),
    "export": ("export.command", "export_command", "Turn a student into a bundle of int8 TFLite and ONNX models."),
    "check": ("export.check_command", "check_command", "Replay a bundle's golden vectors on every runtime."),
    "evaluate": (
        "auscult.evaluate",
        "evaluate_command",
        "Score a run or a bundle on a corpus and store its predictions.",
    ),
    "verify": (
        "auscult.ledger.command",
        "verify_command",
        "Derive every stored number of a run or bundle again from its predictions.",
    ),
    "compare": (
        "auscult.ledger.command",
        "compare_command",
        "Compare two runs or bundles: paired differences by patient, and where they part.",
    ),
    "firmware": (
        "firmware_bridge.command",
        "firmware_command",
        "Turn a bundle into streaming C for a microcontroller.",
    ),
    "plan": ("auscult.plan", "plan_command", "Say what firmware takes of RAM and flash before it is built."),
    "targets": ("firmware_bridge.command", "targets_command", "List the cores that firmware is built for."),
    "bench": ("auscult.bench", "bench_command", "Measure a bundle: latency, size, memory, runtime against runtime."),
    "cache": ("auscult.cache", "cache_command", "Show what lies in the cache, how large it is, and clean it."),
    "demo": ("auscult.demo", "demo_command", "Run the whole chain on the embedded synthetic corpus."),
}
"""Name of each command: module, function or sub-application, one line of help; in the order of the work."""


class Contents(TyperGroup):
    """The group of all commands, each with its line of help; one is imported when it is run or completed."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the name, the command itself, and what follows it."""
        name, stub, rest = super().resolve_command(ctx, args)
        if name is None or stub is None:
            return name, stub, rest
        if ctx.resilient_parsing:  # a shell asks what may follow; nothing else may be written
            return name, load(name), rest
        with activity() as doing:
            doing(f"loading {name}")
            return name, load(name), rest


def load(name: str) -> Any:
    """Import a command of `CONTENTS` and return it as typer runs it."""
    module, attribute, _ = CONTENTS[name]
    loaded = getattr(import_module(module), attribute)
    holder = typer.Typer(add_completion=False)
    if isinstance(loaded, typer.Typer):
        holder.add_typer(loaded, name=name)
    else:
        holder.command(name)(loaded)
    return typer.main.get_group(holder).commands[name]


def build() -> typer.Typer:
    """Return the command line."""
    app = typer.Typer(
        cls=Contents,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Lung-sound models for stethoscopes: teach, distil, quantize, export, measure. "
        "Decision support for research, not a diagnosis.",
    )
    app.callback()(_auscult)
    for name, (_, _, line) in CONTENTS.items():
        app.command(name, help=line)(_stub)
    return app


def _tell_version(asked: bool) -> None:
    if asked:
        from lungsound.files.versions import own_version

        out.print(f"auscult {own_version()}", highlight=False)
        raise typer.Exit


def _auscult(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Hold the options of all commands."""


def _stub() -> None:
    """Stand for a command in the table of contents."""


def main() -> None:
    """Run `auscult`."""
    run(partial(build(), prog_name="auscult"))
