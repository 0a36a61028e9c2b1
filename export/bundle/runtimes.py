"""What can run a bundle's models: LiteRT with two sets of kernels, and onnxruntime."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from export.bundle.golden import Golden
from export.bundle.manifest import ONNX_FLOAT_FILE, ONNX_INT8_FILE, TFLITE_FILE, Manifest
from export.bundle.memory import limited_memory
from export.onnx.runtime import OnnxRuntime
from export.tflite.runtime import LiteRT
from lungsound.audio import to_float
from lungsound.errors import InputError
from lungsound.quantization import Quantization


class Runtime(Protocol):
    """A loaded model.

    Attributes
    ----------
    input, output : Quantization or None
        Of its int8 input and output; None where they are float32.
    values, labels : int
        Values of a window it takes and of an output it gives.
    """

    input: Quantization | None
    output: Quantization | None
    values: int
    labels: int

    def run(self, windows: NDArray[Any]) -> NDArray[Any]:
        """Run windows [N, frames, n_mels] or [N, samples] of the input's type in turn; return [N, labels]."""
        ...


@dataclass(frozen=True)
class RuntimeKind:
    """A way to run one of a bundle's files.

    Attributes
    ----------
    package : str
        Import name of what it needs.
    file : str
        The model it runs.
    load : callable
        Takes the file's content and a number of threads.
    title : str
        For tables.
    """

    package: str
    file: str
    load: Callable[[bytes, int], Runtime]
    title: str

    @property
    def installed(self) -> bool:
        """Whether its package is there."""
        return find_spec(self.package) is not None


_LITERT, _ONNXRUNTIME = "ai_edge_litert", "onnxruntime"

RUNTIMES: dict[str, RuntimeKind] = {
    "litert_xnnpack": RuntimeKind(_LITERT, TFLITE_FILE, lambda m, n: LiteRT(m, "xnnpack", n), "LiteRT int8, XNNPACK"),
    "litert_reference": RuntimeKind(
        _LITERT, TFLITE_FILE, lambda m, n: LiteRT(m, "reference", n), "LiteRT int8, reference kernels"
    ),
    "onnxruntime_int8": RuntimeKind(_ONNXRUNTIME, ONNX_INT8_FILE, OnnxRuntime, "onnxruntime int8"),
    "onnxruntime_float": RuntimeKind(_ONNXRUNTIME, ONNX_FLOAT_FILE, OnnxRuntime, "onnxruntime float"),
}
"""By the name that manifests, golden vectors and reports use."""


def load_runtime(name: str, content: bytes, manifest: Manifest, threads: int = 1) -> Runtime:
    """Load one of a bundle's models and hold it against the manifest.

    Parameters
    ----------
    name : str
        One of `RUNTIMES`.
    content : bytes
        Of the runtime's file.
    manifest : Manifest
        Says what goes in and out.
    threads : int
        Threads to compute with.

    Raises
    ------
    InputError
        If the runtime refuses the model, or the model does not fit the manifest.
    """
    kind = RUNTIMES[name]
    try:
        with limited_memory(threads):
            runtime = kind.load(content, threads)
    except InputError as error:
        raise InputError(f"{kind.file}: {error}") from error
    expected = (manifest.values, len(manifest.listening.labels))
    if (runtime.values, runtime.labels) != expected:
        found = f"takes {runtime.values} values and gives {runtime.labels}"
        raise InputError(f"{kind.file}: {found} where the manifest has {expected[0]} and {expected[1]}; export again")
    if kind.file == TFLITE_FILE and (runtime.input, runtime.output) != (manifest.input, manifest.output):
        raise InputError(f"{kind.file}: its scales and zero points are not the manifest's; export the run again")
    return runtime


def as_input(runtime: Runtime, codes: NDArray[np.int8], quantization: Quantization) -> NDArray[Any]:
    """Return int8 log-mels of any shape for a runtime; a float one gets the values that they stand for."""
    return codes if runtime.input is not None else quantization.dequantize(codes).astype(np.float32)


def golden_input(golden: Golden, runtime: Runtime, quantization: Quantization | None) -> NDArray[Any]:
    """Return what a runtime hears of golden vectors: their codes or the values of these, or the sound itself."""
    if golden.codes is None or quantization is None:
        return to_float(golden.pcm)
    return as_input(runtime, golden.codes, quantization)


def as_logits(runtime: Runtime, outputs: NDArray[Any]) -> NDArray[np.float64]:
    """Return a runtime's outputs of any shape as logits."""
    return outputs.astype(np.float64) if runtime.output is None else runtime.output.dequantize(outputs)


def probabilities(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return ``1 / (1 + exp(-logit))`` in float64; any shape."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits.astype(np.float64)))
