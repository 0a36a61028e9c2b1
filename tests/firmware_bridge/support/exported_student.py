"""Students as the export leaves them: random weights, statistics and ranges of made-up sound."""

import numpy as np
import torch
from made_once import made_once
from numpy.typing import NDArray
from tiny_bundle import sound

from export.tflite.bias import corrected_biases
from export.tflite.float_model import float_tflite
from export.tflite.int8_model import int8_tflite
from export.tflite.ranges import calibrate
from firmware_bridge.tflite.reader import parse_tflite
from lungsound.front_end import normalised_logmel
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from students.student import Student, StudentConfig


@made_once
def exported_student(
    width: float, heads: int, seconds: float = 2.0, trunk: str = "cnn6", depth: int | None = None
) -> tuple[bytes, NDArray[np.int8]]:
    """Return an int8 .tflite file that hears so many seconds, and windows for it, int8 [n, frames, mels].

    The windows are silence, breath, breath with clicks and a whistle, clipped sound, random codes and random extremes.
    """
    listening = Listening.with_whole_hop(SPECS["device_4k"], seconds, 1.0)
    features = normalised_logmel(listening, sound(listening, range(2)).pcm).astype(np.float32)
    features = (features - features.mean()) / features.std()
    torch.manual_seed(heads)
    student = Student(StudentConfig(width=width, heads=heads, lam=0.3, trunk=trunk, depth=depth))
    for norm in (module for module in student.trunk.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        norm.weight.data.uniform_(0.7, 1.3)
        norm.bias.data.normal_(0, 0.2)
        norm.momentum = None  # the average of all batches, which is one
    with torch.no_grad():
        student.train()(torch.from_numpy(features)[:, None])
    float_model = float_tflite(student.eval(), listening)
    ranges = calibrate(float_model, features)
    content = int8_tflite(corrected_biases(float_model, ranges, features[:4]), ranges)
    graph = parse_tflite("student.tflite", content)
    source = graph.tensors[graph.inputs[0]]
    heard = np.clip(np.rint(features[[0, 2, 5, 6]] / source.scale) + source.zero_point, -128, 127)
    rng = np.random.default_rng(heads)
    size = features.shape[1:]
    windows = np.stack([*heard, rng.integers(-128, 128, size), rng.choice([-128, 127], size)])
    return content, windows.astype(np.int8)
