"""From a trained network to a bundle on disk, written whole or not at all."""

import platform
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnx
from numpy.typing import NDArray
from torch import nn

from export.abstention import abstention_for
from export.bundle.golden import Golden, golden_pcm
from export.bundle.manifest import (
    FILES,
    GOLDEN_FILE,
    MANIFEST_FILE,
    ONNX_FLOAT_FILE,
    ONNX_INT8_FILE,
    PREDICTIONS_FILE,
    TFLITE_FILE,
    Manifest,
)
from export.bundle.opening import Bundle, Int8Format
from export.bundle.predictions import predictions_bytes
from export.bundle.runtimes import RUNTIMES, Runtime, as_input
from export.bundle.writing import with_card, write_into
from export.check import check
from export.gate import Strictness, Validation, gate, int8_flips, refuse, validation_figures, validation_logits
from export.graph.read import graph_of
from export.graph.trace import recorded
from export.onnx.models import input_quantization, onnx_int8, onnx_of
from export.tflite.aware import Aware, aware_tflite
from export.tflite.bias import corrected_biases
from export.tflite.float_model import write_graph
from export.tflite.int8_model import int8_tflite
from export.tflite.ranges import calibrate
from lungsound.errors import InputError
from lungsound.files.atomic import whole_folder
from lungsound.files.versions import versions
from lungsound.front_end import front_end
from lungsound.listening import Listening
from lungsound.quantization import Quantization
from lungsound.scores.aims import Aim, thresholds_for
from lungsound.training.runs import Run

CORRECTION = 64
"""Of the calibration windows, those that biases are corrected on; it takes a second each at full width."""


@dataclass(frozen=True)
class Origin:
    """What a bundle tells of its network that the network does not; see :class:`export.bundle.manifest.Manifest`.

    Attributes
    ----------
    listening, thresholds, student, data, synthetic, protocols, split, teacher, seed, aim
        As the manifest has them.
    chosen : bool
        Whether `thresholds` are those of `aim`; else they are yet to be chosen on validation.
    """

    listening: Listening
    thresholds: tuple[float, ...]
    student: dict[str, Any]
    data: tuple[str, ...]
    synthetic: bool
    protocols: tuple[str, ...]
    split: dict[str, Any]
    teacher: dict[str, Any]
    seed: int
    aim: str | None = None
    chosen: bool = True

    @classmethod
    def of_run(cls, run: Run, aim: str | None = None) -> Self:
        """Take it from a student's training; where a corpus or weights lie on this machine stays here.

        With an `aim`, thresholds are chosen for it anew.
        """
        return cls(
            listening=run.listening,
            thresholds=run.thresholds,
            student=run.model,
            data=tuple(name.partition(":")[0] for name in run.data),
            synthetic=run.synthetic,
            protocols=run.protocols,
            split={key: run.split[key] for key in ("name", "hash")},
            teacher={key: run.teacher[key] for key in ("name", "licence", "paper")},
            seed=run.seed,
            aim=aim or run.options.get("aim"),
            chosen=aim is None,
        )

    def aimed(self, logits: NDArray[np.float64], validation: Validation) -> Self:
        """Return it with thresholds for its aim, from float logits [N, labels] of validation windows."""
        if self.chosen or self.aim is None or validation.labels is None or validation.windows is None:
            return self
        aim = Aim.parse(self.aim)
        chosen = thresholds_for(aim, validation.labels, logits, validation.windows, self.listening)
        return replace(self, thresholds=chosen, chosen=True)

    def facts(self) -> dict[str, Any]:
        """Return what goes into the manifest as it is."""
        return {name: value for name, value in vars(self).items() if name != "chosen"}


