"""A student as firmware before anybody trains it: its shape, with random weights."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.bundle.golden import golden_pcm
from export.tflite.float_model import float_tflite
from export.tflite.int8_model import int8_tflite
from export.tflite.ranges import calibrate
from firmware_bridge.plan.model import Model
from lungsound.errors import InputError
from lungsound.front_end import normalised_logmel
from lungsound.listening import Listening
from students.student import Student, StudentConfig

_BREATHS = slice(2, 6)
"""Of the made-up windows: breath, with clicks, with a whistle, with both."""


def words_of(config: StudentConfig) -> str:
    """Return what a student is called: its family and what sizes it."""
    size = f"{config.trunk} of width {config.width:g}"
    return f"{size} and depth {config.depth}" if config.depth else size


@functools.cache
def untrained(config: StudentConfig, listening: Listening) -> Model:
    """Return a student as a model that can be planned.

    Weights are drawn, the statistics of batch normalisation and the ranges of int8 come from a few windows of made-up
    sound, and so do mean and deviation of the log-mel. None of them says how large anything is, but that tables of
    equal content are stored once.

    Parameters
    ----------
    config : StudentConfig
        The shape; the classes are those of `listening`.
    listening : Listening
        The window, its log-mel and the labels.

    Raises
    ------
    InputError
        If the student cannot hear the window, or cannot become an int8 .tflite.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        student = Student(replace(config, classes=len(listening.labels)))
        student.check_window(listening)
        if config.front_end is not None:
            raise InputError(f"{config.front_end.name} is no front end for firmware; leave --front-end out")
        listening, features = _heard(listening)
        _settle(student, torch.from_numpy(features)[:, None])
    float_model = float_tflite(student.eval(), listening)
    content = int8_tflite(float_model, calibrate(float_model, features))
    return Model.of_content(Path(words_of(config)), content, listening, config.width)


def parameters_of(config: StudentConfig) -> int:
    """Return how many parameters a student has, without making them."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Student(config).parameters())


def _heard(listening: Listening) -> tuple[Listening, NDArray[np.float32]]:
    """Return the window with mean and deviation of made-up sound, and normalised log-mels of it."""
    pcm = golden_pcm(listening)[_BREATHS]
    logmel = normalised_logmel(replace(listening, logmel=listening.logmel.with_statistics(0, 1)), pcm)
    measured = replace(listening, logmel=listening.logmel.with_statistics(logmel.mean(), logmel.std()))
    return measured, normalised_logmel(measured, pcm).astype(np.float32)


def _settle(student: Student, windows: Tensor) -> None:
    """Let every batch normalisation know its input, so that values neither fade nor grow from layer to layer."""
    for norm in (module for module in student.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.momentum = None  # the average of all batches, which is one
    with torch.no_grad():
        student.train()(windows)
