"""What a pre-training is told."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from lungsound.corpora.registry import absolute_data
from lungsound.errors import InputError
from lungsound.files.record import Range, check_values
from lungsound.logmel import SPECS
from lungsound.training.data import DataOptions
from lungsound.training.settings import BATCH_SIZE, EPOCHS, LEARNING_RATE, SEED, WEIGHT, make_absolute

Size = Literal["tiny", "small", "base", "large"]
Variant = Literal["m2d", "all-patches", "mae"]
Offline = Literal["none", "labels", "teacher", "source"]
"""What the offline branch of M2D-X predicts: nothing, the clips' labels (M2D-AS), a frozen encoder's features, or
those of the weights that the pre-training starts from."""

Routing = Literal["paper", "code"]
"""Where noise goes: to M2D, the offline target hears clean sound (M2D-X's paper); or the other way round (its code)."""

Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed"]
Strategy = Literal["auto", "ddp", "fsdp"]

RATIO = Range(0.05, 0.95)
SHARE = Range(0, 1)
FRAMES = Range(1, 100_000)
PATCH = Range(1, 1000)
COUNT = Range(1, 100_000)
CLIPS = Range(0, 10_000_000)
TAU = Range(0, 1)
WARM_UP = Range(0, 100_000)


@dataclass(frozen=True)
class PretrainSettings:
    """Everything a pre-training is told; without more it is M2D-base as its paper and code have it.

    Attributes
    ----------
    data : DataOptions
        Corpora, log-mel and split; the window is the crop.
    size : {"tiny", "small", "base", "large"}
        Of the encoder; the predictor follows.
    frames : int
        Of a crop.
    patch : tuple of int
        Mels and frames of a patch.
    weights : str, optional
        A full checkpoint that pre-training goes on from; its name decides size, frames and patch.
    variant : {"m2d", "all-patches", "mae"}
        What the target is.
    mask_ratio : float
        Share of the patches that are hidden.
    standardise : bool
        Whether targets are.
    averaged : {"blocks", "all"}
        See :data:`teachers.m2d.duo.Averaged`.
    target_start : {"drawn", "online"}
        The target network's first weights: its own (the code), or the online encoder's (the paper).
    tau, tau_end : float
        Share of the old target in the moving average, at the first and at the last step.
    offline : {"none", "labels", "teacher", "source"}
        What the offline branch predicts.
    teacher, teacher_weights, teacher_run : str, optional
        The frozen encoder of the offline branch: a name, its published file on disk, or a run.
    loss_weight, offline_weight : float
        Of M2D's loss and of the offline one.
    noise : tuple of str
        Corpora of background noise.
    noise_share : float
        The paper's eta.
    routing : {"paper", "code"}
        Where the noise goes.
    repeat, share, min_clips
        See :meth:`teachers.pretraining.sound.mixture.Epoch.of`.
    clips : {"recordings", "events"}
        What a clip is.
    padding : {"silence", "zeros"}
        What follows a clip shorter than a crop: what silence is in a log-mel, or 0 before normalisation, which is
        loud, as M2D's code has it.
    statistics : {"data", "weights"}
        Whose mean and deviation normalise: the clips', or those of `weights`.
    epochs : int
        Passes.
    warm_up : float
        Passes until the learning rate is highest.
    batch_size, accumulate : int
        Clips of an optimiser step, on all processes together, and in how many parts each process takes its share.
    base_learning_rate : float
        The highest for 256 clips a step.
    weight_decay, gradient_clip : float
        Of AdamW; largest norm of the gradient.
    seed : int
        Of everything drawn at random.
    precision : {"auto", "32-true", "bf16-mixed", "16-mixed"}
        ``auto`` is told before the training begins.
    strategy : {"auto", "ddp", "fsdp"}
        How several processes share the work.
    devices, nodes : int
        Processes on each machine, and machines.
    workers : int
        Processes that read clips, for each that trains.
    compile : bool
        Whether torch compiles the network.
    checkpoint_steps, checkpoint_epochs : int
        Optimiser steps from one checkpoint to resume from to the next; epochs from one in the published layout to the
        next, 0 for the last one alone.
    date : str
        When it began, as published names have it.
    recipe : dict, optional
        Name and sha256 of the recipe that was followed.
    """

    data: DataOptions = field(default_factory=DataOptions)
    size: Size = "base"
    frames: Annotated[int, FRAMES] = 608
    patch: tuple[Annotated[int, PATCH], ...] = (16, 16)
    weights: str | None = None
    variant: Variant = "m2d"
    mask_ratio: Annotated[float, RATIO] = 0.7
    standardise: bool = True
    averaged: Literal["blocks", "all"] = "blocks"
    target_start: Literal["drawn", "online"] = "drawn"
    tau: Annotated[float, TAU] = 0.99995
    tau_end: Annotated[float, TAU] = 0.99999
    offline: Offline = "none"
    teacher: str | None = None
    teacher_weights: str | None = None
    teacher_run: str | None = None
    loss_weight: Annotated[float, WEIGHT] = 1.0
    offline_weight: Annotated[float, WEIGHT] = 1.0
    noise: tuple[str, ...] = ()
    noise_share: Annotated[float, SHARE] = 0.3
    routing: Routing = "paper"
    repeat: tuple[Annotated[int, COUNT], ...] = ()
    share: tuple[Annotated[float, SHARE], ...] = ()
    min_clips: Annotated[int, CLIPS] = 10_000
    clips: Literal["recordings", "events"] = "recordings"
    padding: Literal["silence", "zeros"] = "silence"
    statistics: Literal["data", "weights"] = "data"
    epochs: Annotated[int, EPOCHS] = 300
    warm_up: Annotated[float, WARM_UP] = 20.0
    batch_size: Annotated[int, BATCH_SIZE] = 2048
    accumulate: Annotated[int, COUNT] = 1
    base_learning_rate: Annotated[float, LEARNING_RATE] = 3e-4
    weight_decay: Annotated[float, WEIGHT] = 0.05
    gradient_clip: Annotated[float, WEIGHT] = 3.0
    seed: Annotated[int, SEED] = 0
    precision: Precision = "auto"
    strategy: Strategy = "auto"
    devices: Annotated[int, COUNT] = 1
    nodes: Annotated[int, COUNT] = 1
    workers: Annotated[int, CLIPS] = 0
    compile: bool = False
    checkpoint_steps: Annotated[int, COUNT] = 500
    checkpoint_epochs: Annotated[int, CLIPS] = 0
    date: str = ""
    recipe: dict[str, str] | None = None

    command: ClassVar = "pretrain"

    def __post_init__(self) -> None:
        check_values(self)
        make_absolute(self, "weights", "teacher_weights", "teacher_run")
        object.__setattr__(self, "noise", tuple(map(absolute_data, self.noise)))
        named = sum(value is not None for value in (self.teacher_weights or self.teacher, self.teacher_run))
        for ok, what in (
            (len(self.patch) == 2, "--patch: give mels and frames as in 16x16"),
            (self.frames % self.patch[-1] == 0, f"--frames {self.frames}: must be whole patches of {self.patch[-1]}"),
            (self.warm_up < self.epochs, f"--warm-up {self.warm_up:g}: must be shorter than {self.epochs} epochs"),
            (
                self.batch_size % (self.accumulate * self.processes) == 0,
                f"--batch-size {self.batch_size}: must divide by --accumulate {self.accumulate} times "
                f"{self.processes} processes",
            ),
            (
                named == (1 if self.offline == "teacher" else 0),
                "--offline teacher takes one of --teacher and --teacher-run, and nothing else does",
            ),
            (
                not self.teacher_weights or self.teacher is not None,
                "--teacher-weights needs the encoder's name; give --teacher",
            ),
            (self.offline != "source" or self.weights is not None, "--offline source needs --weights"),
            (self.statistics != "weights" or self.weights is not None, "--statistics weights needs --weights"),
            (
                self.strategy != "fsdp" or self.processes > 1,
                "--strategy fsdp shares out work; give --devices 2",
            ),
            (self.variant != "mae" or self.offline == "none", "--variant mae has no offline branch; choose another"),
        ):
            if not ok:
                raise InputError(what)

    @property
    def processes(self) -> int:
        """Processes that train together."""
        return self.devices * self.nodes


def crop_seconds(logmel: str, frames: int) -> float:
    """Return the shortest sound of so many frames of a log-mel, in seconds."""
    if logmel not in SPECS:
        raise InputError(f"log-mel {logmel!r}: unknown; choose from {', '.join(SPECS)}")
    spec = SPECS[logmel]
    whole = 2 * (spec.n_fft // 2) if spec.padding == "reflect" else 0
    samples = spec.n_fft - whole + (frames - 1) * spec.hop + (1 if spec.preemphasis else 0)
    return max(samples, spec.n_fft // 2 + 2) / spec.sample_rate
