"""A small but real student, trained for seconds on made-up sound, and its bundle; made once for all tests."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from made_once import once

from export.bundle.golden import golden_pcm
from export.bundle.opening import Bundle
from export.gate import Validation
from export.making import Origin, write_bundle
from lungsound.front_end import normalised_logmel
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from lungsound.training.runs import Run
from lungsound.windows import WINDOW_COLUMNS
from students.student import Student, StudentConfig

LABELS_OF_GOLDEN = np.array([[0, 0], [0, 0], [0, 0], [1, 0], [0, 1], [1, 1], [0, 1], [0, 0]])
"""Crackle and wheeze in the windows of `golden_pcm`."""


def sound(listening: Listening, seeds: range) -> Validation:
    """Windows like the golden ones, with other noise; each seed is a patient with one recording."""
    pcm = np.concatenate([golden_pcm(listening, seed) for seed in seeds])
    labels = np.tile(LABELS_OF_GOLDEN, (len(seeds), 1))
    who = np.repeat([f"patient {seed}" for seed in seeds], len(LABELS_OF_GOLDEN))
    start = listening.seconds * np.tile(np.arange(len(LABELS_OF_GOLDEN)), len(seeds))
    facts = {"corpus": "made up", "recording": who, "patient": who, "protocol": "stream", "event": -1}
    facts |= {"start": start, "end": start + listening.seconds}
    windows = pd.DataFrame(dict.fromkeys(WINDOW_COLUMNS, "") | facts)
    windows[list(listening.labels)] = labels
    return Validation(pcm, labels, windows=windows)


TINY = StudentConfig(width=1 / 16, dropout=0.0)


@functools.cache
def trained(config: StudentConfig = TINY) -> tuple[Run, Student, np.ndarray]:
    """A run, its student, and normalised log-mels to calibrate on."""
    torch.manual_seed(0)
    student = Student(config)
    listening = Listening.with_whole_hop(SPECS["device_4k"], 2.0, 1.0)
    listening = replace(listening, hop_seconds=student.whole_hop(listening))
    windows = sound(listening, range(1, 3))
    logmel = normalised_logmel(listening, windows.pcm)
    listening = replace(listening, logmel=listening.logmel.with_statistics(logmel.mean(), logmel.std()))
    features = normalised_logmel(listening, windows.pcm).astype(np.float32)
    optimizer = torch.optim.AdamW(student.parameters(), 1e-2)
    x, truth = torch.from_numpy(features)[:, None], torch.from_numpy(windows.labels).float()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for _ in range(50):
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(student(x), truth).backward()
        optimizer.step()
    torch.set_num_threads(threads)
    student.eval()
    run = Run(
        path=Path("runs/tiny"),
        kind="student",
        listening=listening,
        model=student.config.to_dict(),
        data=("synthetic:/home/somebody/sound",),
        synthetic=True,
        split={"name": "official", "hash": "0" * 64, "drop_shared": False, "validation": 0.2, "seed": 0},
        protocols=("stream",),
        seed=0,
        teacher={"name": "tiny", "licence": "Apache-2.0", "paper": "none", "weights": "/home/somebody/w.pth"},
        thresholds=(0.0, 0.0),
        validation={},
        options={"logmel": "device_4k"},
        versions={"torch": torch.__version__},
    )
    return run, student, features


def tiny_bundle(tmp_path_factory) -> Bundle:
    """Its bundle, made on the first call of all workers; copy the folder before changing anything in it."""

    def made() -> Bundle:
        run, student, features = trained()
        folder = tmp_path_factory.mktemp("tiny") / "bundle"
        return write_bundle(folder, Origin.of_run(run), student, features, sound(run.listening, range(20, 24)))

    return once("tiny bundle", made)
