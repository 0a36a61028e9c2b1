"""The last step of a training: its weights and its ``run.json``."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from lungsound.files.plain_json import dumps, loads
from lungsound.files.versions import versions
from lungsound.training.data import TrainingData
from lungsound.training.runs import WEIGHTS_FILE, Kind, Run
from lungsound.training.settings import Settings

_STORED_ELSEWHERE = ("data", "student", "teacher_run", "seed")


class Network(Protocol):
    """What was trained."""

    @property
    def config(self) -> Any:
        """A configuration with a ``to_dict``."""
        ...

    def save_weights(self, path: Path) -> None:
        """Write the weights as safetensors."""
        ...


def finished_run(
    folder: Path,
    kind: Kind,
    network: Network,
    settings: Settings,
    data: TrainingData,
    *,
    teacher: dict[str, Any],
    thresholds: tuple[float, ...],
    validation: dict[str, Any],
) -> Run:
    """Write a trained network and what it is into its run folder.

    Parameters
    ----------
    folder : Path
        The run folder.
    kind : {"student", "teacher", "encoder"}
        What was trained.
    network : Network
        With the weights of the best epoch.
    settings : Settings
        A dataclass of what the training was told.
    data : TrainingData
        What it was trained on; its listening is the network's.
    teacher, thresholds, validation
        See :class:`lungsound.training.runs.Run`.

    Returns
    -------
    Run
        Read back from disk.
    """
    network.save_weights(folder / WEIGHTS_FILE)
    told: dict[str, Any] = asdict(settings)  # type: ignore[call-overload]
    run = Run(
        path=folder,
        kind=kind,
        listening=data.listening,
        model=network.config.to_dict(),
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
    )
    run.save()
    return Run.load(folder)
