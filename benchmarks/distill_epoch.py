"""An epoch of distillation from stored teacher outputs against running the teacher inside the loop.

Both loops do the same training steps on the same windows, in turn, batch by batch, so that a machine's drift hits
both alike; the one inside the loop also computes what the other one reads from the memory-mapped store.

    python benchmarks/distill_epoch.py --size tiny --size base --windows 256
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from distill.losses import LossWeights
from distill.module import DistillModule
from distill.store import teacher_outputs
from lungsound.features import prepare
from lungsound.files.cache import cache_folder
from lungsound.training.data import DataOptions, Part
from lungsound.training.optimisation import Optimisation
from lungsound.training.window_dataset import WindowDataset, batches
from students.student import Student, StudentConfig
from teachers.m2d.config import M2DConfig
from teachers.teacher import Teacher, TeacherConfig

BATCH = 32


def measure(size: str, windows: int, width: float) -> dict[str, float]:
    """Time one epoch both ways and return seconds and their ratio."""
    torch.manual_seed(0)
    cache = cache_folder()
    options = DataOptions()
    listening = options.listening()
    table = options.select().windows("train", options.protocols, listening).head(windows)
    labels = table[list(listening.labels)].to_numpy(np.int64)
    part = Part(table, prepare(table, listening.logmel, listening.seconds, cache), labels)
    heard = DataOptions(logmel="m2d").listening()
    teacher = Teacher(TeacherConfig(M2DConfig.of_size(size, (heard.logmel.n_mels, heard.frames)))).eval()
    teacher_features = prepare(table, heard.logmel, heard.seconds, cache)
    with tempfile.TemporaryDirectory() as folder:
        outputs = teacher_outputs(teacher, heard, part, Path(folder))
        stored = {"logits": outputs.logits, "embedding_1": outputs.embedding}
        dataset = WindowDataset(labels, part.features, listening.logmel, stored)
        inside = WindowDataset(labels, part.features, listening.logmel, {"heard": teacher_features})
        module = DistillModule(
            Student(StudentConfig(width=width)),
            outputs.embedding.shape[1:],
            LossWeights(),
            Optimisation(1e-3, 0),
            torch.nn.Identity(),
            torch.nn.Identity(),
        )
        optimizer = torch.optim.AdamW(module.parameters())

        def step(batch: dict[str, torch.Tensor]) -> None:
            optimizer.zero_grad()
            torch.stack(list(module.losses(batch).values())).sum().backward()
            optimizer.step()

        seconds = np.zeros(2)
        from_store, from_sound = batches(dataset, BATCH, 0), iter(batches(inside, BATCH, 0))
        reading = iter(from_store)
        for _ in range(len(from_store)):
            started = time.perf_counter()
            step(next(reading))
            seconds[0] += time.perf_counter() - started
            started = time.perf_counter()
            with_teacher = next(from_sound)
            with torch.inference_mode():
                said = teacher(with_teacher["heard"][:, None])
            step(with_teacher | {"logits": said.logits.clone(), "embedding_1": said.embedding.clone()})
            seconds[1] += time.perf_counter() - started
    return {"stored_s": seconds[0], "inside_s": seconds[1], "ratio": seconds[1] / seconds[0], "windows": len(table)}


def main() -> None:
    """Print a line a teacher size, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", action="append", help="teacher size; may be repeated [tiny]")
    parser.add_argument("--windows", type=int, default=256)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = {size: measure(size, arguments.windows, arguments.width) for size in arguments.size or ["tiny"]}
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    for size, row in found.items():
        print(
            f"teacher {size}: {row['windows']} windows, stored {row['stored_s']:.1f} s, "
            f"teacher inside {row['inside_s']:.1f} s: {row['ratio']:.1f}x"
        )


if __name__ == "__main__":
    main()