def write_bundle(
    folder: Path,
    origin: Origin,
    network: nn.Module,
    calibration: NDArray[np.float32],
    validation: Validation,
    formats: Collection[Int8Format] = tuple(Int8Format),
    percentile: float | None = None,
    strictness: Strictness = Strictness.USUAL,
    abstain: float | None = None,
    aware: Aware | None = None,
) -> Bundle:
    """Quantize a network, measure it, and write its bundle.

    Parameters
    ----------
    folder : Path
        Where the bundle shall stand; an older bundle there is replaced, anything else is not.
    origin : Origin
        Where it comes from.
    network : Module
        Maps normalised log-mels [1, 1, frames, n_mels] to logits [1, labels].
    calibration : ndarray of float32, shape [N, frames, n_mels]
        Normalised log-mels for the ranges, of training windows where there are any.
    validation : Validation
        Windows to hold int8 against float on; with the truth, int8 must also pass :func:`export.gate.gate`.
    formats : collection of Int8Format
        Which int8 models; the float ONNX model is always there.
    percentile : float, optional
        See :func:`export.tflite.ranges.calibrate` and :func:`export.onnx.models.onnx_int8`.
    strictness : Strictness
        What the gate lets pass.
    abstain : float, optional
        Share of good recordings that may be answered with "listen again"; without it every window has an answer.
    aware : Aware, optional
        Train through int8 first, see :func:`export.tflite.aware.aware_tflite`; the .tflite is the only format then.

    Returns
    -------
    Bundle
        Read back from disk.

    Raises
    ------
    InputError
        If the folder holds something else, the gate refuses, the golden vectors do not replay, or the disk is full;
        nothing is left behind then.
    """
    refuse_to_replace(folder)
    if aware is not None and Int8Format.ONNX in formats:
        raise InputError("training through int8 is of the .tflite alone; give --int8 tflite")
    if not formats:
        raise InputError("no int8 format given; choose tflite, onnx or both")
    contents = build_models(network, origin.listening, calibration, formats, percentile, aware)
    runtimes = {name: kind.load(contents[kind.file], 1) for name, kind in RUNTIMES.items() if kind.file in contents}
    facts = _quantization_facts(origin.thresholds, contents, runtimes)
    logits = _logits(origin, facts["input"], runtimes, validation)
    origin = origin.aimed(logits["float"], validation)
    facts = _quantization_facts(origin.thresholds, contents, runtimes)
    verdict = gate(origin.listening, origin.thresholds, logits, validation)
    refuse(verdict, strictness)
    if validation.windows is not None:
        contents[PREDICTIONS_FILE] = predictions_bytes(validation.windows, logits, origin.listening.labels)
    if abstain is not None:
        given = (facts["output"], facts["threshold_codes"])
        facts["abstention"] = abstention_for(abstain, origin.listening, *given, logits, validation)
    contents[GOLDEN_FILE] = _golden(origin.listening, facts["input"], runtimes).to_bytes()
    method = "minimum and maximum" if percentile is None else f"percentile {percentile:g}"
    method += f", then learnt in {aware.epochs} epochs" if aware is not None else ""
    manifest = Manifest(
        **facts,
        **origin.facts(),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        ranges={"method": method, "windows": len(calibration)},
        versions=versions() | {"machine": platform.machine()},
        validation=validation_figures(origin.listening, origin.thresholds, logits, validation.labels),
        gate=verdict,
        flips=int8_flips(origin.listening, origin.thresholds, logits, validation),
    )
    return write_files(folder, manifest, contents)


def write_files(folder: Path, manifest: Manifest, contents: dict[str, bytes]) -> Bundle:
    """Write models and golden vectors with a manifest and a card, replay them, and read the bundle back."""
    manifest = with_card(manifest, contents)
    with whole_folder(folder) as temporary:
        write_into(temporary, manifest, contents)
        check(Bundle.open(temporary))
    return Bundle.open(folder)


def refuse_to_replace(folder: Path) -> None:
    """Refuse a folder that holds anything but a bundle.

    Raises
    ------
    InputError
        Naming what else is there.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a folder")
    held = {path.name for path in folder.iterdir()}
    foreign = held - {MANIFEST_FILE, *FILES} if MANIFEST_FILE in held else held
    if foreign:
        raise InputError(f"{folder}: holds {min(foreign)}, which is no part of a bundle; name another folder")


def build_models(
    network: nn.Module,
    listening: Listening,
    calibration: NDArray[np.float32],
    formats: Collection[Int8Format],
    percentile: float | None,
    aware: Aware | None = None,
) -> dict[str, bytes]:
    """Return the content of every model file by its name in the bundle; parameters as for :func:`write_bundle`."""
    program = recorded(network, 1, listening.frames, listening.logmel.n_mels)
    exact = onnx_of(program)
    models = {ONNX_FLOAT_FILE: exact.SerializeToString()}
    if Int8Format.TFLITE in formats and aware is not None:
        models[TFLITE_FILE], _ = aware_tflite(graph_of(program), calibration, aware, percentile)
    elif Int8Format.TFLITE in formats:
        float_model = write_graph(graph_of(program))
        ranges = calibrate(float_model, calibration, percentile)
        corrected = corrected_biases(float_model, ranges, calibration[:CORRECTION])
        models[TFLITE_FILE] = int8_tflite(corrected, ranges)
    if Int8Format.ONNX in formats:
        models[ONNX_INT8_FILE] = onnx_int8(exact, calibration, percentile).SerializeToString()
    return models


def _quantization_facts(
    thresholds: tuple[float, ...], contents: dict[str, bytes], runtimes: dict[str, Runtime]
) -> dict[str, Any]:
    """Return what the manifest says of codes: the .tflite's where there is one, else the int8 ONNX model's input."""
    if TFLITE_FILE not in contents:
        quantization = input_quantization(onnx.load_from_string(contents[ONNX_INT8_FILE]))
        return {"input": quantization, "output": None, "threshold_codes": None}
    model = runtimes["litert_reference"]
    if model.input is None or model.output is None:
        raise InputError(f"{TFLITE_FILE} is not int8 in and out; give the network an output of its own")
    codes = model.output.threshold_codes(thresholds)
    return {"input": model.input, "output": model.output, "threshold_codes": codes}


def _logits(
    origin: Origin, quantization: Quantization, runtimes: dict[str, Runtime], validation: Validation
) -> dict[str, NDArray[np.float64]]:
    """Measure what `evaluate` would run; the reference kernels, a hundred times slower, only replay golden vectors."""
    int8 = {name: model for name, model in runtimes.items() if name in ("litert_xnnpack", "onnxruntime_int8")}
    exact = runtimes["onnxruntime_float"]
    return validation_logits(origin.listening, quantization, exact, int8, validation)


def _golden(listening: Listening, quantization: Quantization, runtimes: dict[str, Runtime]) -> Golden:
    pcm = golden_pcm(listening)
    codes = front_end(listening, quantization, pcm)
    return Golden(
        pcm, codes, {name: model.run(as_input(model, codes, quantization)) for name, model in runtimes.items()}
    )
