"""What a training hears where nobody says it: the same as the run that it goes on from, or as its teacher's."""

from pathlib import Path

import typer

from lungsound.command.usage import is_given
from lungsound.training.runs import Run


def logmel_of(context: typer.Context, logmel: str, from_run: Path | None) -> str:
    """Return the log-mel that was asked for; where nobody did, that of the run that is trained on."""
    if from_run is None or is_given(context, "logmel"):
        return logmel
    return str(Run.load(from_run).options["logmel"])


def normalisation_of(context: typer.Context, asked: str, from_run: Path | None) -> str:
    """Return the normalisation that was asked for; where nobody did, that of the run that is trained on."""
    if from_run is None or is_given(context, "normalisation"):
        return asked
    return Run.load(from_run).listening.logmel.normalisation


def labels_of(asked: list[str] | None, data: list[str], run: Path | None) -> tuple[str, ...]:
    """Return the labels that were asked for; where nobody did, the teacher's or first run's, or the usual."""
    from lungsound.corpora.selection import usual_labels  # readers of corpora, which help need not wait for

    if asked:
        return tuple(asked)
    return Run.load(run).listening.labels if run else usual_labels(data)
