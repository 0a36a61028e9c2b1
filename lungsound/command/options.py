"""Options that several commands share, each written once."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lungsound.files.record import Range
from lungsound.listening import PROTOCOLS
from lungsound.training.settings import BATCH_SIZE, EPOCHS, LEARNING_RATE, MASK, PROBABILITY, SECONDS, SEED, VALIDATION


def number(within: Range, help: str, *names: str) -> Any:
    """Return an option for a finite number of a range.

    Parameters
    ----------
    within : Range
        What it may be; not a number is never within.
    help : str
        A sentence.
    *names : str
        As a user writes it; else the parameter's own.
    """
    return typer.Option(*names, min=within.least, max=within.most, help=help)


WIDTH = Range(1 / 64, 4)
"""See :class:`students.student.StudentConfig`, which is not there before torch."""

Width = Annotated[float, number(WIDTH, "Width multiplier of the student's trunk; 1 is the published network.")]
DEPTH = Range(1, 99)
"""A family says which of these it has."""
Depth = Annotated[
    int | None, number(DEPTH, "Blocks of the trunk, of a family that is sized by depth: of stream, 4 to 12.")
]
Head = Annotated[str, typer.Option(help="csra: attention; linear: the mean over positions; mlp: and a hidden layer.")]
Heads = Annotated[int, typer.Option(help="Heads of the CSRA attention: 1, 2, 4, 6 or 8.")]
LogMel = Annotated[str, typer.Option(help="Log-mel specification of the student.")]
FrontEnd = Annotated[
    str,
    typer.Option(
        help="logmel; leaf-logtbn or leaf-pcen: EfficientLEAF, learnt with the student, begins at the rate, "
        "window, hop and bands of --logmel. It exports to float ONNX alone."
    ),
]
Normalisation = Annotated[
    str,
    typer.Option(metavar="corpus|recording", help="recording: each mel band first loses its mean over what was heard."),
]
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
Seconds = Annotated[float, number(SECONDS, "Length of a window in seconds.")]
Hop = Annotated[float, number(SECONDS, "Seconds from one window of a stream to the next.")]
DropShared = Annotated[
    bool,
    typer.Option("--drop-shared/--no-drop-shared", help="Leave the test recordings of training patients out."),
]
Validation = Annotated[float, number(VALIDATION, "Share of the training patients carved out for validation.")]
SplitSeed = Annotated[int, number(SEED, "Seed of the validation split.")]
Seed = Annotated[int, number(SEED, "Seed of everything else drawn at random.")]
Epochs = Annotated[int, number(EPOCHS, "Passes over the training windows.")]
BatchSize = Annotated[int, number(BATCH_SIZE, "Windows a step.")]
LearningRate = Annotated[float, number(LEARNING_RATE, "Highest learning rate.", "--learning-rate")]
FromRun = Annotated[
    Path | None,
    typer.Option("--from-run", help="Start from the weights of this finished run; its network is trained on."),
]
FrequencyMask = Annotated[int, number(MASK, "Largest width in mels of SpecAugment's two masks over mels.")]
TimeMask = Annotated[int, number(MASK, "Largest width in frames of SpecAugment's two masks over frames.")]
MaskProbability = Annotated[
    float, number(PROBABILITY, "Of masking a batch of windows at all; 0.8413 in the code for ICBHI 2017.")
]
Watch = Annotated[
    str,
    typer.Option(
        "--watch",
        help="Figure that chooses the epoch: val_auroc, val_auroc_LABEL, val_loss or a training loss.",
    ),
]
Aim = Annotated[
    str,
    typer.Option(
        "--aim",
        metavar="score|sensitivity=X|alarms=Y",
        help="What thresholds are chosen for on validation: the best Score; the same as far as no label's sensitivity "
        "is below X; the same as far as false alarms on a stream are not above Y an hour.",
    ),
]
Runs = Annotated[Path, typer.Option("--runs", help="Folder that holds the runs.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout instead of text.")]
