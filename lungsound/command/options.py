"""Options that several commands share, each written once."""

from pathlib import Path
from typing import Annotated

import typer

from lungsound.listening import PROTOCOLS

Protocols = Annotated[
    list[str],
    typer.Option("--protocol", help=f"How sound is cut: {' or '.join(PROTOCOLS)}; may be repeated to mix both."),
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        help="Label to tell, of those that the corpora are annotated with; may be repeated. Else crackle and wheeze, "
        "or all that they share.",
    ),
]
Seconds = Annotated[float, typer.Option(help="Length of a window in seconds.")]
Hop = Annotated[float, typer.Option(help="Seconds from one window of a stream to the next.")]
DropShared = Annotated[
    bool,
    typer.Option("--drop-shared/--no-drop-shared", help="Leave the test recordings of training patients out."),
]
Validation = Annotated[float, typer.Option(help="Share of the training patients carved out for validation.")]
SplitSeed = Annotated[int, typer.Option(help="Seed of the validation split.")]
Seed = Annotated[int, typer.Option(help="Seed of everything else drawn at random.")]
Epochs = Annotated[int, typer.Option(min=1, help="Passes over the training windows.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Windows a step.")]
LearningRate = Annotated[float, typer.Option("--learning-rate", help="Highest learning rate.")]
FromRun = Annotated[
    Path | None,
    typer.Option("--from-run", help="Start from the weights of this finished run; its network is trained on."),
]
Watch = Annotated[
    str,
    typer.Option(
        "--watch",
        help="Figure that chooses the epoch: val_auroc, val_auroc_LABEL, val_loss or a training loss.",
    ),
]
Runs = Annotated[Path, typer.Option("--runs", help="Folder that holds the runs.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout instead of text.")]
