"""Run folders: what was trained, on what, listening to what."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from lungsound.errors import InputError
from lungsound.files.lock import LOCK_FILE, held
from lungsound.files.record import Keys, check_values, read_object, read_values, write_object
from lungsound.listening import Listening
from lungsound.training.settings import SEED, VALIDATION

RUN_FILE = "run.json"
WEIGHTS_FILE = "weights.safetensors"
VALIDATION_FILE = "validation.csv.gz"
"""What the best epoch says of every validation window; runs of before have none."""
SEEDS_FILE = "seeds.json"
"""Of a folder that holds a run for each of several seeds: how far their figures vary."""

_SEED = "seed-"
FORMAT = 1

Kind = Literal["student", "teacher", "encoder"]
"""What was trained: a student, a teacher, or an encoder alone, by pre-training."""


_CREDIT = Keys({"name": str, "licence": str, "paper": str})
_SPLIT = Keys({"name": str, "hash": str, "drop_shared": bool, "validation": Annotated[float, VALIDATION], "seed": int})


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
        ``name``, ``licence``, ``paper`` and where its weights come from; ``none`` where there was none. Of several
        teachers all of these, one after the other.
    thresholds : tuple of float
        Logits per label at and above which the label is given; chosen on validation. Empty where a training chooses
        none, see :meth:`decisive`.
    validation : dict
        Figures on the validation split.
    options : dict
        The training's own settings (epochs, learning rate, loss weights...).
    versions : dict
        Of the packages that decide the numbers.
    notes : tuple of str
        Why epoch and thresholds may mean less than they seem to, a sentence each.
    teachers : tuple of dict
        Where several taught together, what `teacher` would tell of each.
    flips : tuple of dict or None
        Validation windows that the teacher has right and the student loses, see :func:`lungsound.scores.flips.flips`;
        None where none taught these labels.
    validation_sha256 : str
        Of `VALIDATION_FILE`; "" where there is none.
    """

    path: Path
    kind: Kind
    listening: Listening
    model: dict[str, Any]
    data: tuple[str, ...]
    synthetic: bool
    split: Annotated[dict[str, Any], _SPLIT]
    protocols: tuple[str, ...]
    seed: Annotated[int, SEED]
    teacher: Annotated[dict[str, str], _CREDIT]
    thresholds: tuple[float, ...]
    validation: dict[str, dict[str, float | None] | float | None]
    options: Annotated[dict[str, Any], Keys({"logmel": str})]
    versions: dict[str, str]
    notes: tuple[str, ...] = ()
    teachers: tuple[Annotated[dict[str, str], _CREDIT], ...] = ()
    flips: tuple[dict[str, Any], ...] | None = None
    validation_sha256: str = ""

    LATER: ClassVar = ("notes", "teachers", "flips", "validation_sha256")

    def __post_init__(self) -> None:
        check_values(self)

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
        values = asdict(replace(self, path=Path())) | {"listening": self.listening.to_dict(), "format": FORMAT}
        del values["path"]
        write_object(self.path / RUN_FILE, values)

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
            if several := seed_folders(path):
                raise InputError(f"{path}: a run for each of {len(several)} seeds; name one, such as {several[0]}")
            raise InputError(f"{path}: no finished run here ({RUN_FILE} is missing); name the folder of a finished run")
        try:
            values = read_object(file)
            if values.pop("format", None) != FORMAT:
                raise InputError(f"another format than {FORMAT}")
            run = read_values(cls, values, path=path)
            if len(run.thresholds) not in (0, len(run.listening.labels)):
                raise InputError(f"{len(run.thresholds)} thresholds for {len(run.listening.labels)} labels")
        except InputError as error:
            raise InputError(f"{file}: damaged ({error}); train again or restore the file") from error
        if not run.weights.is_file():
            raise InputError(f"{run.weights}: missing; restore it or train again")
        return run


def seed_folder(folder: Path, seed: int) -> Path:
    """Return the run folder of a seed in a folder that holds those of several."""
    return folder / f"{_SEED}{seed}"


def seed_folders(folder: Path) -> list[Path]:
    """Return the run folders of seeds in a folder, in the order of the seeds; none where it does not hold several."""
    found = [path for path in folder.glob(f"{_SEED}*") if path.name.removeprefix(_SEED).isdecimal() and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name.removeprefix(_SEED)))


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


@contextmanager
def new_run_folder(folder: Path, name: str) -> Iterator[Path]:
    """Make a folder for a new run, and nobody else's: `name`, the time of day, and a number where that is taken.

    Where nothing was written into it, it goes again if the block fails, and what was made above it.

    Raises
    ------
    InputError
        If it cannot be made.
    """
    began = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    with _leaving_none_empty(folder):
        place = _first_free([folder / f"{began}{suffix}" for suffix in ("", *(f"-{n}" for n in range(2, 1000)))])
        try:
            yield place
        except BaseException:
            with suppress(OSError):
                place.rmdir()
            raise


def _first_free(places: list[Path]) -> Path:
    try:
        for place in places:
            with suppress(FileExistsError):
                place.mkdir(parents=True)
                return place
    except OSError as error:
        above = places[0].parent
        raise InputError(f"{above}: cannot be written ({error.strerror}); name another folder with --runs") from error
    raise InputError(f"{places[0]}: a thousand runs began in this second; begin fewer")


@contextmanager
def in_use(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a run folder for one training; if the block fails, the lock goes where nothing else was written.

    So do the folder and those above it, as far as they were not there before.

    Raises
    ------
    InputError
        If another process trains there, unless it is waited for, or the folder cannot be locked.
    """
    with _leaving_none_empty(folder), held(folder / LOCK_FILE, wait=wait):
        try:
            yield
        except BaseException:
            with suppress(OSError):
                if [path.name for path in folder.iterdir()] == [LOCK_FILE]:
                    (folder / LOCK_FILE).unlink()
            raise


@contextmanager
def _leaving_none_empty(folder: Path) -> Iterator[None]:
    """Remove a folder and those above it if the block fails, as far as they were not there before and are empty."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for path in new:
                path.rmdir()
        raise
