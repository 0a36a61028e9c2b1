"""The `finetune` and `teachers` commands."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.table import Table

from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.command.data_option import Data
from lungsound.command.recipes import Recipe, recipe_option
from lungsound.command.report import headline, scores_table, spread_table
from lungsound.command.usage import data_given, refuse_beside_resume, refuse_ignored
from lungsound.errors import InputError
from lungsound.files.cache import cache_folder
from lungsound.terminal import activity, err, out, print_table
from lungsound.training.data import DataOptions
from lungsound.training.runs import Run, new_run_folder
from lungsound.training.settings import LEARNING_RATE, WEIGHT, Optimizer, Schedule, load_settings
from teachers.offers import offers
from teachers.settings import (
    PUBLISHED,
    SEEDS,
    FinetuneSettings,
    Layers,
    Loss,
    Pooling,
    usual_learning_rate,
    usual_logmel,
    usual_size,
)

DEFAULT = FinetuneSettings()


def finetune_command(
    context: typer.Context,
    teacher: Annotated[str, typer.Option(help="Encoder or card; see `auscult teachers`.")] = DEFAULT.teacher,
    fusion: Annotated[str, typer.Option(help="Fused layers: all, last, or numbers from 1 as in 4,7,10.")] = "all",
    fixed_weights: Annotated[
        bool, typer.Option("--fixed-weights/--learnt-weights", help="Do not learn the layers' weights.")
    ] = False,
    pooling: Annotated[
        str, typer.Option(help="frames or tokens: the readings of the fusion paper; mean: PANNs'; clip: M2D's.")
    ] = DEFAULT.pooling,
    size: Annotated[
        str | None,
        typer.Option(help="From scratch, a size that `auscult teachers` lists; published: the card's weights."),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Published checkpoint on disk, instead of a download.")] = None,
    from_run: options.FromRun = None,
    freeze: Annotated[bool, typer.Option("--freeze/--no-freeze", help="Train the fusion and the head alone.")] = False,
    data: Data = list(DEFAULT.data.data),  # noqa: B006
    label: options.Labels = None,
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
        options.number(LEARNING_RATE, "Highest learning rate; else 1e-3 from scratch, 1e-4 from trained weights."),
    ] = None,
    loss: Annotated[
        str,
        typer.Option(
            metavar="labels|classes|weighted-classes",
            help="Binary cross-entropy on each label, or cross-entropy on their combinations (of crackle and wheeze "
            "the four classes), each weighted by the inverse of its share if you like.",
        ),
    ] = DEFAULT.loss,
    optimizer: Annotated[
        str, typer.Option(metavar="adamw|adam", help="Adam's decay is a penalty on all weights, vectors too.")
    ] = DEFAULT.optimizer,
    schedule: Annotated[
        str,
        typer.Option(
            metavar="warm-up|cosine|cosine-40",
            help="Of the rate: up over a tenth of the steps, then down on a half cosine; down alone; or down to 1e-6 "
            "in 40 epochs and up again in the next 40, as the code for ICBHI 2017 has it.",
        ),
    ] = DEFAULT.schedule,
    weight_decay: Annotated[float, options.number(WEIGHT, "Decay of the weights.")] = DEFAULT.weight_decay,
    frequency_mask: options.FrequencyMask = DEFAULT.frequency_mask,
    time_mask: options.TimeMask = DEFAULT.time_mask,
    mask_probability: options.MaskProbability = DEFAULT.mask_probability,
    watch: options.Watch = DEFAULT.watch,
    aim: options.Aim = DEFAULT.aim,
    seed: options.Seed = 0,
    seeds: Annotated[
        int, options.number(SEEDS, "Trainings, from --seed on: a run each, and how far their figures vary.")
    ] = DEFAULT.seeds,
    recipe: Annotated[str | None, recipe_option("finetune")] = None,
    runs: options.Runs = Path("runs"),
    resume: Annotated[Path | None, typer.Option(help="Go on with an interrupted run; its own settings count.")] = None,
    json_output: options.Json = False,
) -> None:
    """Train a teacher with fused layers on lung sounds.

    The epoch and the thresholds are chosen on validation.

    JSON keys: run (folder), synthetic, teacher (its card: name, licence, paper, note, weights; where known:
    from_run), labels, thresholds, validation (with: n, auroc (by label), sensitivity (by label), specificity (by
    label), f1 (by label), balanced_accuracy; of crackle and wheeze: sp, se, score, se_any, score_any; of classes:
    argmax (of the most probable class: sp, se, score, se_any, score_any)), layer_weights (of those learnt by
    layer). Instead, with --seeds above 1: run (folder of all), runs (folders), synthetic, teacher (its card: name,
    licence, paper, note, weights; where known: from_run), labels, validation (by figure as in auroc.crackle: mean,
    deviation (n - 1), interval (95 % of the mean), values (in the order of seeds)), layer_weights (by layer: mean,
    deviation, interval, values).
    """
    if resume is not None:
        refuse_beside_resume(context)
    with activity() as doing:
        doing("loading torch")
        from teachers.start import run_name
        from teachers.teacher import TeacherConfig

    place: AbstractContextManager[Path]
    if resume is not None:
        settings, place = load_settings(resume, FinetuneSettings), nullcontext(resume)
        settings = replace(settings, data=settings.data.moved_to(data_given(context, data), resume))
    else:
        layers, learnable = _layers(fusion), not fixed_weights
        if from_run is not None:
            refuse_ignored(context, ("teacher", "size", "weights"), "ignored with --from-run; leave it out")
            before = Run.load(from_run)
            if before.kind == "teacher":
                fused_as = ("fusion", "fixed_weights", "pooling")
                refuse_ignored(context, fused_as, "that of the teacher in --from-run stays; leave it out")
                fused = TeacherConfig.from_dict(before.model)
                layers, learnable, pooling = fused.layers, fused.learnable, fused.pooling
        if weights is not None:
            published = ("size",) if size != PUBLISHED else ()
            refuse_ignored(context, published, "ignored with --weights; leave it out")
        size = size or usual_size(teacher)
        settings = FinetuneSettings(
            teacher=teacher,
            size=size,
            weights=str(weights) if weights else None,
            layers=layers,
            learnable=learnable,
            pooling=cast(Pooling, pooling),
            data=DataOptions(
                tuple(data),
                tuple(protocol),
                logmel or usual_logmel(teacher, size, weights, from_run),
                seconds,
                hop,
                drop_shared,
                validation,
                split_seed,
                _labels(label, data, from_run),
            ),
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate or usual_learning_rate(size, weights, from_run),
            seed=seed,
            from_run=str(from_run) if from_run else None,
            freeze=freeze,
            watch=watch,
            aim=aim,
            recipe=Recipe.open(recipe).credit() if recipe else None,
            loss=cast(Loss, loss),
            optimizer=cast(Optimizer, optimizer),
            schedule=cast(Schedule, schedule),
            weight_decay=weight_decay,
            frequency_mask=frequency_mask,
            time_mask=time_mask,
            mask_probability=mask_probability,
            seeds=seeds,
        )
        place = new_run_folder(runs, run_name(settings))
    with place as folder:
        (_train if settings.seeds == 1 else _train_seeds)(settings, folder, json_output=json_output)


def _train(settings: FinetuneSettings, folder: Path, *, json_output: bool) -> None:
    from teachers.layer_weights import weights_of
    from teachers.start import describe
    from teachers.training import finetune

    err.print(f"teacher: {describe(settings)}, into {folder}", highlight=False)
    run = finetune(settings, folder, cache_folder())
    if json_output:
        told = {"thresholds": run.thresholds, "validation": run.validation, "layer_weights": weights_of(run)}
        print_json({"run": str(run.path)} | _what(run) | told)
        return
    print_table(scores_table("validation", {"teacher, float": run.validation}, synthetic=run.synthetic))
    if isinstance(argmax := run.validation.get("argmax"), dict):
        found = "  ".join(f"{name} {value}" for name, value in headline(argmax).items())
        out.print(f"most probable class: {found}", highlight=False)
    out.print(f"run: {run.path}", highlight=False)


def _train_seeds(settings: FinetuneSettings, folder: Path, *, json_output: bool) -> None:
    from teachers.seeds import finetune_seeds
    from teachers.start import describe

    err.print(f"teacher: {describe(settings)}, from {settings.seeds} seeds, into {folder}", highlight=False)
    found = finetune_seeds(settings, folder, cache_folder())
    synthetic = found.runs[0].synthetic
    if json_output:
        places = {"run": str(found.path), "runs": [str(run.path) for run in found.runs]}
        told = {"validation": found.validation, "layer_weights": found.layer_weights}
        print_json(places | _what(found.runs[0]) | told)
        return
    print_table(spread_table(f"validation, {settings.seeds} seeds", "figure", found.validation, synthetic=synthetic))
    if found.layer_weights:
        print_table(spread_table("weights of the layers", "layer", found.layer_weights, synthetic=synthetic))
    out.print(f"runs: {found.path}", highlight=False)


def _what(run: Run) -> dict[str, Any]:
    """Return what the answer says of every run that the command has made."""
    return {"synthetic": run.synthetic, "teacher": run.teacher, "labels": run.listening.labels}


def teachers_command(json_output: options.Json = False) -> None:
    """List the teachers: encoders, published weights, licence, paper.

    JSON keys: encoders (a list: name, sizes), teachers (a list: encoder, name, url, file, licence, paper, note,
    logmel), aliases (name by alias).
    """
    known = offers()
    aliases = {alias: name for offer in known.values() for alias, name in offer.aliases.items()}
    cards = [(name, card) for name, offer in known.items() for card in offer.cards]
    if json_output:
        keys = ("name", "url", "file", "licence", "paper", "note", "logmel")
        listed = [{"encoder": name} | {key: getattr(card, key) for key in keys} for name, card in cards]
        sizes = [{"name": name, "sizes": offer.sizes} for name, offer in known.items()]
        print_json({"encoders": sizes, "teachers": listed, "aliases": aliases})
        return
    for kind, paper in dict.fromkeys((name, card.paper) for name, card in cards):
        table = Table(kind, "has heard", title=paper)
        for name, card in cards:
            if (name, card.paper) == (kind, paper):
                table.add_row(card.name, card.note)
        print_table(table)
    out.print("published weights are downloaded with size `published`", highlight=False)
    for name, offer in known.items():
        out.print(f"{name} from scratch: size {offer.sizes}", highlight=False)
    for alias, name in aliases.items():
        out.print(f"{alias} = {name}", highlight=False)
    for licence in sorted({card.licence for _, card in cards}):
        out.print(f"licence: {licence}", highlight=False)


def _labels(asked: list[str] | None, data: list[str], from_run: Path | None) -> tuple[str, ...]:
    """Return the labels that were asked for; where nobody did, those of the run that is trained on, or the usual."""
    from lungsound.corpora.selection import usual_labels

    if asked:
        return tuple(asked)
    before = Run.load(from_run) if from_run else None
    return before.listening.labels if before and before.kind != "encoder" else usual_labels(data)


def _layers(text: str) -> Layers:
    if text in ("all", "last"):
        return cast(Layers, text)
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError as error:
        raise InputError(f"--fusion {text}: give `all`, `last` or numbers of blocks as in 4,7,10") from error
