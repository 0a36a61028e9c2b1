"""onnxruntime on the CPU."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError, first_line
from lungsound.quantization import Quantization


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
            raise InputError(
                "onnxruntime is not installed; pip install 'auscult-edge[train]' to run ONNX models"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        # x86 cores without VNNI add two products in 16 bits, which saturate: a sixth of a small student's decisions.
        options.add_session_config_entry("session.x64quantprecision", "1")
        refusals = [state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NoModel]
        refusals += [state.NotImplemented, state.RuntimeException]
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except tuple(refusals) as error:
            reason = first_line(error)
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
