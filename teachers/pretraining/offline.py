"""The frozen encoder whose features the offline branch of M2D-X predicts."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from lungsound.errors import InputError
from lungsound.logmel import LogMelSpec
from lungsound.training.runs import Run
from lungsound.training.weights import load_weights
from teachers.encoder import Encoder, build, card_of, config_from, find
from teachers.fusion import stack_frequency
from teachers.pretraining.settings import PretrainSettings
from teachers.teacher import Teacher


class OfflineTeacher:
    """A frozen encoder; no part of what is trained or stored.

    Parameters
    ----------
    encoder : Encoder
        Any of the registry, a CNN too.
    logmel : LogMelSpec
        What it hears, with its own mean and standard deviation.
    """

    def __init__(self, encoder: Encoder, logmel: LogMelSpec) -> None:
        self.encoder, self.logmel = encoder.eval().requires_grad_(False), logmel

    @property
    def features(self) -> int:
        """Values of a column: those of all frequencies, one after the other."""
        rows, width = self.encoder.shapes[-1]
        return rows * width

    @torch.no_grad()
    def columns(self, x: Tensor, count: int) -> Tensor:
        """Return features [B, count, features] of normalised log-mels [B, 1, mels, frames].

        Where the encoder has more or fewer frames than `count`, they are averaged or repeated.
        """
        self.encoder.to(x.device)
        frames = stack_frequency(self.encoder.encode_layers(x)[-1]).float()
        if frames.shape[1] == count:
            return frames
        return F.adaptive_avg_pool1d(frames.transpose(1, 2), count).transpose(1, 2)


def offline_teacher(settings: PretrainSettings) -> OfflineTeacher | None:
    """Return the frozen encoder that the settings name; None for the other uses of the offline branch.

    Raises
    ------
    InputError
        If its name, weights or run do not exist or do not fit.
    """
    if settings.offline == "source":
        encoder = find("m2d")[0].read(Path(str(settings.weights)))
        return OfflineTeacher(encoder, encoder.logmel)
    if settings.offline != "teacher":
        return None
    if settings.teacher_run is not None:
        return _of_run(Run.load(Path(settings.teacher_run)))
    name = str(settings.teacher)
    path = Path(settings.teacher_weights) if settings.teacher_weights else card_of(name).fetch()
    encoder = find(name)[0].read(path)
    return OfflineTeacher(encoder, encoder.logmel)


def _of_run(run: Run) -> OfflineTeacher:
    if run.kind == "student":
        raise InputError(f"{run.path}: the run of a student; name a teacher's or an encoder's")
    if run.kind == "teacher":
        return OfflineTeacher(Teacher.load(run.model, run.weights).encoder, run.listening.logmel)
    encoder = build(config_from(run.model["encoder"]))
    load_weights(encoder, run.weights)
    return OfflineTeacher(encoder, run.listening.logmel)
