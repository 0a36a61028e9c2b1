"""The `distill` command."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from auscult.plan import Flash, Instructions, Ram
from firmware_bridge.command import Overlapping, budget_of
from firmware_bridge.device.targets import find_target
from lungsound.command import options
from lungsound.command.console import print_json, run
from lungsound.command.data_option import Data
from lungsound.command.earlier_run import labels_of, logmel_of, normalisation_of
from lungsound.command.recipes import Recipe, recipe_option
from lungsound.command.report import scores_table
from lungsound.command.usage import data_given, is_given, refuse_beside_resume, refuse_ignored
from lungsound.errors import InputError
from lungsound.files.cache import cache_folder
from lungsound.logmel import Normalisation
from lungsound.scores.aims import BEST_SCORE
from lungsound.scores.flips import in_words
from lungsound.terminal import activity, err, out, print_table
from lungsound.training.data import DataOptions
from lungsound.training.runs import Run, new_run_folder
from lungsound.training.settings import AUROC, EPOCHS, GAIN, TEMPERATURE, WEIGHT, load_settings
from teachers.settings import FinetuneSettings, usual_learning_rate, usual_logmel, usual_size

if TYPE_CHECKING:  # torch takes seconds to import, which help and completion need not wait for
    from distill.losses import LossWeights
    from students.student import StudentConfig

DEFAULT = DataOptions()
TEACHER = FinetuneSettings()
NONE = "none"
SIZES = ("width", "depth", "from_run", "student_weights")
"""Parameters that say how large a student is."""
BUDGET = ("ram", "flash", "instructions_per_second")
"""Parameters that say what a device can spare."""
OF_A_TEACHER_TRAINED_FIRST = ("weights", "size", "teacher_logmel", "teacher_epochs")
"""Parameters that say how a teacher is trained, where none is there yet."""


def distill_command(
    context: typer.Context,
    teacher: Annotated[
        str, typer.Option(help="Encoder or card of the teacher, see `auscult teachers`; none: labels alone.")
    ] = TEACHER.teacher,
    student: Annotated[
        str, typer.Option(help="Family of the student, a name that is none lists them; with --target also: all.")
    ] = "cnn6",
    width: options.Width = 0.25,
    depth: options.Depth = None,
    head: options.Head = "csra",
    heads: options.Heads = 4,
    target: Annotated[
        str | None,
        typer.Option(help="Core that the student is for: it becomes as large as what the core can spare allows."),
    ] = None,
    ram: Ram = None,
    flash: Flash = None,
    instructions_per_second: Instructions = None,
    overlapping: Overlapping = False,
    from_run: options.FromRun = None,
    student_weights: Annotated[
        Path | None,
        typer.Option(help="Published weights (.pth) that the student starts from: its family's, which are of width 1."),
    ] = None,
    teacher_run: Annotated[
        list[Path] | None,
        typer.Option(
            help="Finished run of a teacher, or of another student; else a teacher is trained first. May be repeated: "
            "the mean of their logits teaches."
        ),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Published checkpoint that the teacher starts from.")] = None,
    size: Annotated[
        str | None, typer.Option(help="Of a teacher from scratch, or published: the card's weights.")
    ] = None,
    teacher_logmel: Annotated[
        str | None, typer.Option(help="Teacher's log-mel; by default what the weights expect, from scratch device_4k.")
    ] = None,
    teacher_epochs: Annotated[
        int, options.number(EPOCHS, "Epochs of a teacher that is trained first.")
    ] = TEACHER.epochs,
    data: Data = list(DEFAULT.data),  # noqa: B006
    label: options.Labels = None,
    protocol: options.Protocols = list(DEFAULT.protocols),  # noqa: B006
    logmel: options.LogMel = DEFAULT.logmel,
    front_end: options.FrontEnd = "logmel",
    normalisation: options.Normalisation = DEFAULT.normalisation,
    seconds: options.Seconds = DEFAULT.seconds,
    hop: options.Hop = DEFAULT.hop_seconds,
    drop_shared: options.DropShared = False,
    validation: options.Validation = DEFAULT.validation,
    split_seed: options.SplitSeed = DEFAULT.split_seed,
    label_weight: Annotated[float, options.number(WEIGHT, "Weight of the loss on the annotated labels.")] = 1.0,
    positive_weight: Annotated[
        float, options.number(WEIGHT, "How much a label that is there counts in both these losses, one that is not: 1.")
    ] = 1.0,
    logit_weight: Annotated[float, options.number(WEIGHT, "Weight of the loss on the teacher's logits.")] = 1.0,
    embedding_weight: Annotated[float, options.number(WEIGHT, "Weight of the loss on the teacher's embedding.")] = 1.0,
    teacher_misses: Annotated[
        bool,
        typer.Option(
            "--teacher-misses/--no-teacher-misses", help="Learn from the teacher's logits also where it misses a label."
        ),
    ] = True,
    temperature: Annotated[float, options.number(TEMPERATURE, "Softens the logits of both sides.")] = 2.0,
    gain: Annotated[float, options.number(GAIN, "Standard deviation in dB of the gain windows are played at.")] = 4.0,
    epochs: options.Epochs = 30,
    batch_size: options.BatchSize = 32,
    learning_rate: options.LearningRate = 2e-3,
    watch: options.Watch = AUROC,
    aim: options.Aim = BEST_SCORE,
    seed: options.Seed = 0,
    recipe: Annotated[str | None, recipe_option("distill")] = None,
    runs: options.Runs = Path("runs"),
    resume: Annotated[Path | None, typer.Option(help="Go on with an interrupted run; its own settings count.")] = None,
    json_output: options.Json = False,
) -> None:
    """Distil a teacher into a small student.

    Without options it runs on the embedded synthetic corpus and trains a tiny teacher first; with --teacher none, or
    --logit-weight 0 --embedding-weight 0, it learns from labels alone. The student's run folder holds
    weights.safetensors and run.json; the epoch and the thresholds are chosen on validation.

    JSON keys: run (folder), synthetic, teacher (its card: name, licence, paper, note, weights; where known: run,
    split_hash, from_run, weights_sha256), teachers (the cards of several), labels, thresholds, validation (with: n,
    auroc (by label), sensitivity (by label), specificity (by label), f1 (by label), balanced_accuracy; of crackle and
    wheeze: sp, se, score, se_any, score_any), flips (null where no teacher tells these labels, or validation windows
    that the teacher has right and the student loses: class, windows, had, lost, won, recordings (a list: recording,
    windows)).
    """
    if resume is not None:
        refuse_beside_resume(context)
    elif target is None:
        refuse_ignored(context, (*BUDGET, "overlapping"), "ignored without --target; leave it out")
    elif not any(is_given(context, name) for name in BUDGET):
        needs = "needs --ram, --flash or --instructions-per-second, which say what it can spare"
        raise typer.BadParameter(needs, param_hint="--target")
    else:
        refuse_ignored(context, SIZES, "ignored with --target, which chooses the student's size; leave it out")
    with activity() as doing:
        doing("loading torch")
        from auscult.sizing.choice import choose
        from auscult.sizing.search import Device
        from distill.losses import LossWeights
        from distill.settings import DistillSettings
        from distill.start import describe, run_name
        from distill.training import begin, distill, refuse_what_no_size_mends
        from lungsound.networks.leaf_config import front_end_named
        from students.student import Student, StudentConfig
        from teachers.training import finetuned

    place: AbstractContextManager[Path]
    if resume is not None:
        settings, place = load_settings(resume, DistillSettings), nullcontext(resume)
        settings = replace(settings, data=settings.data.moved_to(data_given(context, data), resume))
    else:
        if teacher == NONE:
            logit_weight, embedding_weight = _no_weights(context, logit_weight, embedding_weight)
        losses = LossWeights(label_weight, logit_weight, embedding_weight, temperature, positive_weight, teacher_misses)
        _refuse_ignored(context, losses, alone=teacher == NONE)
        chosen = DataOptions(
            tuple(data),
            tuple(protocol),
            logmel_of(context, logmel, from_run),
            seconds,
            hop,
            drop_shared,
            validation,
            split_seed,
            normalisation=cast(Normalisation, normalisation_of(context, normalisation, from_run)),
        )
        asked = StudentConfig(
            trunk="cnn6" if target and student == "all" else student,
            width=width,
            heads=heads,
            head=head,
            depth=depth,
            front_end=front_end_named(front_end, chosen.listening().logmel),
        )
        if asked.front_end:
            refuse_ignored(context, ["normalisation"], "ignored with a learnt --front-end; leave it out")
            why = f"chooses a student for firmware, which refuses --front-end {front_end}; leave one of them out"
            refuse_ignored(context, ["target"], why)
        settings = DistillSettings(
            tuple(map(str, teacher_run or ())),
            replace(chosen, labels=labels_of(label, data, teacher_run[0] if teacher_run else from_run)),
            _student(context, asked, from_run),
            losses,
            epochs,
            batch_size,
            learning_rate,
            gain=gain,
            seed=seed,
            from_run=str(from_run) if from_run else None,
            student_weights=str(student_weights) if student_weights else None,
            watch=watch,
            aim=aim,
            recipe=Recipe.open(recipe).credit() if recipe else None,
        )
        taught = None
        if losses.teacher and not teacher_run:
            size = size or usual_size(teacher)
            taught = FinetuneSettings(
                teacher,
                size,
                str(weights) if weights else None,
                data=replace(
                    settings.data,
                    logmel=teacher_logmel or usual_logmel(teacher, size, weights),
                    normalisation="corpus",
                ),
                epochs=teacher_epochs,
                learning_rate=usual_learning_rate(size, weights),
                seed=seed,
            )
        if target is not None:
            core = find_target(target)
            device = Device(core, budget_of(ram, flash, instructions_per_second, core), overlapping)
            refuse_what_no_size_mends(settings, taught)
            heard = settings.data.listening()
            sized, budget = choose(settings.student, student, heard, device, whole_hop=not is_given(context, "hop"))
            settings = replace(settings, student=sized, budget=budget)
        if not is_given(context, "hop"):
            hop = Student(settings.student).whole_hop(settings.data.listening())
            settings = replace(settings, data=replace(settings.data, hop_seconds=hop))
        if taught is not None:
            begin(settings)  # what cannot be is refused before a teacher is trained
            taught = replace(taught, data=replace(taught.data, hop_seconds=settings.data.hop_seconds))
            settings = replace(settings, teacher_run=str(finetuned(taught, runs, cache_folder()).path))
        place = new_run_folder(runs, run_name(settings))
    with place as folder:
        err.print(f"student: {describe(settings)}, into {folder}", highlight=False)
        finished = distill(settings, folder, cache_folder())
    _tell(finished, json_output)


def _student(context: typer.Context, asked: "StudentConfig", from_run: Path | None) -> "StudentConfig":
    """Return the student that was asked for, or that of the run that is trained on."""
    if asked.head != "csra":
        refuse_ignored(context, ("heads",), f"ignored with --head {asked.head}; leave it out")
    if from_run is None:
        return asked
    refuse_ignored(
        context,
        ("student", "width", "depth", "head", "heads", "front_end", "student_weights"),
        "ignored with --from-run; leave it out",
    )
    before = Run.load(from_run)
    if before.kind != "student":
        raise InputError(f"{before.path}: the run of a teacher or an encoder; name a student's")
    return replace(asked.from_dict(before.model), classes=asked.classes)


def _no_weights(context: typer.Context, *weights: float) -> tuple[float, ...]:
    """Return the teacher's loss weights of a training without one."""
    for name, weight in zip(("logit_weight", "embedding_weight"), weights, strict=True):
        if weight:
            refuse_ignored(context, (name,), "ignored with --teacher none; leave it out")
    return 0.0, 0.0


