"""LiteRT, with its default kernels or the reference ones."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError, first_line
from lungsound.quantization import Quantization
from lungsound.terminal import without_notes

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
        from ai_edge_litert.schema_py_generated import Model

        resolver = OpResolverType.BUILTIN if kernels == "xnnpack" else OpResolverType.BUILTIN_REF
        try:
            with without_notes():
                self._interpreter = Interpreter(
                    model_content=model, num_threads=threads, experimental_op_resolver_type=resolver
                )
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise _not_run(error) from error
        # From the file: asked for details, LiteRT wants to decode the names of tensors, which may be in any encoding.
        graphs = Model.GetRootAs(model, 0)
        if graphs.SubgraphsLength() != 1:
            raise InputError(
                f"the model has {graphs.SubgraphsLength()} subgraphs, and a loop of them might never end; export it "
                "again without control flow"
            )
        graph = graphs.Subgraphs(0)
        if graph.InputsLength() != 1 or graph.OutputsLength() != 1:
            raise InputError(
                f"the model has {graph.InputsLength()} inputs and {graph.OutputsLength()} outputs where one of each is "
                "due; export the run again"
            )
        self._input, self._output = int(graph.Inputs(0)), int(graph.Outputs(0))
        source, made = graph.Tensors(self._input), graph.Tensors(self._output)
        self._shape = tuple(int(source.Shape(axis)) for axis in range(source.ShapeLength()))
        self.input, self.output = _quantization(source), _quantization(made)
        self.values = int(np.prod(self._shape, dtype=np.int64))
        self.labels = int(np.prod([made.Shape(axis) for axis in range(made.ShapeLength())], dtype=np.int64))

    def run(self, windows: NDArray[Any]) -> NDArray[Any]:
        """See :meth:`Runtime.run`; windows may have any shape, as many values each as the model takes."""
        outputs = np.empty((len(windows), self.labels), np.float32 if self.output is None else np.int8)
        try:
            for window, output in zip(windows, outputs, strict=True):
                self._interpreter.set_tensor(self._input, window.reshape(self._shape))
                self._interpreter.invoke()
                output[:] = self._interpreter.get_tensor(self._output).ravel()
        except (ValueError, RuntimeError) as error:
            raise _not_run(error) from error
        return outputs


def _not_run(error: Exception) -> InputError:
    return InputError(f"not a model that LiteRT runs ({first_line(error)}); export or convert it again")


def _quantization(tensor: Any) -> Quantization | None:
    """Return the scale and zero point of a tensor of the file.

    Raises
    ------
    InputError
        If it is neither float32 nor int8 with one scale.
    """
    from ai_edge_litert.schema_py_generated import TensorType

    if tensor.Type() == TensorType.FLOAT32:
        return None
    given = tensor.Quantization()
    if tensor.Type() != TensorType.INT8 or given is None or given.ScaleLength() != 1 or given.ZeroPointLength() != 1:
        name = (tensor.Name() or b"").decode("utf-8", "backslashreplace")
        types = {number: title.lower() for title, number in vars(TensorType).items() if isinstance(number, int)}
        kind = types.get(tensor.Type(), tensor.Type())
        raise InputError(
            f"{name} is {kind} where int8 with one scale is due; export it again with int8 input and output"
        )
    return Quantization(float(given.Scale(0)), int(given.ZeroPoint(0)))
