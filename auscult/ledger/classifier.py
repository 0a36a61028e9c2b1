"""What can be scored: a run in float, or a bundle by one of the ways that it runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError
from lungsound.files.cache import cache_folder
from lungsound.listening import Listening
from lungsound.terminal import err
from lungsound.training.runs import RUN_FILE, Run

if TYPE_CHECKING:  # pandas takes a second to import, which help and completion need not wait for
    import pandas as pd

    from lungsound.corpora.selection import Selection


Validated = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Truth and logits of validation windows, each [N, labels]."""


class Classifier(Protocol):
    """What can be scored; `int8` where its rounding is a choice.

    Attributes
    ----------
    name : str
        For people, and for files.
    listening : Listening
        Its input and labels.
    thresholds : tuple of float
        Logits in force.
    split_hash : str
        Of the split that it was trained with.
    protocols : tuple of str
        On which it was trained and validated.
    """

    name: str
    int8: bool
    listening: Listening
    thresholds: tuple[float, ...]
    split_hash: str
    protocols: tuple[str, ...]

    def decide(self, windows: "pd.DataFrame") -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return logits [N, labels] and decisions [N, labels] for every window."""
        ...

    def validated(self) -> "Validated | None":
        """Return what was stored of its validation windows; None where nothing was."""
        ...


class FloatRun:
    """A trained student or teacher in float."""

    int8 = False

    def __init__(self, run: Run) -> None:
        self.name = f"{run.kind}, float"
        self.listening = run.listening
        self.thresholds = run.decisive()
        self.split_hash = run.split["hash"]
        self.protocols = run.protocols
        self._run, self._weights = run, run.weights

    def decide(self, windows: "pd.DataFrame") -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """See :class:`Classifier`."""
        from lungsound.features import prepare
        from lungsound.training.window_dataset import predict

        logmel = self.listening.logmel
        forward, sound = self._forward()
        features = prepare(windows, logmel, self.listening.seconds, cache_folder(), sound=sound)
        logits = predict(forward, features, logmel)
        return logits, (logits >= np.asarray(self.thresholds)).astype(np.int64)

    def validated(self) -> Validated | None:
        """See :class:`Classifier`."""
        from lungsound.scores.evaluation import logit_columns
        from lungsound.scores.stored import read_validation

        table, labels = read_validation(self._run.path, self._run.validation_sha256), self.listening.labels
        if table is None:
            return None
        return table[list(labels)].to_numpy(np.int64), table[logit_columns(labels)].to_numpy(np.float64)

    def trained_on(self, data: Sequence[str]) -> "Selection | None":
        """Return the corpora that it was trained on, where they lie now (``name:root``); None if these are others."""
        from lungsound.training.data import DataOptions

        if [name.partition(":")[0] for name in data] != [name.partition(":")[0] for name in self._run.data]:
            return None
        selection = DataOptions.of_run(self._run, data).select()
        return selection if selection.hash == self.split_hash else None

    def epochs(self) -> "dict[int, FloatRun]":
        """Return the run as it was after each epoch, by number; none where the epochs were not kept."""
        from lungsound.training.epochs import kept_epochs

        found = {}
        for epoch, weights in kept_epochs(self._run.path).items():
            found[epoch] = FloatRun(self._run)
            found[epoch]._weights = weights
        return found

    def _forward(self) -> tuple[Any, bool]:
        """Return what gives logits, and whether it hears sound."""
        if self._run.kind == "student":
            from students.student import Student

            student = Student.load(self._run.model, self._weights).eval()
            return student, student.hears_sound
        from teachers.teacher import Teacher

        teacher = Teacher.load(self._run.model, self._weights).eval()
        return lambda x: teacher(x).logits, False


ENGINES = ("litert", "c")


def open_classifier(target: Path, rounding: str, engine: str = "litert") -> Classifier:
    """Open a run, or a bundle to be run with one rounding.

    Parameters
    ----------
    target : Path
        Folder of the run or bundle.
    rounding : {"single", "double"}
        Of an int8 bundle.
    engine : {"litert", "c"}
        What runs an int8 bundle: LiteRT, or the C that becomes of it, built for this computer.

    Raises
    ------
    InputError
        If the folder is neither, or an engine is asked for that cannot run it.
    """
    if engine not in ENGINES:
        raise InputError(f"--engine {engine}: choose {' or '.join(ENGINES)}")
    if (target / RUN_FILE).is_file():
        return FloatRun(Run.load(target))
    from auscult.float_bundle import FloatBundle
    from auscult.int8_bundle import Int8Bundle
    from export.bundle.manifest import MANIFEST_FILE
    from export.bundle.opening import Bundle

    if (target / MANIFEST_FILE).is_file():
        bundle = Bundle.open(target)
        if bundle.manifest.failed:
            err.print(f"note: {target} failed its gate: {bundle.manifest.failed}", style="yellow", markup=False)
        if engine == "c":
            from auscult.ledger.generated_c import GeneratedC

            return GeneratedC(target, rounding)
        return FloatBundle(bundle) if bundle.manifest.front_end else Int8Bundle(target, rounding)
    raise InputError(f"{target}: neither a run ({RUN_FILE}) nor a bundle ({MANIFEST_FILE}); name the folder of one")
