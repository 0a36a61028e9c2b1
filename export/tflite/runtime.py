"""LiteRT, with its default kernels or the reference ones."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError, first_line
from lungsound.quantization import Quantization

Kernels = Literal["xnnpack", "reference"]


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
            raise InputError(f"not a model that LiteRT runs ({first_line(error)}); export the run again") from error
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
