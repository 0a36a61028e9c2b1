"""What can run a bundle's models: LiteRT with two sets of kernels, and onnxruntime."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from export.manifest import ONNX_FLOAT_FILE, ONNX_INT8_FILE, TFLITE_FILE, Manifest, Quantization
from lungsound.errors import InputError

Kernels = Literal["xnnpack", "reference"]


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
        """Run windows [N, frames, n_mels] of the input's type one after the other; return [N, labels]."""
        ...


class LiteRT:
    """A .tflite in LiteRT.

    Parameters
    ----------
    model : bytes
        The file's content.
    kernels : {"xnnpack", "reference"}
        XNNPACK, which rounds requantized values once and is LiteRT's default, or the reference kernels, which round
        twice as microcontrollers do.
    threads : int
        Threads to compute with.

    Raises
    ------
    InputError
        If the content is no model that LiteRT runs.
    """

    def __init__(self, model: bytes, kernels: Kernels = "xnnpack", threads: int = 1) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        resolver = OpResolverType.BUILTIN if kernels == "xnnpack" else OpResolverType.BUILTIN_REF
        try:
            self._interpreter = Interpreter(
                model_content=model, num_threads=threads, experimental_op_resolver_type=resolver
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise InputError(f"not a model that LiteRT runs ({_first_line(error)}); export the run again") from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise InputError(f"the model has {len(inputs)} inputs and {len(outputs)} outputs, one of each is due")
        self._input, self._output = inputs[0], outputs[0]
        self.input, self.output = _quantization(self._input), _quantization(self._output)
        self.values, self.labels = int(np.prod(self._input["shape"])), int(np.prod(self._output["shape"]))

    def run(self, windows: NDArray[Any]) -> NDArray[Any]:
        """See :meth:`Runtime.run`."""
        outputs = np.empty((len(windows), self.labels), self._output["dtype"])
        for window, output in zip(windows, outputs, strict=True):
            self._interpreter.set_tensor(self._input["index"], window.reshape(self._input["shape"]))
            self._interpreter.invoke()
            output[:] = self._interpreter.get_tensor(self._output["index"]).ravel()
        return outputs


class OnnxRuntime:
    """An ONNX model in onnxruntime on the CPU; float32 in and out, the int8 form inside.

    Parameters
    ----------
    model : bytes
        The file's content.
    threads : int
        Threads to compute with.

    Raises
    ------
    InputError
        If onnxruntime is not installed or the content is no model that it runs.
    """

    input: Quantization | None = None
    output: Quantization | None = None

    def __init__(self, model: bytes, threads: int = 1) -> None:
        try:
            import onnxruntime
            from onnxruntime.capi import onnxruntime_pybind11_state as state
        except ImportError as error:
            raise InputError("onnxruntime is not installed; install auscult[train] to run ONNX models") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        refusals = [state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NoModel]
        refusals += [state.NotImplemented, state.RuntimeException]
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except tuple(refusals) as error:
            reason = _first_line(error)
            raise InputError(f"not a model that onnxruntime runs ({reason}); export the run again") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        fixed = [put.shape and all(isinstance(size, int) for size in put.shape) for put in (*inputs, *outputs)]
        if len(inputs) != 1 or len(outputs) != 1 or not all(fixed) or inputs[0].type != "tensor(float)":
            raise InputError("the ONNX model must have one float input and one output of fixed shape; export again")
        self._name, self._shape = inputs[0].name, inputs[0].shape
        self.values, self.labels = int(np.prod(self._shape)), int(np.prod(outputs[0].shape))

    def run(self, windows: NDArray[Any]) -> NDArray[Any]:
        """See :meth:`Runtime.run`."""
        outputs = np.empty((len(windows), self.labels), np.float32)
        for window, output in zip(windows, outputs, strict=True):
            output[:] = self._session.run(None, {self._name: window.reshape(self._shape)})[0].ravel()
        return outputs


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
        runtime = kind.load(content, threads)
    except InputError as error:
        raise InputError(f"{kind.file}: {error}") from error
    listening = manifest.listening
    expected = (listening.frames * listening.logmel.n_mels, len(listening.labels))
    if (runtime.values, runtime.labels) != expected:
        found = f"takes {runtime.values} values and gives {runtime.labels}"
        raise InputError(f"{kind.file}: {found} where the manifest has {expected[0]} and {expected[1]}; export again")
    if kind.file == TFLITE_FILE and (runtime.input, runtime.output) != (manifest.input, manifest.output):
        raise InputError(f"{kind.file}: its scales and zero points are not the manifest's; export the run again")
    return runtime


def as_input(runtime: Runtime, codes: NDArray[np.int8], quantization: Quantization) -> NDArray[Any]:
    """Return int8 log-mels of any shape for a runtime; a float one gets the values that they stand for."""
    return codes if runtime.input is not None else quantization.dequantize(codes).astype(np.float32)


def as_logits(runtime: Runtime, outputs: NDArray[Any]) -> NDArray[np.float64]:
    """Return a runtime's outputs of any shape as logits."""
    return outputs.astype(np.float64) if runtime.output is None else runtime.output.dequantize(outputs)


def probabilities(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return ``1 / (1 + exp(-logit))`` in float64; any shape."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits.astype(np.float64)))


def _quantization(detail: dict[str, Any]) -> Quantization | None:
    """Return the scale and zero point of a LiteRT tensor.

    Raises
    ------
    InputError
        If it is neither float32 nor int8.
    """
    if detail["dtype"] == np.float32:
        return None
    if detail["dtype"] != np.int8:
        raise InputError(f"{detail['name']} is {np.dtype(detail['dtype'])} where int8 is due; export the run again")
    scale, zero_point = detail["quantization"]
    return Quantization(float(scale), int(zero_point))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
