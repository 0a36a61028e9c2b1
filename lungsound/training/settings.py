"""settings.json: what a training was told, kept from its start so that it can go on after a kill."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeVar

from lungsound.errors import InputError
from lungsound.files.record import Range, read_object, read_values, write_object
from lungsound.terminal import err

if TYPE_CHECKING:  # boards, which know these ranges too, have no pandas
    from lungsound.training.data import DataOptions

SETTINGS_FILE = "settings.json"

AUROC = "val_auroc"
"""The figure that chooses the epoch when nobody says: the mean over the labels for which it is defined."""

Optimizer = Literal["adamw", "adam"]
"""AdamW, whose decay is its own and leaves vectors and scalars alone; Adam, whose decay is an L2 penalty on all."""

Schedule = Literal["warm-up", "cosine", "cosine-40"]
"""See :meth:`lungsound.training.optimisation.Optimisation.share`."""

SEED = Range(0, 2**32 - 1)
VALIDATION = Range(0.05, 0.5)
"""Share of the training patients."""
SECONDS = Range(0.01, 600)
"""Of a window, and from one to the next."""
EPOCHS = Range(1, 100_000)
BATCH_SIZE = Range(1, 65_536)
LEARNING_RATE = Range(1e-9, 10)
WEIGHT = Range(0, 1000)
"""Of a loss, and of the decay of weights."""
TEMPERATURE = Range(0.01, 1000)
GAIN = Range(0, 60)
"""Standard deviation in dB."""
MASK = Range(0, 10_000)
"""Mels or frames."""
PROBABILITY = Range(0, 1)


class Settings(Protocol):
    """What every training is told, a dataclass."""

    command: ClassVar[str]
    """Which starts such a training, and goes on with it."""

    @property
    def data(self) -> "DataOptions":
        """Which sound."""
        ...

    @property
    def seed(self) -> int:
        """Of everything drawn at random."""
        ...


S = TypeVar("S", bound=Settings)


def make_absolute(settings: Settings, *names: str) -> None:
    """Make paths of frozen settings absolute, so that they are found from every folder; for their ``__post_init__``."""
    for name in names:
        given = getattr(settings, name)
        if isinstance(given, tuple):
            object.__setattr__(settings, name, tuple(map(_absolute, given)))
        elif given is not None:
            object.__setattr__(settings, name, _absolute(given))


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def save_settings(settings: Settings, folder: Path, split_hash: str) -> None:
    """Write the settings of a training into its run folder, or hold them against those that it began with.

    Parameters
    ----------
    settings : Settings
        What the training is told.
    folder : Path
        The run folder.
    split_hash : str
        Of the corpora as they are read now, see :attr:`lungsound.corpora.selection.Selection.hash`.

    Raises
    ------
    InputError
        If another training began there, or this one with recordings that are not those of today.
    """
    file = folder / SETTINGS_FILE
    if file.exists():
        began = load_settings(folder, type(settings))
        if replace(began, data=replace(began.data, data=settings.data.data)) != settings:  # type: ignore[type-var]
            raise InputError(f"{folder}: another training began here; name another folder")
        stored = read_object(file).get("split_hash")
        if stored is None:
            err.print(f"note: {file} is of before and does not tell its recordings; they are taken as they are now")
        elif stored != split_hash:
            raise InputError(
                f"{folder}: its corpora or their split are not those that it began with; restore them, say with --data "
                "where they lie now, or start a new run"
            )
    values = {"command": settings.command, "split_hash": split_hash} | asdict(settings)  # type: ignore[call-overload]
    told = {name: value.to_dict() for name, value in vars(settings).items() if hasattr(value, "to_dict")}
    write_object(file, values | told)


def load_settings(folder: Path, kind: type[S]) -> S:
    """Read the settings of an interrupted training.

    Parameters
    ----------
    folder : Path
        The run folder.
    kind : type
        The dataclass of settings.

    Raises
    ------
    InputError
        If the folder has none, another command wrote them, or a value does not fit.
    """
    file = folder / SETTINGS_FILE
    if not file.is_file():
        raise InputError(f"{folder}: no settings to resume from ({SETTINGS_FILE} is missing); name a training's folder")
    try:
        values = read_object(file)
        command = values.pop("command", kind.command)
        values.pop("split_hash", None)
        settings = read_values(kind, values) if command == kind.command else None
    except InputError as error:
        raise InputError(
            f"{file}: no settings to resume from ({error}); name the folder of a training that {kind.command} began"
        ) from error
    if settings is None:
        raise InputError(f"{folder}: begun by {str(command)[:20]}; resume it with that command, not {kind.command}")
    return settings
