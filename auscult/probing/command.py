"""`auscult probe`: how much of an answer a linear layer finds in frozen features."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungsound.command import options
from lungsound.command.console import print_json
from lungsound.command.data_option import Data
from lungsound.command.usage import is_given, refuse_ignored
from lungsound.errors import InputError
from lungsound.files.cache import cache_folder
from lungsound.files.record import Range
from lungsound.terminal import activity, err
from lungsound.training.runs import Run, new_run_folder

if TYPE_CHECKING:  # pandas and torch take seconds to import, which help and completion need not wait for
    from teachers.probing.evaluation import Answer
    from teachers.probing.features import Pool, Probed
    from teachers.probing.linear import LinearSettings
    from teachers.probing.questions import Asked

SEEDS = Range(1, 100)
LAYERS = Range(1, 1000)
POOLS = ("frames", "mean")
_OF_LABELS = ["label", "protocol", "hop", "split", "validation", "split_seed"]


def probe_command(
    context: typer.Context,
    data: Data,
    task: Annotated[
        str | None, typer.Option(help="A task of the OPERA benchmark, T5 to T11, with its split and its settings.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="Instead of --task, a label of the corpora, or any; may be repeated. Else the usual ones."),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            metavar="recordings|cycles|stream",
            help="What has a label: a recording, of which one clip is heard, an annotated event, or a window.",
        ),
    ] = "recordings",
    split: Annotated[
        str, typer.Option(help="Part that judges: test, the corpus' own (SPRSound has intra and inter), validation.")
    ] = "test",
    teacher: Annotated[
        list[str] | None, typer.Option(help="Encoder or card of `auscult teachers`; may be repeated.")
    ] = None,
    weights: Annotated[
        list[Path] | None, typer.Option(help="Its published file on disk, not downloaded; one for each --teacher.")
    ] = None,
    from_run: Annotated[
        list[Path] | None,
        typer.Option("--from-run", help="A run: a teacher's, a student's, a pre-training's; may be repeated."),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines/--no-baselines",
            help="Beside them an untrained encoder of each shape, and the log-mel's own mean and deviation.",
        ),
    ] = True,
    pool: Annotated[
        list[str] | None,
        typer.Option(
            metavar="frames|mean",
            help="frames: mean over time, frequencies side by side; mean: over all tokens; repeat it to compare.",
        ),
    ] = None,
    layer: Annotated[
        int | None, options.number(LAYERS, "This layer alone, counted from 1; else validation chooses one of all.")
    ] = None,
    seconds: options.Seconds = 10.0,
    hop: options.Hop = 5.0,
    seeds: Annotated[int, options.number(SEEDS, "Probes that differ in first weights and order.")] = 5,
    epochs: options.Epochs = 64,
    batch_size: options.BatchSize = 32,
    learning_rate: options.LearningRate = 1e-4,
    standardise: Annotated[
        bool | None,
        typer.Option(
            "--standardise/--raw", help="Features lose mean and deviation of the training part; OPERA's tasks do not."
        ),
    ] = None,
    seed: Annotated[int, options.number(options.SEED, "Of random clips and of untrained encoders.")] = 0,
    validation: options.Validation = 0.2,
    split_seed: options.SplitSeed = 0,
    runs: options.Runs = Path("runs"),
    json_output: options.Json = False,
) -> None:
    """Judge frozen features by linear probes: AUROC over seeds, with intervals over patients.

    Probes are trained as the OPERA benchmark does it. Layer and epoch are chosen on validation; the test is asked once.
    The run folder gets the figures, what every probe said of every recording, and a picture of the layers.

    JSON keys: folder, question, data, synthetic, notes, split (it has: name, hash, part), cut (it has: protocol,
    seconds, hop_seconds, seed), n (it has: train, validation, test), patients (it has: train, validation, test),
    settings (it has: epochs, batch_size, learning_rate, decay, l2, clip, every, patience, standardise, seeds), encoders
    (a list: name, pool, layer, layers (a list: layer, validation), auroc, deviation, interval, seeds, by_label (by
    name)), differences (a list: first, second, difference, interval), predictions (file), picture (file), versions.
    """
    if task is not None:
        refuse_ignored(context, _OF_LABELS, "is what the task says; leave it or --task out")
    elif protocol != "stream":
        refuse_ignored(context, ["hop"], "means something with --protocol stream alone; leave it out")
    pools = _checked_pools(pool or ["frames"])
    with activity() as doing:
        doing("loading pandas and torch")
        from auscult.probing.encoders import notes_on, open_encoders
        from auscult.probing.record import figures, print_figures, store
        from teachers.probing.linear import LinearSettings
        from teachers.probing.questions import Cut, ask_labels, ask_task
        from teachers.probing.tasks import find_task

    settings = LinearSettings(epochs, batch_size, learning_rate, standardise=task is None, seeds=seeds)
    if task is not None:
        told = find_task(task)
        usual = {name: getattr(told, name) for name in ("epochs", "batch_size") if not is_given(context, name)}
        settings = replace(settings, every=told.every, **usual)
    if standardise is not None:
        settings = replace(settings, standardise=standardise)
    cut = Cut(protocol, seconds, hop, seed)
    trained = [Run.load(path) for path in from_run or []]
    encoders = open_encoders(teacher or [], weights or [], trained, seed, baselines=baselines)
    if task is None:
        asked = ask_labels(data, label or [], cut, split, validation, split_seed)
    else:
        asked = ask_task(task, data, cut)
    asked = replace(asked, notes=(*asked.notes, *notes_on(trained, data, asked)))
    for note in asked.notes:
        err.print(f"note: {note}", style="yellow", highlight=False, markup=False)
    with new_run_folder(runs, f"probe-{task or data[0].partition(':')[0]}") as folder:
        answers = _answers(encoders, asked, pools, layer, seconds, settings)
        record = {"data": data, "cut": asdict(cut)} | figures(answers, asked, settings)
        files = store(folder, record, answers, asked)
    record = {"folder": str(folder)} | record | files
    if json_output:
        print_json(record)
    else:
        print_figures(record)


def _checked_pools(pools: Sequence[str]) -> "list[Pool]":
    for pool in pools:
        if pool not in POOLS:
            raise InputError(f"--pool {pool[:40]!r}: choose from {', '.join(POOLS)}")
    return list(dict.fromkeys(pools))  # type: ignore[arg-type]


def _answers(
    encoders: "Sequence[Probed]",
    asked: "Asked",
    pools: "Sequence[Pool]",
    layer: int | None,
    seconds: float,
    settings: "LinearSettings",
) -> "list[Answer]":
    """Probe every encoder with every pooling; the log-mel has one."""
    from teachers.probing.evaluation import answer
    from teachers.probing.features import pooled_features

    layers = [_layers(probed, layer, seconds) for probed in encoders]
    answers = []
    for probed, numbers in zip(encoders, layers, strict=True):
        features = pooled_features(probed, asked.windows, seconds, cache_folder())
        ways: Sequence[Pool] = pools if probed.network else ["frames"]
        for pool in ways:
            name = f"{probed.name}, {pool}" if len(ways) > 1 else probed.name
            answers.append(answer(name, features, pool, numbers, asked.question, settings))
    return answers


def _layers(probed: "Probed", layer: int | None, seconds: float) -> list[int]:
    """Return the layers that may be chosen; what has one alone has no choice."""
    depth = len(probed.shapes(seconds))
    if layer is None or depth == 1:
        return list(range(1, depth + 1))
    if layer > depth:
        raise InputError(f"--layer {layer}: {probed.name} has layers 1 to {depth}")
    return [layer]
