"""Students with random weights but sane statistics, and inputs for them."""

from dataclasses import replace

import numpy as np
import torch

from lungsound.listening import Listening
from lungsound.logmel import SPECS
from students.student import Student, StudentConfig


def listening_of(frames: int, mels: int) -> Listening:
    """A window of exactly so many frames and mels."""
    spec = replace(SPECS["device_4k"], n_mels=mels)
    samples = spec.n_fft + (frames - 1) * spec.hop
    made = Listening(spec, samples / spec.sample_rate, spec.hop / spec.sample_rate)
    assert (made.frames, made.logmel.n_mels) == (frames, mels)
    return made


def features_for(listening: Listening, count: int, seed: int = 0) -> np.ndarray:
    """Smooth random log-mels, some louder than others, [count, frames, mels]."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=(count, listening.frames + 4, listening.logmel.n_mels))
    smooth = sum(noise[:, i : i + listening.frames] for i in range(5)) / 2
    return (smooth + random.normal(size=(count, 1, 1))).astype(np.float32)


def random_student(listening: Listening, seed: int = 0, **config) -> Student:
    """Weights as initialised, batch normalisation with random gains and the statistics of random inputs."""
    torch.manual_seed(seed)
    student = Student(StudentConfig(**{"width": 1 / 16, "dropout": 0.0} | config))
    for norm in student.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.weight.data.uniform_(0.7, 1.3)
            norm.bias.data.normal_(0, 0.2)
            norm.momentum = None  # the average of all batches, which is one
    with torch.no_grad():
        student.train()(torch.from_numpy(features_for(listening, 8, seed + 1))[:, None])
    return student.eval()


def float_logits(student: Student, features: np.ndarray) -> np.ndarray:
    """The student in torch, in float64."""
    with torch.no_grad():
        logits = student.double()(torch.from_numpy(features.astype(np.float64))[:, None]).numpy()
    student.float()
    return logits