def _refuse_ignored(context: typer.Context, losses: "LossWeights", *, alone: bool) -> None:
    if not losses.teacher:
        ignored = ["teacher_run", "temperature", "teacher_misses", *OF_A_TEACHER_TRAINED_FIRST]
        refuse_ignored(context, ignored if alone else ["teacher", *ignored], "ignored without a teacher; leave it out")
    elif is_given(context, "teacher_run"):
        ignored = ["teacher", *OF_A_TEACHER_TRAINED_FIRST]
        refuse_ignored(context, ignored, "ignored with --teacher-run; leave it out")
    elif is_given(context, "weights"):
        refuse_ignored(context, ("size",), "ignored with --weights; leave it out")
    if not losses.logits:
        why = "ignored without a loss on logits; leave it out"
        refuse_ignored(context, ("temperature", "teacher_misses"), why)


def _tell(finished: Run, json_output: bool) -> None:
    if json_output:
        told = ("synthetic", "teacher", "teachers", "thresholds", "validation", "flips")
        answer = {"run": str(finished.path), "labels": finished.listening.labels}
        print_json(answer | {name: getattr(finished, name) for name in told})
        return
    print_table(scores_table("validation", {"student, float": finished.validation}, synthetic=finished.synthetic))
    if finished.flips is not None:
        out.print(f"of what the teacher has right the student loses: {in_words(finished.flips)}", highlight=False)
    out.print(f"run: {finished.path}")


def main() -> None:
    """Run `distill` as a script of its own."""
    app = typer.Typer(add_completion=False)
    app.command(help=distill_command.__doc__)(distill_command)
    run(app)
