"""What a distillation is told."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from distill.losses import LossWeights
from lungsound.files.record import check_values
from lungsound.scores.aims import BEST_SCORE, Aim
from lungsound.training.data import DataOptions
from lungsound.training.settings import (
    AUROC,
    BATCH_SIZE,
    EPOCHS,
    GAIN,
    LEARNING_RATE,
    MASK,
    SEED,
    WEIGHT,
    make_absolute,
)
from students.student import StudentConfig


@dataclass(frozen=True)
class DistillSettings:
    """Everything a distillation is told.

    Attributes
    ----------
    teacher_run : str or tuple of str, optional
        Folder of a finished run of a teacher, or of another student; its training split should be the student's.
        Several teach together, see :func:`distill.taught.mean_logits`. It may be missing, and does not count, where
        neither of the teacher's losses has a weight.
    data : DataOptions
        Which sound.
    student : StudentConfig
        Which student.
    losses : LossWeights
        What counts.
    epochs, batch_size : int
        Length of the training, windows a step.
    learning_rate, weight_decay : float
        AdamW's.
    gain : float
        Standard deviation in dB of the loudness that windows are played at.
    frequency_mask, time_mask : int
        Largest width of the two masks a window gets on each axis, in mels and frames; a crackle is as short as one
        frame, so wide masks hide what the label says.
    seed : int
        Of the student's first weights, the order of windows and the masks.
    from_run : str, optional
        Folder of a finished run of the same student, whose weights this training starts from.
    student_weights : str, optional
        Published checkpoint of the student's trunk, which this training starts from.
    student_weights_sha256 : str, optional
        Of that file as the training began with it; a resumed one takes no other.
    watch : str
        The logged figure that chooses the epoch.
    aim : str
        What thresholds are chosen for, see :class:`lungsound.scores.aims.Aim`.
    recipe : dict, optional
        Name and sha256 of the recipe that was followed; what the command line said otherwise stands in the rest.
    budget : dict, optional
        The device that the student's width and depth were chosen for, what it can spare, and what was planned.
    """

    teacher_run: tuple[str, ...] | str | None
    data: DataOptions = field(default_factory=DataOptions)
    student: StudentConfig = field(default_factory=StudentConfig)
    losses: LossWeights = field(default_factory=LossWeights)
    epochs: Annotated[int, EPOCHS] = 30
    batch_size: Annotated[int, BATCH_SIZE] = 32
    learning_rate: Annotated[float, LEARNING_RATE] = 2e-3
    weight_decay: Annotated[float, WEIGHT] = 1e-2
    gain: Annotated[float, GAIN] = 4.0
    frequency_mask: Annotated[int, MASK] = 4
    time_mask: Annotated[int, MASK] = 2
    seed: Annotated[int, SEED] = 0
    from_run: str | None = None
    student_weights: str | None = None
    student_weights_sha256: str | None = None
    watch: str = AUROC
    aim: str = BEST_SCORE
    recipe: dict[str, str] | None = None
    budget: dict[str, Any] | None = None

    command: ClassVar = "distill"
    LATER: ClassVar = ("from_run", "student_weights", "student_weights_sha256", "watch", "aim", "recipe", "budget")

    def __post_init__(self) -> None:
        check_values(self)
        Aim.parse(self.aim)
        make_absolute(self, "teacher_run", "from_run", "student_weights")
        if isinstance(self.teacher_run, tuple) and len(self.teacher_run) < 2:  # as it was when there could be but one
            object.__setattr__(self, "teacher_run", self.teacher_run[0] if self.teacher_run else None)

    @property
    def teacher_runs(self) -> tuple[str, ...]:
        """Folders of the runs that teach, as many as there are."""
        if self.teacher_run is None:
            return ()
        return (self.teacher_run,) if isinstance(self.teacher_run, str) else self.teacher_run
