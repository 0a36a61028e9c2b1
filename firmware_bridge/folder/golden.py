"""Golden vectors: windows that a few lines of C can make again, and what LiteRT answers to them."""

import numpy as np
import numpy.typing as npt

from firmware_bridge.tflite.reader import parse_tflite
from lungsound.errors import InputError

Windows = npt.NDArray[np.int8]

# Numerical Recipes' linear congruential generator; the same in c/self_test.c.
_FACTOR, _ADDEND, _SEED = 1664525, 1013904223, 1


def golden_windows(values: int) -> Windows:
    """Four windows of `values` int8: random, all lowest, all highest, random extremes. [4, values]."""
    state, rows = _SEED, np.empty((2, values), np.int64)
    for index in range(2 * values):
        state = (state * _FACTOR + _ADDEND) & 0xFFFFFFFF
        rows.flat[index] = state >> 24
    lowest = np.full(values, -128)
    extremes = np.where(rows[1] & 128, 127, -128)
    return np.stack([rows[0] - 128, lowest, -1 - lowest, extremes]).astype(np.int8)


def litert_outputs(model: bytes, rounding: str, windows: Windows) -> Windows:
    """Return what LiteRT answers: its reference kernels for double rounding, its default (XNNPACK) for single.

    Parameters
    ----------
    model : bytes
        A .tflite file.
    rounding : str
        "double" or "single".
    windows : ndarray of int8, [n, ...]
        As many values each as the model takes.

    Returns
    -------
    ndarray of int8, [n, values]

    Raises
    ------
    InputError
        If LiteRT does not run the model.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    graph = parse_tflite("the model", model)
    # By index: asked for details, LiteRT wants to decode the names of tensors, which a file may have in any encoding.
    source, made = graph.inputs[0], graph.outputs[0]
    shape = graph.tensors[source].shape
    resolver = OpResolverType.BUILTIN_REF if rounding == "double" else OpResolverType.AUTO
    outputs = []
    try:
        runtime = Interpreter(model_content=model, experimental_op_resolver_type=resolver, num_threads=1)
        runtime.allocate_tensors()
        for window in windows:
            runtime.set_tensor(source, window.reshape(shape))
            runtime.invoke()
            outputs.append(runtime.get_tensor(made).reshape(-1).copy())
    except (ValueError, RuntimeError) as error:
        raise InputError(f"LiteRT, which firmware is compared with, does not run this model ({error})") from error
    return np.stack(outputs).astype(np.int8)
