"""Look at every tensor that a .tflite computes, float or int8."""

import warnings
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from lungsound.errors import InputError
from lungsound.terminal import progress


def activations(
    model: bytes, features: NDArray[np.float32], doing: str | None, names: Collection[str] | None = None
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Run windows one after the other and yield the input and what every operator wrote.

    Parameters
    ----------
    model : bytes
        A .tflite of one graph with one input [1, frames, mels, 1], float or int8.
    features : ndarray of float32, shape [N, frames, mels]
        Normalised log-mels; an int8 input is quantized by its own scale and zero point.
    doing : str, optional
        Shown with the progress; none is shown without it.
    names : collection of str, optional
        The tensors to look at; all if not given.

    Yields
    ------
    dict
        Values by tensor name in float32, int8 ones dequantized.

    Raises
    ------
    InputError
        If there are no features, they do not fit the model, or one is not finite.
    """
    interpreter = _interpreter(model)
    given = interpreter.get_input_details()[0]
    frames, mels = given["shape"][1:3]
    if features.ndim != 3 or not len(features) or features.shape[1:] != (frames, mels):
        raise InputError(f"calibration needs log-mels [N, {frames}, {mels}], got {list(features.shape)}")
    written = _written_tensors(model)
    details = [d for d in interpreter.get_tensor_details() if d["index"] in written or d["index"] == given["index"]]
    if names is not None:
        details = [detail for detail in details if detail["name"] in names]
    for window in features if doing is None else progress(features, doing):
        if not np.isfinite(window).all():
            raise InputError("a log-mel to calibrate on holds values that are not finite; prepare the features anew")
        interpreter.set_tensor(given["index"], _as_input(window[None, :, :, None], given))
        interpreter.invoke()
        yield {d["name"]: _as_float(interpreter.get_tensor(d["index"]), d) for d in details}


def _interpreter(model: bytes) -> Interpreter:
    with warnings.catch_warnings():
        # Keeping every tensor is for debugging, LiteRT says; that is what this is. Delegates would hide them.
        warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
        interpreter = Interpreter(
            model_content=model,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
            num_threads=1,
        )
    interpreter.allocate_tensors()
    return interpreter


def _written_tensors(model: bytes) -> set[int]:
    graph = schema.Model.GetRootAs(model, 0).Subgraphs(0)
    operators = (graph.Operators(i) for i in range(graph.OperatorsLength()))
    return {operator.Outputs(i) for operator in operators for i in range(operator.OutputsLength())}


def _as_input(values: NDArray[np.float32], detail: dict[str, Any]) -> NDArray[Any]:
    if detail["dtype"] is np.float32:
        return np.asarray(values, np.float32)
    scale, zero_point = detail["quantization"]
    return np.asarray(np.clip(np.rint(values / scale) + zero_point, -128, 127), np.int8)


def _as_float(values: NDArray[Any], detail: dict[str, Any]) -> NDArray[np.float32]:
    scale, zero_point = detail["quantization"] if detail["dtype"] is not np.float32 else (1.0, 0)
    return np.asarray((values.astype(np.float32) - zero_point) * scale, np.float32)
