"""The `distill` command."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from distill.losses import LossWeights
from distill.training import DistillSettings, distill
from lungsound.command import options
from lungsound.command.console import print_json, run
from lungsound.command.report import scores_table
from lungsound.files.cache import cache_folder
from lungsound.terminal import err, out
from lungsound.training.data import DataOptions
from lungsound.training.runs import Run, new_run_folder
from lungsound.training.settings import load_settings
from students.student import StudentConfig
from teachers.training import FinetuneSettings, finetuned, usual_learning_rate, usual_logmel

DEFAULT = DataOptions()
TEACHER = FinetuneSettings()


def distill_command(
    teacher: Annotated[str, typer.Option(help="Card of the teacher; see `auscult teachers`.")] = "m2dx",
    student: Annotated[str, typer.Option(help="Trunk of the student.")] = "cnn6",
    width: Annotated[float, typer.Option(help="Width multiplier of the trunk; 1 is the published CNN6.")] = 0.25,
    heads: Annotated[int, typer.Option(help="Heads of the CSRA attention: 1, 2, 4 or 6.")] = 4,
    teacher_run: Annotated[Path | None, typer.Option(help="Finished teacher run; trained first if not given.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Published checkpoint that the teacher starts from.")] = None,
    size: Annotated[str, typer.Option(help="tiny or small: from scratch; published: the card's weights.")] = "tiny",
    teacher_logmel: Annotated[
        str | None, typer.Option(help="Teacher's log-mel; by default what the weights expect, from scratch device_4k.")
    ] = None,
    teacher_epochs: Annotated[
        int, typer.Option(min=1, help="Epochs of a teacher that is trained first.")
    ] = TEACHER.epochs,
    data: options.Data = list(DEFAULT.data),  # noqa: B006
    protocol: options.Protocols = list(DEFAULT.protocols),  # noqa: B006
    logmel: Annotated[str, typer.Option(help="Log-mel specification of the student.")] = DEFAULT.logmel,
    seconds: options.Seconds = DEFAULT.seconds,
    hop: options.Hop = DEFAULT.hop_seconds,
    drop_shared: options.DropShared = False,
    validation: options.Validation = DEFAULT.validation,
    split_seed: options.SplitSeed = DEFAULT.split_seed,
    label_weight: Annotated[float, typer.Option(help="Weight of the loss on the annotated labels.")] = 1.0,
    logit_weight: Annotated[float, typer.Option(help="Weight of the loss on the teacher's logits.")] = 1.0,
    embedding_weight: Annotated[float, typer.Option(help="Weight of the loss on the teacher's embedding.")] = 1.0,
    temperature: Annotated[float, typer.Option(help="Softens the logits of both sides.")] = 2.0,
    gain: Annotated[
        float, typer.Option(min=0, help="Standard deviation in dB of the gain windows are played at.")
    ] = 4.0,
    epochs: options.Epochs = 30,
    batch_size: options.BatchSize = 32,
    learning_rate: options.LearningRate = 2e-3,
    seed: options.Seed = 0,
    runs: options.Runs = Path("runs"),
    resume: Annotated[Path | None, typer.Option(help="Go on with an interrupted run; its own settings count.")] = None,
    json_output: options.Json = False,
) -> None:
    """Distil a teacher into a small student.

    Without options it runs on the embedded synthetic corpus and trains a tiny teacher first. The student's run
    folder holds weights.safetensors and run.json; the epoch and the thresholds are chosen on validation.

    JSON keys: run (folder), synthetic, thresholds, validation (sp, se, score, se_any, score_any, auroc, n), parameters.
    """
    if resume is not None:
        finished = distill(load_settings(resume, DistillSettings.from_dict), resume, cache_folder())
    else:
        chosen = DataOptions(tuple(data), tuple(protocol), logmel, seconds, hop, drop_shared, validation, split_seed)
        config = StudentConfig(trunk=student, width=width, heads=heads)
        losses = LossWeights(label_weight, logit_weight, embedding_weight, temperature)
        if teacher_run is None:
            heard = replace(chosen, logmel=teacher_logmel or usual_logmel(teacher, size, weights))
            taught = FinetuneSettings(
                teacher,
                size,
                str(weights) if weights else None,
                data=heard,
                epochs=teacher_epochs,
                learning_rate=usual_learning_rate(size, weights),
                seed=seed,
            )
            teacher_run = finetuned(taught, runs, cache_folder()).path
        settings = DistillSettings(
            str(teacher_run), chosen, config, losses, epochs, batch_size, learning_rate, gain=gain, seed=seed
        )
        folder = new_run_folder(runs, f"{student}-from-{teacher}")
        err.print(f"student: {student} of width {width}, {heads} heads, into {folder}")
        finished = distill(settings, folder, cache_folder())
    _tell(finished, json_output)


def _tell(finished: Run, json_output: bool) -> None:
    if json_output:
        print_json(
            {
                "run": str(finished.path),
                "synthetic": finished.synthetic,
                "thresholds": list(finished.thresholds),
                "validation": finished.validation,
            }
        )
        return
    out.print(scores_table("validation", {"student, float": finished.validation}, synthetic=finished.synthetic))
    out.print(f"run: {finished.path}")


def main() -> None:
    """Run `distill` as a script of its own."""
    app = typer.Typer(add_completion=False)
    app.command(help=distill_command.__doc__)(distill_command)
    run(app)
