"""Teacher outputs, computed once, stored and read memory-mapped."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lungsound.features import feature_key, prepare
from lungsound.files.arrays import new_array, open_array
from lungsound.files.atomic import whole_folder
from lungsound.files.stored import stored_once
from lungsound.listening import Listening
from lungsound.terminal import progress
from lungsound.training.data import Part
from lungsound.training.window_dataset import network_input

BATCH = 32

NAMES = ("logits", "embedding")


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


def store_key(teacher: nn.Module, listening: Listening, part: Part, *, sound: bool = False) -> str:
    """Return the key of a teacher's outputs: its configuration and weights, its log-mel, the windows."""
    config: Any = teacher.config
    digest = hashlib.sha256(json.dumps(config.to_dict(), sort_keys=True).encode())
    for name, value in sorted(teacher.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    digest.update(json.dumps(listening.logmel.to_dict(), sort_keys=True).encode())
    digest.update(feature_key(part.windows, listening.logmel, listening.seconds, sound=sound).encode())
    return digest.hexdigest()[:32]


def teacher_outputs(
    teacher: nn.Module, listening: Listening, part: Part, cache: Path, *, sound: bool = False
) -> TeacherOutputs:
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
    sound : bool
        The teacher hears samples, not log-mels.
    """
    folder = cache / "teacher_outputs" / store_key(teacher, listening, part, sound=sound)

    def opened(verify: bool = True) -> TeacherOutputs | None:
        logits = open_array(folder / "logits.npy", (len(part.windows), len(listening.labels)), verify=verify)
        embedding = open_array(folder / "embedding.npy", (len(part.windows), None), verify=verify)
        return None if logits is None or embedding is None else TeacherOutputs(logits, embedding)

    def make() -> TeacherOutputs | None:
        features = prepare(part.windows, listening.logmel, listening.seconds, cache, sound=sound)
        with whole_folder(folder) as temporary:
            _write_outputs(teacher.eval(), listening, features, temporary)
        return opened(verify=False)

    return stored_once(cache, folder, opened, make)


def _write_outputs(teacher: nn.Module, listening: Listening, features: NDArray[np.float32], folder: Path) -> None:
    batches = _outputs(teacher, listening, features)
    with ExitStack() as open_files:
        files: list[BinaryIO] = []
        for batch in batches:
            for place, (name, values) in enumerate(zip(NAMES, batch, strict=True)):
                if len(files) == place:
                    file = folder / f"{name}.npy"
                    first_byte = open_files.enter_context(new_array(file, (len(features), *values.shape[1:])))
                    files.append(open_files.enter_context(file.open("r+b")))
                    files[-1].seek(first_byte)
                files[place].write(np.ascontiguousarray(values).data)


@torch.inference_mode()
def _outputs(
    teacher: nn.Module, listening: Listening, features: NDArray[np.float32]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Yield logits and embeddings, batch by batch."""
    device = next(teacher.parameters()).device
    for start in progress(range(0, len(features), BATCH), "running the teacher"):
        x = torch.from_numpy(network_input(listening.logmel, np.array(features[start : start + BATCH])))
        output = teacher(x.to(device))
        yield output.logits.float().cpu().numpy(), output.embedding.float().cpu().numpy()
