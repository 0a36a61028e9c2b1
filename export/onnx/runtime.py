"""onnxruntime on the CPU."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError, first_line
from lungsound.quantization import Quantization

_ENDLESS = (b"\x22\x04Loop", b"\x22\x04Scan")
"""As protocol buffers write the operator of a node; weights hold these bytes by a chance of 1 in 2^48 a place."""


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
        if any(operator in model for operator in _ENDLESS):
            raise InputError(
                "not a model that export wrote: it has a loop, which might never end; export the run again"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4  # what is an error is raised
        # x86 cores without VNNI add two products in 16 bits, which saturate: a sixth of a small student's decisions.
        options.add_session_config_entry("session.x64quantprecision", "1")
        # The last two where names are not UTF-8, and where memory ends.
        self._refusals = (
            *(state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NoModel),
            *(state.NotImplemented, state.RuntimeException, UnicodeDecodeError, RuntimeError),
        )
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
            inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
            self._names = [put.name for put in (*inputs, *outputs)]
        except self._refusals as error:
            raise _not_run(error) from error
        puts = (*inputs, *outputs)
        fixed = [put.shape and all(isinstance(size, int) and size > 0 for size in put.shape) for put in puts]
        floats = [put.type == "tensor(float)" for put in puts]
        if len(inputs) != 1 or len(outputs) != 1 or not all(fixed) or not all(floats):
            raise InputError("the ONNX model must have one float input and one output of fixed shape; export again")
        self._shape = inputs[0].shape
        self.values, self.labels = math.prod(self._shape), math.prod(outputs[0].shape)

    def run(self, windows: NDArray[Any]) -> NDArray[Any]:
        """See :meth:`Runtime.run`."""
        outputs = np.empty((len(windows), self.labels), np.float32)
        source, made = self._names
        try:
            for window, output in zip(windows, outputs, strict=True):
                output[:] = self._session.run([made], {source: window.reshape(self._shape)})[0].ravel()
        except (*self._refusals, ValueError) as error:  # the last where it gives another shape than it says
            raise _not_run(error) from error
        return outputs


def _not_run(error: Exception) -> InputError:
    return InputError(f"not a model that onnxruntime runs ({first_line(error)}); export the run again")
