"""What a teacher's training is told, and what is usual where nobody says."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from lungsound.errors import InputError
from lungsound.files.record import Range, check_values
from lungsound.scores.aims import BEST_SCORE, Aim
from lungsound.training.data import DataOptions
from lungsound.training.runs import Run
from lungsound.training.settings import (
    AUROC,
    BATCH_SIZE,
    EPOCHS,
    LEARNING_RATE,
    MASK,
    PROBABILITY,
    SEED,
    WEIGHT,
    Optimizer,
    Schedule,
    make_absolute,
)

Layers = tuple[Annotated[int, Range(1, 1000)], ...] | Literal["all", "last"]
Pooling = Literal["frames", "tokens", "mean", "clip"]

Loss = Literal["labels", "classes", "weighted-classes"]
"""Binary cross-entropy on each label; cross-entropy on their combinations; the same, the rare ones weighted more."""

SEEDS = Range(1, 1000)
"""Trainings that differ in their seed alone."""

PUBLISHED = "published"
FROM_SCRATCH_RATE, PRETRAINED_RATE = 1e-3, 1e-4
"""Highest learning rates; the second one is the fusion paper's."""


@dataclass(frozen=True)
class FinetuneSettings:
    """Everything a teacher's training is told.

    Attributes
    ----------
    teacher : str
        Name of an encoder or of a card.
    size : str
        What the encoder calls a size (`tiny`, `0.25`) from scratch, `published` from the card's weights.
    weights : str, optional
        A published checkpoint on disk; taken instead of a download.
    layers : tuple of int, "all" or "last"
        Fused layers, counted from 1.
    learnable : bool
        Train a weight for each fused layer.
    pooling : {"frames", "tokens", "mean", "clip"}
        The readings of the fusion paper, PANNs' own and M2D's own.
    data : DataOptions
        Which sound.
    epochs, batch_size : int
        Length of the training, windows a step.
    learning_rate : float
        The highest.
    seed : int
        Of the first weights, the order of windows and the masks.
    from_run : str, optional
        Folder of a finished run whose weights this training starts from; `teacher`, `size` and `weights` do not
        count then.
    freeze : bool
        Train the fusion and the head alone.
    loss : {"labels", "classes", "weighted-classes"}
        On what, see :mod:`teachers.classes`.
    optimizer, schedule, weight_decay
        See :class:`lungsound.training.optimisation.Optimisation`.
    frequency_mask, time_mask, mask_probability
        See :class:`teachers.finetune.SpecAugment`.
    seeds : int
        Trainings, with `seed` and those that follow it; see :mod:`teachers.seeds`.
    watch : str
        The logged figure that chooses the epoch.
    aim : str
        What thresholds are chosen for, see :class:`lungsound.scores.aims.Aim`.
    recipe : dict, optional
        Name and sha256 of the recipe that was followed; what the command line said otherwise stands in the rest.
    """

    teacher: str = "m2dx"
    size: str = "tiny"
    weights: str | None = None
    layers: Layers = "all"
    learnable: bool = True
    pooling: Pooling = "frames"
    data: DataOptions = field(default_factory=DataOptions)
    epochs: Annotated[int, EPOCHS] = 20
    batch_size: Annotated[int, BATCH_SIZE] = 16
    learning_rate: Annotated[float, LEARNING_RATE] = FROM_SCRATCH_RATE
    seed: Annotated[int, SEED] = 0
    from_run: str | None = None
    freeze: bool = False
    watch: str = AUROC
    aim: str = BEST_SCORE
    recipe: dict[str, str] | None = None
    loss: Loss = "labels"
    optimizer: Optimizer = "adamw"
    schedule: Schedule = "warm-up"
    weight_decay: Annotated[float, WEIGHT] = 0.05
    frequency_mask: Annotated[int, MASK] = 10
    time_mask: Annotated[int, MASK] = 40
    mask_probability: Annotated[float, PROBABILITY] = 1.0
    seeds: Annotated[int, SEEDS] = 1

    command: ClassVar = "finetune"
    CHOICES: ClassVar = (
        *("loss", "optimizer", "schedule", "weight_decay", "frequency_mask", "time_mask", "mask_probability", "seeds"),
    )
    """How a training is done that was once done in one way: what is usual now."""
    LATER: ClassVar = ("from_run", "freeze", "watch", "aim", "recipe", *CHOICES)

    def __post_init__(self) -> None:
        check_values(self)
        Aim.parse(self.aim)
        make_absolute(self, "weights", "from_run")
        if self.all_seeds[-1] > SEED.most:
            raise InputError(
                f"{self.seeds} seeds from {self.seed} on: {SEED.most} is the last; begin with a smaller one"
            )

    @property
    def all_seeds(self) -> range:
        """The seeds of its trainings."""
        return range(self.seed, self.seed + self.seeds)

    @property
    def from_scratch(self) -> bool:
        """Whether no pre-trained weights are taken."""
        return self.from_run is None and self.weights is None and self.size != PUBLISHED


def usual_size(teacher: str) -> str:
    """Return what is trained from scratch when nobody says a size."""
    from teachers.encoder import find

    return find(teacher)[0].usual_size


def usual_logmel(teacher: str, size: str, weights: Path | None, from_run: Path | None = None) -> str:
    """Return the log-mel a teacher listens to: what its weights expect; from scratch, a device's."""
    if from_run is not None:
        return str(Run.load(from_run).options["logmel"])
    if weights is None and size != PUBLISHED:
        return DataOptions().logmel
    from teachers.encoder import card_of

    return card_of(teacher).logmel


def usual_learning_rate(size: str, weights: Path | None, from_run: Path | None = None) -> float:
    """Return the learning rate that suits a teacher from scratch or from pre-trained weights."""
    from_scratch = weights is None and from_run is None and size != PUBLISHED
    return FROM_SCRATCH_RATE if from_scratch else PRETRAINED_RATE
