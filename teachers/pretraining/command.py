"""The `pretrain` command."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.command.data_option import CORPUS, NAMED
from lungsound.command.recipes import Recipe, recipe_option
from lungsound.command.usage import data_given, refuse_beside_resume, refuse_ignored
from lungsound.errors import InputError
from lungsound.files.cache import cache_folder
from lungsound.terminal import activity, err, out
from lungsound.training.data import DataOptions
from lungsound.training.processes import rank, shared_run_folder
from lungsound.training.runs import Run
from lungsound.training.settings import BATCH_SIZE, EPOCHS, LEARNING_RATE, SEED, VALIDATION, WEIGHT, load_settings
from teachers.pretraining import settings as told
from teachers.pretraining.settings import PretrainSettings, crop_seconds

DEFAULT = PretrainSettings()
LOGMEL = "m2d"


def pretrain_command(
    context: typer.Context,
    data: Annotated[
        list[str],
        typer.Option(
            "--data", metavar=CORPUS, help=f"{NAMED}; or shards:FOLDER, which data shard wrote. May be repeated."
        ),
    ] = list(DEFAULT.data.data),  # noqa: B006
    repeat: Annotated[
        list[int] | None,
        options.number(told.COUNT, "How often an epoch hears a corpus: one for each --data.", "--repeat"),
    ] = None,
    share: Annotated[
        list[float] | None,
        options.number(told.SHARE, "Instead, each corpus' part of an epoch; together 1.", "--share"),
    ] = None,
    min_clips: Annotated[
        int, options.number(told.CLIPS, "An epoch with fewer clips is repeated up to this many.")
    ] = DEFAULT.min_clips,
    clips: Annotated[str, typer.Option(metavar="recordings|events", help="What a clip is.")] = DEFAULT.clips,
    noise: Annotated[
        list[str] | None,
        typer.Option(metavar=CORPUS, help=f"Background noise: {NAMED[0].lower()}{NAMED[1:]}. May be repeated."),
    ] = None,
    noise_share: Annotated[
        float, options.number(told.SHARE, "Share of the noise in the power: eta of M2D-X.")
    ] = DEFAULT.noise_share,
    routing: Annotated[
        str,
        typer.Option(
            metavar="paper|code",
            help="paper: M2D hears the noise, the offline target clean sound; code: the other way round.",
        ),
    ] = DEFAULT.routing,
    size: Annotated[str, typer.Option(metavar="tiny|small|base|large", help="Of the encoder.")] = DEFAULT.size,
    frames: Annotated[int, options.number(told.FRAMES, "Log-mel frames of a crop.")] = DEFAULT.frames,
    patch: Annotated[str, typer.Option(metavar="MELSxFRAMES", help="Of a patch.")] = "16x16",
    logmel: Annotated[str, typer.Option(help="Log-mel specification; m2d has the published layout.")] = LOGMEL,
    padding: Annotated[
        str, typer.Option(metavar="silence|zeros", help="After the end of a short clip; zeros is the code's, and loud.")
    ] = DEFAULT.padding,
    weights: Annotated[
        Path | None,
        typer.Option(help="Full checkpoint on disk to pre-train on; its folder's name gives size, frames and patch."),
    ] = None,
    statistics: Annotated[
        str, typer.Option(metavar="data|weights", help="Whose mean and deviation normalise the log-mels.")
    ] = DEFAULT.statistics,
    variant: Annotated[
        str,
        typer.Option(
            metavar="m2d|all-patches|mae",
            help="The target: the target network's view of hidden patches alone, of all patches, or the patches.",
        ),
    ] = DEFAULT.variant,
    mask_ratio: Annotated[
        float, options.number(told.RATIO, "Share of the patches that are hidden.")
    ] = DEFAULT.mask_ratio,
    standardise: Annotated[
        bool, typer.Option("--standardise/--raw-targets", help="Standardise every target over its features.")
    ] = DEFAULT.standardise,
    averaged: Annotated[
        str,
        typer.Option(
            metavar="blocks|all", help="What the target network has of its own: blocks and norm (code), or all (paper)."
        ),
    ] = DEFAULT.averaged,
    target_start: Annotated[
        str,
        typer.Option(metavar="drawn|online", help="The target network's first weights: drawn (code), a copy (paper)."),
    ] = DEFAULT.target_start,
    tau: Annotated[float, options.number(told.TAU, "Moving average at the first step.")] = DEFAULT.tau,
    tau_end: Annotated[float, options.number(told.TAU, "Moving average at the last step.")] = DEFAULT.tau_end,
    offline: Annotated[
        str,
        typer.Option(
            metavar="none|labels|teacher|source",
            help="M2D-X, what its offline branch predicts: the crop's labels, features of --teacher or of --weights.",
        ),
    ] = DEFAULT.offline,
    teacher: Annotated[
        str | None, typer.Option(help="Encoder or card of `auscult teachers`, for --offline teacher.")
    ] = None,
    teacher_weights: Annotated[Path | None, typer.Option(help="Its published file on disk, not downloaded.")] = None,
    teacher_run: Annotated[Path | None, typer.Option(help="Instead of --teacher, the encoder of a run.")] = None,
    label: options.Labels = None,
    loss_weight: Annotated[float, options.number(WEIGHT, "Weight of M2D's loss.")] = DEFAULT.loss_weight,
    offline_weight: Annotated[
        float, options.number(WEIGHT, "Weight of the offline branch's loss.")
    ] = DEFAULT.offline_weight,
    epochs: Annotated[int, options.number(EPOCHS, "Passes over the clips.")] = DEFAULT.epochs,
    warm_up: Annotated[
        float, options.number(told.WARM_UP, "Passes until the learning rate is highest.")
    ] = DEFAULT.warm_up,
    batch_size: Annotated[
        int, options.number(BATCH_SIZE, "Clips of a step, on all processes together.")
    ] = DEFAULT.batch_size,
    accumulate: Annotated[
        int, options.number(told.COUNT, "Parts in which every process takes its share of a step.")
    ] = DEFAULT.accumulate,
    base_learning_rate: Annotated[
        float, options.number(LEARNING_RATE, "Highest learning rate for 256 clips a step; it grows with the batch.")
    ] = DEFAULT.base_learning_rate,
    weight_decay: Annotated[float, options.number(WEIGHT, "Of AdamW.")] = DEFAULT.weight_decay,
    gradient_clip: Annotated[float, options.number(WEIGHT, "Largest norm of the gradient.")] = DEFAULT.gradient_clip,
    seed: options.Seed = DEFAULT.seed,
    drop_shared: options.DropShared = False,
    validation: Annotated[
        float, options.number(VALIDATION, "Share of the training patients that is held out.")
    ] = DEFAULT.data.validation,
    split_seed: Annotated[int, options.number(SEED, "Seed of the validation split.")] = DEFAULT.data.split_seed,
    precision: Annotated[
        str,
        typer.Option(
            metavar="auto|32-true|bf16-mixed|16-mixed", help="auto: bfloat16 where the CPU or GPU has units for it."
        ),
    ] = DEFAULT.precision,
    strategy: Annotated[
        str, typer.Option(metavar="auto|ddp|fsdp", help="How several processes share the work.")
    ] = DEFAULT.strategy,
    devices: Annotated[int, options.number(told.COUNT, "Processes on each machine.")] = DEFAULT.devices,
    nodes: Annotated[int, options.number(told.COUNT, "Machines, each with torchrun.")] = DEFAULT.nodes,
    workers: Annotated[
        int, options.number(told.CLIPS, "Processes that read clips, for each that trains; shards gain by some.")
    ] = DEFAULT.workers,
    compile: Annotated[bool, typer.Option("--compile/--no-compile", help="Compile the network.")] = DEFAULT.compile,
    checkpoint_steps: Annotated[
        int, options.number(told.COUNT, "Steps from one checkpoint to resume from to the next; every epoch has one.")
    ] = DEFAULT.checkpoint_steps,
    checkpoint_epochs: Annotated[
        int, options.number(told.CLIPS, "Epochs from one published checkpoint to the next; 0: the last alone.")
    ] = DEFAULT.checkpoint_epochs,
    recipe: Annotated[str | None, recipe_option("pretrain")] = None,
    runs: options.Runs = Path("runs"),
    resume: Annotated[Path | None, typer.Option(help="Go on with an interrupted run; its own settings count.")] = None,
    json_output: options.Json = False,
) -> None:
    """Pre-train an encoder on sound without labels: M2D, M2D-X, or a masked autoencoder.

    The figures are those of held-out recordings; nothing is chosen by them.

    JSON keys: run (folder), synthetic, teacher (its card: name, licence, paper, note, weights), checkpoint (null
    where the log-mel has no published layout), validation (of clips held out: n, loss, m2d_loss,
    offline_loss, target_variance, online_variance).
    """
    if resume is not None:
        refuse_beside_resume(context)
    with activity() as doing:
        doing("loading torch")
        from lungsound.training.precision import usual_precision
        from teachers.pretraining.start import describe, run_name
        from teachers.pretraining.training import pretrain

    place: AbstractContextManager[Path]
    if resume is not None:
        settings, place = load_settings(resume, PretrainSettings), nullcontext(resume)
        settings = replace(settings, data=settings.data.moved_to(data_given(context, data), resume))
    else:
        if weights is not None:
            refuse_ignored(context, ("size", "frames", "patch", "target_start"), "ignored with --weights; leave it out")
            frames, patch = _sizes_of(weights)
        values: dict[str, Any] = {
            name: context.params[name]
            for name in PretrainSettings.__dataclass_fields__
            if name in context.params and name not in ("data", "recipe", "precision", "frames", "patch")
        }
        for name in ("weights", "teacher_weights", "teacher_run"):
            values[name] = str(values[name]) if values[name] else None
        for name in ("repeat", "share", "noise"):
            values[name] = tuple(values[name] or ())
        settings = PretrainSettings(
            data=DataOptions(
                tuple(data),
                logmel=logmel,
                seconds=(seconds := crop_seconds(logmel, frames)),
                hop_seconds=seconds,
                drop_shared=drop_shared,
                validation=validation,
                split_seed=split_seed,
                labels=_labels(label, data, offline),
            ),
            frames=frames,
            patch=_patch(patch),
            precision=usual_precision() if precision == "auto" else precision,  # type: ignore[arg-type]
            date=f"{datetime.now():%y%m%d}",
            recipe=Recipe.open(recipe).credit() if recipe else None,
            **values,
        )
        place = shared_run_folder(runs, run_name(settings))
    with place as folder:
        if rank() == 0:
            err.print(f"pre-training: {describe(settings)}, into {folder}", highlight=False)
        run = pretrain(settings, folder, cache_folder())
    if run is not None:
        _tell(run, json_output=json_output)


def _tell(run: Run, *, json_output: bool) -> None:
    checkpoint = next(iter(sorted(run.path.glob(f"*/checkpoint-{run.options['epochs']}.pth"))), None)
    if json_output:
        print_json(
            {
                "run": str(run.path),
                "synthetic": run.synthetic,
                "teacher": run.teacher,
                "checkpoint": str(checkpoint) if checkpoint else None,
                "validation": run.validation,
            }
        )
        return
    said = "  ".join(f"{name} {value:g}" for name, value in run.validation.items() if isinstance(value, float))
    synthetic = " (synthetic)" if run.synthetic else ""
    out.print(f"held out{synthetic}: {said or 'nothing'}", highlight=False)
    if checkpoint:
        out.print(f"checkpoint: {checkpoint}", highlight=False)
    out.print(f"run: {run.path}", highlight=False)


def _patch(text: str) -> tuple[int, ...]:
    try:
        mels, frames = (int(number) for number in text.split("x"))
    except ValueError as error:
        raise InputError(f"--patch {text}: give mels and frames as in 16x16") from error
    return mels, frames


def _sizes_of(weights: Path) -> tuple[int, str]:
    """Return frames and patch that the name of a checkpoint tells."""
    from teachers.m2d.checkpoints import config_of

    config = config_of(weights)
    return config.input_size[1], f"{config.patch_size[0]}x{config.patch_size[1]}"


def _labels(asked: list[str] | None, data: list[str], offline: str) -> tuple[str, ...]:
    """Return the labels of the offline branch; the usual ones, which do not count, where it has none."""
    from teachers.pretraining.sound.sharded import usual_labels

    if asked and offline != "labels":
        raise InputError("--label means something with --offline labels alone; leave it out")
    if offline != "labels":
        return DEFAULT.data.labels
    return tuple(asked) if asked else usual_labels(data)
