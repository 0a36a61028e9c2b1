"""The `finetune` and `teachers` commands."""

from pathlib import Path
from typing import Annotated, cast

import typer
from rich.table import Table

from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.command.report import scores_table
from lungsound.errors import InputError
from lungsound.files.cache import cache_folder
from lungsound.terminal import err, out
from lungsound.training.data import DataOptions
from lungsound.training.runs import new_run_folder
from lungsound.training.settings import load_settings
from teachers.cards import ALIASES, CARDS
from teachers.fusion import Layers, Pooling
from teachers.training import FinetuneSettings, finetune, usual_learning_rate, usual_logmel

DEFAULT = FinetuneSettings()


def finetune_command(
    teacher: Annotated[str, typer.Option(help="Card of the teacher; see `auscult teachers`.")] = DEFAULT.teacher,
    fusion: Annotated[str, typer.Option(help="Fused blocks: all, or numbers from 1 as in 4,7,10.")] = "all",
    fixed_weights: Annotated[bool, typer.Option("--fixed-weights", help="Do not learn the layers' weights.")] = False,
    pooling: Annotated[str, typer.Option(help="frames or tokens: the two readings of the fusion paper.")] = "frames",
    size: Annotated[str, typer.Option(help="tiny or small: from scratch; published: the card's weights.")] = "tiny",
    weights: Annotated[Path | None, typer.Option(help="Published checkpoint on disk, instead of a download.")] = None,
    data: options.Data = list(DEFAULT.data.data),  # noqa: B006
    protocol: options.Protocols = list(DEFAULT.data.protocols),  # noqa: B006
    logmel: Annotated[
        str | None,
        typer.Option(help="Log-mel specification; by default what the weights expect, from scratch device_4k."),
    ] = None,
    seconds: options.Seconds = DEFAULT.data.seconds,
    hop: options.Hop = DEFAULT.data.hop_seconds,
    drop_shared: options.DropShared = False,
    validation: options.Validation = DEFAULT.data.validation,
    split_seed: options.SplitSeed = DEFAULT.data.split_seed,
    epochs: options.Epochs = DEFAULT.epochs,
    batch_size: options.BatchSize = DEFAULT.batch_size,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="Highest learning rate; by default 1e-3 from scratch, 1e-4 from published weights."),
    ] = None,
    seed: options.Seed = 0,
    runs: options.Runs = Path("runs"),
    resume: Annotated[Path | None, typer.Option(help="Go on with an interrupted run; its own settings count.")] = None,
    json_output: options.Json = False,
) -> None:
    """Train a teacher with fused layers on lung sounds.

    The epoch and the thresholds are chosen on validation.

    JSON keys: run (folder), synthetic, teacher (name, licence, paper, note, weights), thresholds, validation.
    """
    if resume is not None:
        settings, folder = load_settings(resume, FinetuneSettings.from_dict), resume
    else:
        logmel = logmel or usual_logmel(teacher, size, weights)
        chosen = DataOptions(tuple(data), tuple(protocol), logmel, seconds, hop, drop_shared, validation, split_seed)
        settings = FinetuneSettings(
            teacher,
            size,
            str(weights) if weights else None,
            _layers(fusion),
            not fixed_weights,
            cast(Pooling, pooling),
            chosen,
            epochs,
            batch_size,
            learning_rate or usual_learning_rate(size, weights),
            seed,
        )
        folder = new_run_folder(runs, f"teacher-{teacher}-{size}")
    err.print(f"teacher: {settings.teacher}, {settings.size}, into {folder}", highlight=False)
    run = finetune(settings, folder, cache_folder())
    if json_output:
        print_json(
            {
                "run": str(run.path),
                "synthetic": run.synthetic,
                "teacher": run.teacher,
                "thresholds": run.thresholds,
                "validation": run.validation,
            }
        )
        return
    out.print(scores_table("validation", {"teacher, float": run.validation}, synthetic=run.synthetic))
    out.print(f"run: {run.path}", highlight=False)


def teachers_command(json_output: options.Json = False) -> None:
    """List the teachers: weights, licence, paper.

    JSON keys: teachers (list of name, url, file, licence, paper, note, logmel), aliases.
    """
    if json_output:
        names = ("name", "url", "file", "licence", "paper", "note", "logmel")
        cards = [{name: getattr(card, name) for name in names} for card in CARDS.values()]
        print_json({"teachers": cards, "aliases": ALIASES})
        return
    table = Table("name", "has heard", "paper", title="published weights; size `published` downloads them")
    for card in CARDS.values():
        table.add_row(card.name, card.note, card.paper)
    out.print(table)
    for alias, name in ALIASES.items():
        out.print(f"{alias} = {name}", highlight=False)
    for licence in sorted({card.licence for card in CARDS.values()}):
        out.print(f"licence: {licence}", highlight=False)


def _layers(text: str) -> Layers:
    if text == "all":
        return "all"
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError as error:
        raise InputError(f"--fusion {text}: give `all` or numbers of blocks as in 4,7,10") from error
