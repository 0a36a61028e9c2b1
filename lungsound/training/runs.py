"""Run folders: what was trained, on what, listening to what."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

from lungsound.errors import InputError
from lungsound.files.atomic import whole_file
from lungsound.files.plain_json import dumps
from lungsound.listening import Listening

RUN_FILE = "run.json"
WEIGHTS_FILE = "weights.safetensors"
FORMAT = 1

Kind = Literal["student", "teacher", "encoder"]
"""What was trained: a student, a teacher, or an encoder alone, by pre-training."""


@dataclass(frozen=True)
class Run:
    """A finished training, as ``run.json`` in its folder tells it.

    Attributes
    ----------
    path : Path
        The folder; the weights lie in `WEIGHTS_FILE` beside ``run.json``.
    kind : {"student", "teacher", "encoder"}
        What was trained; an encoder alone knows no labels.
    listening : Listening
        The model's input.
    model : dict
        The model's own configuration.
    data : tuple of str
        Corpora as ``name:root`` (``synthetic`` alone for the embedded one).
    synthetic : bool
        Whether any figure of this run must be called synthetic.
    split : dict
        ``name``, ``hash``, ``drop_shared``, ``validation`` (share of the patients) and ``seed``.
    protocols : tuple of str
        ``cycles``, ``stream`` or both.
    seed : int
        Of everything drawn at random in the training.
    teacher : dict
        ``name``, ``licence``, ``paper`` and where its weights come from; ``none`` where there was none.
    thresholds : tuple of float
        Logits per label at and above which the label is given; chosen on validation. Empty where a training chooses
        none, see :meth:`decisive`.
    validation : dict
        Figures on the validation split.
    options : dict
        The training's own settings (epochs, learning rate, loss weights...).
    versions : dict
        Of the packages that decide the numbers.
    """

    path: Path
    kind: Kind
    listening: Listening
    model: dict[str, Any]
    data: tuple[str, ...]
    synthetic: bool
    split: dict[str, Any]
    protocols: tuple[str, ...]
    seed: int
    teacher: dict[str, Any]
    thresholds: tuple[float, ...]
    validation: dict[str, Any]
    options: dict[str, Any]
    versions: dict[str, str]

    @property
    def weights(self) -> Path:
        """The file with the weights."""
        return self.path / WEIGHTS_FILE

    def decisive(self) -> tuple[float, ...]:
        """Return the thresholds.

        Raises
        ------
        InputError
            If the run has none, as that of an encoder alone.
        """
        if not self.thresholds:
            raise InputError(
                f"{self.path}: this {self.kind} has no thresholds, so it cannot decide; name another run, or train on "
                "labels from it (--from-run)"
            )
        return self.thresholds

    def save(self) -> None:
        """Write ``run.json``, the last step that makes the folder a run."""
        values = asdict(replace(self, path=Path())) | {"format": FORMAT}
        del values["path"]
        with whole_file(self.path / RUN_FILE) as temporary:
            temporary.write_text(dumps(values))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a run folder.

        Raises
        ------
        InputError
            If the folder holds no finished run, or ``run.json`` is damaged.
        """
        file = path / RUN_FILE
        if not file.is_file():
            raise InputError(f"{path}: no finished run here ({RUN_FILE} is missing); name the folder of a finished run")
        try:
            values = json.loads(file.read_text())
            if values.pop("format") != FORMAT:
                raise InputError(f"{file}: another format than {FORMAT}; train again with this version")
            values["listening"] = Listening.from_dict(values["listening"])
            for name in ("data", "protocols", "thresholds"):
                values[name] = tuple(values[name])
            run = cls(path=path, **values)
        except (AttributeError, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise InputError(f"{file}: damaged ({error}); train again or restore the file") from error
        if not run.weights.is_file():
            raise InputError(f"{run.weights}: missing; restore it or train again")
        return run


def newest_run(folder: Path, kind: Kind) -> Run:
    """Return the run of `kind` in `folder` that was finished last.

    Raises
    ------
    InputError
        If there is none.
    """
    finished = sorted(folder.glob(f"*/{RUN_FILE}"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in finished:
        run = Run.load(file.parent)
        if run.kind == kind:
            return run
    raise InputError(f"{folder}: no finished {kind} run here; train one first or name a run folder")


def new_run_folder(folder: Path, name: str) -> Path:
    """Return a folder for a new run, `name` and the time of day; it does not exist yet."""
    return folder / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
