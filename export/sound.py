"""The bundle of a student that hears sound through a learnt front end: float ONNX, held against torch."""

import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from export.bundle.golden import Golden, golden_pcm
from export.bundle.manifest import GOLDEN_FILE, ONNX_FLOAT_FILE, PREDICTIONS_FILE, LearntFrontEnd, Manifest
from export.bundle.opening import Bundle
from export.bundle.predictions import predictions_bytes
from export.bundle.runtimes import RUNTIMES, probabilities
from export.check import FLOAT_TOLERANCE
from export.gate import Validation
from export.making import Origin, refuse_to_replace, write_files
from export.onnx.models import onnx_float
from lungsound.audio import to_float
from lungsound.errors import InputError
from lungsound.files.versions import versions
from lungsound.scores.metrics import label_scores
from lungsound.terminal import progress
from students.student import Student

_AT_ONCE = 16
_RUNTIME = "onnxruntime_float"


def learnt_front_end(student: Student) -> LearntFrontEnd:
    """Return the name of a student's front end, and what the filters that it learnt cost."""
    assert student.front_end is not None
    return LearntFrontEnd(student.front_end.config.name, student.front_end.multiply_accumulates())


def write_sound_bundle(folder: Path, origin: Origin, student: Student, validation: Validation) -> Bundle:
    """Export a student from its samples on, measure it, and write its bundle.

    Parameters
    ----------
    folder : Path
        Where the bundle shall stand; an older bundle there is replaced, anything else is not.
    origin : Origin
        Where it comes from.
    student : Student
        With a learnt front end.
    validation : Validation
        Windows and truth to score it on.

    Returns
    -------
    Bundle
        Read back from disk; no int8 model, no codes.

    Raises
    ------
    InputError
        If the folder holds something else, ONNX gives other probabilities than torch, the golden vectors do not
        replay, or the disk is full; nothing is left behind then.
    """
    refuse_to_replace(folder)
    listening, deployed = origin.listening, student.deployed()
    contents = {ONNX_FLOAT_FILE: onnx_float(deployed, listening, sound=True).SerializeToString()}
    runtime = RUNTIMES[_RUNTIME].load(contents[ONNX_FLOAT_FILE], 1)
    golden = golden_pcm(listening)
    outputs = runtime.run(to_float(golden))
    logits = np.concatenate(
        [
            runtime.run(to_float(validation.pcm[start : start + _AT_ONCE]))
            for start in progress(range(0, len(validation.pcm), _AT_ONCE), "validating ONNX")
        ]
    )
    largest = max(_error(student, golden, outputs), _error(student, validation.pcm, logits))
    if not largest <= FLOAT_TOLERANCE:
        raise InputError(
            f"the ONNX model is {largest:.3g} off a probability of torch, at most {FLOAT_TOLERANCE} is due; train with "
            "--front-end logmel"
        )
    figures: dict[str, Any] = {"windows": len(validation.pcm), "int8": {}, "onnx_error": largest}
    origin = origin.aimed(logits.astype(np.float64), validation)
    if (truth := validation.labels) is not None:
        figures["float"] = label_scores(truth, logits, logits >= origin.thresholds, listening.labels)
    if validation.windows is not None:
        contents[PREDICTIONS_FILE] = predictions_bytes(
            validation.windows, {"float": logits.astype(np.float64)}, listening.labels
        )
    contents[GOLDEN_FILE] = Golden(golden, None, {_RUNTIME: outputs}).to_bytes()
    manifest = Manifest(
        **origin.facts(),
        threshold_codes=None,
        input=None,
        output=None,
        parameters=sum(parameter.numel() for parameter in student.parameters()),
        ranges={"method": "none, float alone", "windows": 0},
        versions=versions() | {"machine": platform.machine()},
        validation=figures,
        front_end=learnt_front_end(student),
    )
    return write_files(folder, manifest, contents)


@torch.inference_mode()
def _error(student: Student, pcm: NDArray[np.int16], logits: NDArray[np.float32]) -> float:
    """Return the largest error of a probability against torch."""
    exact = [
        student(torch.from_numpy(to_float(pcm[start : start + _AT_ONCE]))).numpy()
        for start in range(0, len(pcm), _AT_ONCE)
    ]
    return float(np.abs(probabilities(np.concatenate(exact)) - probabilities(logits)).max())
