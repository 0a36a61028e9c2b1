"""Teacher outputs, computed once and stored memory-mapped."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lungsound.features import feature_key, prepare
from lungsound.files.atomic import whole_folder
from lungsound.listening import Listening
from lungsound.logmel import normalise
from lungsound.terminal import progress
from lungsound.training.data import Part

BATCH = 32


@dataclass(frozen=True)
class TeacherOutputs:
    """What the teacher says of N windows.

    Attributes
    ----------
    logits : ndarray of float32, shape [N, C]
        Memory-mapped.
    embedding : ndarray of float32, shape [N, E]
        The fused embedding, memory-mapped.
    """

    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]


def store_key(teacher: nn.Module, listening: Listening, part: Part) -> str:
    """Return the key of a teacher's outputs: its configuration and weights, its log-mel, the windows."""
    config: Any = teacher.config
    digest = hashlib.sha256(json.dumps(config.to_dict(), sort_keys=True).encode())
    for name, value in sorted(teacher.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    digest.update(json.dumps(listening.logmel.to_dict(), sort_keys=True).encode())
    digest.update(feature_key(part.windows, listening.logmel, listening.seconds).encode())
    return digest.hexdigest()[:32]


def teacher_outputs(teacher: nn.Module, listening: Listening, part: Part, cache: Path) -> TeacherOutputs:
    """Return the teacher's outputs for every window of `part`, from the store if they are there.

    Parameters
    ----------
    teacher : nn.Module
        Whose output is a :class:`teachers.teacher.TeacherOutput`; put into evaluation mode. Its ``config`` tells its
        shape.
    listening : Listening
        The teacher's input; its window must be as long as the student's.
    part : Part
        Windows; their features are prepared anew with the teacher's log-mel.
    cache : Path
        Folder of the store.
    """
    folder = cache / "teacher_outputs" / store_key(teacher, listening, part)
    if not folder.is_dir():
        features = prepare(part.windows, listening.logmel, listening.seconds, cache)
        with whole_folder(folder) as temporary:
            _write_outputs(teacher.eval(), listening, features, temporary)
    return TeacherOutputs(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("logits", "embedding")))


@torch.inference_mode()
def _write_outputs(teacher: nn.Module, listening: Listening, features: NDArray[np.float32], folder: Path) -> None:
    arrays: dict[str, NDArray[np.float32]] = {}
    device = next(teacher.parameters()).device
    starts = range(0, len(features), BATCH)
    for start in progress(starts, "running the teacher"):
        x = normalise(listening.logmel, features[start : start + BATCH]).astype(np.float32)
        output = teacher(torch.from_numpy(x[:, None]).to(device))
        for name, value in (("logits", output.logits), ("embedding", output.embedding)):
            batch = value.float().cpu().numpy()
            if name not in arrays:
                arrays[name] = np.lib.format.open_memmap(
                    folder / f"{name}.npy", mode="w+", dtype=np.float32, shape=(len(features), *batch.shape[1:])
                )
            arrays[name][start : start + len(batch)] = batch
    for array in arrays.values():
        array.flush()  # type: ignore[attr-defined]
