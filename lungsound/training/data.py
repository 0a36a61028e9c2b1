"""What every training starts from: windows of the training and validation parts with their features."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lungsound.corpora.registry import absolute_data, moved
from lungsound.errors import InputError
from lungsound.features import prepare, statistics
from lungsound.files.record import check_values
from lungsound.labels import LABELS, checked_labels
from lungsound.listening import Listening, check_protocols
from lungsound.logmel import SPECS, Normalisation
from lungsound.terminal import err
from lungsound.training.runs import Run
from lungsound.training.settings import SECONDS, SEED, VALIDATION

if TYPE_CHECKING:  # help and completion need not wait for pandas
    import pandas as pd

    from lungsound.corpora.selection import Selection


@dataclass(frozen=True)
class DataOptions:
    """Which sound to train on, and how it is cut.

    Attributes
    ----------
    data : tuple of str
        Corpora as ``name:root``; roots become absolute, so that they are found from every folder.
    protocols : tuple of str
        ``cycles``, ``stream`` or both.
    logmel : str
        Name of a log-mel specification.
    normalisation : {"corpus", "recording"}
        Whether each band first loses its mean over the recording (:mod:`lungsound.recording_mean`).
    seconds, hop_seconds : float
        Window, and from one window of a stream to the next (rounded to whole log-mel frames).
    drop_shared : bool
        Leave test recordings of training patients out of the test.
    validation : float
        Share of the training patients carved out for validation.
    split_seed : int
        Of that draw.
    labels : tuple of str
        Those of the corpora's labels that count, in the order of the model's outputs.
    """

    data: tuple[str, ...] = ("synthetic",)
    protocols: tuple[str, ...] = ("cycles", "stream")
    logmel: str = "device_4k"
    seconds: Annotated[float, SECONDS] = 4.0
    hop_seconds: Annotated[float, SECONDS] = 2.0
    drop_shared: bool = False
    validation: Annotated[float, VALIDATION] = 0.2
    split_seed: Annotated[int, SEED] = 0
    labels: tuple[str, ...] = LABELS
    normalisation: Normalisation = "corpus"

    LATER: ClassVar = ("labels", "normalisation")

    def __post_init__(self) -> None:
        check_values(self)
        object.__setattr__(self, "data", tuple(map(absolute_data, self.data)))
        check_protocols(self.protocols)
        checked_labels(self.labels)
        self.listening()  # refuses a window that cannot be before anything is read or trained

    def listening(self) -> Listening:
        """Return the model's input before the corpus' statistics are known.

        Raises
        ------
        InputError
            If the specification's name is unknown, or its frames know no recording.
        """
        if self.logmel not in SPECS:
            raise InputError(f"log-mel {self.logmel!r}: unknown; choose from {', '.join(SPECS)}")
        logmel = replace(SPECS[self.logmel], normalisation=self.normalisation)
        return Listening.with_whole_hop(logmel, self.seconds, self.hop_seconds, self.labels)

    def select(self) -> "Selection":
        """Open the corpora and split them."""
        from lungsound.corpora.selection import Selection

        return Selection.open(self.data, drop_shared=self.drop_shared, validation=self.validation, seed=self.split_seed)

    @classmethod
    def of_run(cls, run: Run, data: Sequence[str] = ()) -> Self:
        """Return the options a finished run was trained with.

        Parameters
        ----------
        run : Run
            As loaded.
        data : sequence of str
            Where its corpora lie now, as ``name:root``; where they lay, if there is none.

        Raises
        ------
        InputError
            If these are other corpora than the run's.
        """
        return cls(
            data=moved(run.data, data, run.path),
            protocols=run.protocols,
            logmel=run.options["logmel"],
            seconds=run.listening.seconds,
            hop_seconds=run.listening.hop_seconds,
            drop_shared=run.split["drop_shared"],
            validation=run.split["validation"],
            split_seed=run.split["seed"],
            labels=run.listening.labels,
            normalisation=run.listening.logmel.normalisation,
        )

    def moved_to(self, data: Sequence[str], owner: Path) -> Self:
        """Return the options with the corpora where they lie now; see :func:`lungsound.corpora.registry.moved`."""
        return replace(self, data=moved(self.data, data, owner))

    def split_record(self, selection: "Selection") -> dict[str, Any]:
        """Return what a run stores of its split."""
        return {
            "name": "+".join(split.name for split in selection.splits),
            "hash": selection.hash,
            "drop_shared": self.drop_shared,
            "validation": self.validation,
            "seed": self.split_seed,
        }


@dataclass(frozen=True)
class Part:
    """Windows of one part of a split.

    Attributes
    ----------
    windows : DataFrame
        Columns `lungsound.windows.WINDOW_COLUMNS` and the labels.
    features : ndarray of float32, shape [N, frames, n_mels] or [N, samples]
        Their log-mels before normalisation, or their sound.
    labels : ndarray of int64, shape [N, labels]
        0 or 1, in the order of the model's outputs.
    """

    windows: "pd.DataFrame"
    features: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class TrainingData:
    """Training and validation windows, the model's input with the training part's statistics, and what a run tells."""

    listening: Listening
    selection: "Selection"
    train: Part
    validation: Part
    notes: tuple[str, ...] = ()


def prepare_training(options: DataOptions, cache: Path, *, sound: bool = False) -> TrainingData:
    """Read, cut and transform everything a training needs; mean and deviation come from its training part.

    With `sound` the network hears samples (:func:`lungsound.features.prepare`), and nothing is normalised.
    """
    listening, selection = options.listening(), options.select()
    for warning in selection.warnings:
        err.print(f"note: {warning}", style="yellow", markup=False)

    def part(name: str) -> Part:
        windows = selection.windows(name, options.protocols, listening)
        labels = windows[list(listening.labels)].to_numpy(np.int64)
        features = prepare(windows, listening.logmel, listening.seconds, cache, sound=sound)
        return Part(windows, features, labels)

    train, validation = part("train"), part("validation")
    notes = [
        *_constant_labels(listening.labels, train.labels, "train", "it cannot be learnt"),
        *_constant_labels(
            listening.labels,
            validation.labels,
            "validation",
            "no say in the epoch, and 0 for a threshold",
        ),
    ]
    for note in notes:
        err.print(f"note: {note}", style="yellow", highlight=False, markup=False)
    mean, std = (0.0, 1.0) if sound else statistics(train.features)
    measured = replace(listening, logmel=listening.logmel.with_statistics(mean, std))
    return TrainingData(measured, selection, train, validation, tuple(notes))


def _constant_labels(labels: tuple[str, ...], values: NDArray[np.int64], part: str, so: str) -> list[str]:
    """Return a sentence for every label that all windows of a part have, or none of them."""
    return [
        f"{'every' if share else 'no'} window of the {part} part has {label}: {so}"
        for label, share in zip(labels, values.mean(axis=0), strict=True)
        if share in (0, 1)
    ]
