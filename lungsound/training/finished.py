"""The last step of a training: its weights and its ``run.json``."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from lungsound.corpora.selection import Selection
from lungsound.files.plain_json import dumps, loads
from lungsound.files.versions import versions
from lungsound.listening import Listening
from lungsound.training.runs import VALIDATION_FILE, WEIGHTS_FILE, Kind, Run
from lungsound.training.settings import Settings
from lungsound.training.weights import save_weights, sha256_of

_STORED_ELSEWHERE = ("data", "student", "teacher_run", "seed")


class Material(Protocol):
    """What was trained on."""

    @property
    def listening(self) -> Listening:
        """The network's input."""
        ...

    @property
    def selection(self) -> Selection:
        """The corpora and their split."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """See :class:`lungsound.training.runs.Run`."""
        ...


def finished_run(
    folder: Path,
    kind: Kind,
    network: nn.Module,
    settings: Settings,
    data: Material,
    *,
    model: dict[str, Any],
    teacher: dict[str, Any],
    thresholds: tuple[float, ...],
    validation: dict[str, Any],
    teachers: tuple[dict[str, str], ...] = (),
    flips: tuple[dict[str, Any], ...] | None = None,
) -> Run:
    """Write a trained network and what it is into its run folder.

    Predictions of the validation windows lie there already (:func:`lungsound.scores.stored.save_validation`).

    Parameters
    ----------
    folder : Path
        The run folder.
    kind : {"student", "teacher", "encoder"}
        What was trained.
    network : nn.Module
        With the weights of the best epoch.
    settings : Settings
        A dataclass of what the training was told.
    data : Material
        What it was trained on.
    model, teacher, thresholds, validation, teachers, flips
        See :class:`lungsound.training.runs.Run`.

    Returns
    -------
    Run
        Read back from disk.
    """
    save_weights(network, folder / WEIGHTS_FILE)
    told: dict[str, Any] = asdict(settings)  # type: ignore[call-overload]
    run = Run(
        path=folder,
        kind=kind,
        listening=data.listening,
        model=model,
        data=settings.data.data,
        synthetic=data.selection.synthetic,
        split=settings.data.split_record(data.selection),
        protocols=settings.data.protocols,
        seed=settings.seed,
        teacher=teacher,
        thresholds=thresholds,
        validation=loads(dumps(validation)),  # what is not defined becomes null
        options={"logmel": settings.data.logmel}
        | {name: value for name, value in told.items() if name not in _STORED_ELSEWHERE},
        versions=versions(),
        notes=data.notes,
        teachers=teachers,
        flips=flips,
        validation_sha256=sha256_of(stored) if (stored := folder / VALIDATION_FILE).is_file() else "",
    )
    run.save()
    return Run.load(folder)
