"""A student as a float .tflite: plain operators, no converter in between."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from export.graph.fold import FoldedConv, FoldedStudent, fold
from export.tflite.writer import TfliteWriter
from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.networks.cnn6 import SMALLEST_INPUT
from students.student import Student

INPUT, OUTPUT = "logmel", "logits"
LAMBDA, MEAN = "head/lambda", "head/mean"
ATTENTION, WEIGHTED, BLEND = "head/attention", "head/weighted", "head/blend"
PRODUCT, MAXIMUM = "head/product", "head/maximum"
"""Names of the head's constants and tensors that decide about int8 scales."""


def float_tflite(student: Student, listening: Listening) -> bytes:
    """Write the student as a float .tflite with static shapes for one window.

    Parameters
    ----------
    student : Student
        Its batch normalisation is taken as in evaluation.
    listening : Listening
        Gives frames (height) and mels (width).

    Returns
    -------
    bytes
        The file. Input ``logmel`` [1, frames, mels, 1] normalised, output ``logits`` [1, C].

    Raises
    ------
    InputError
        If the window is too small for the trunk, or a weight is not finite.
    """
    frames, mels = listening.frames, listening.logmel.n_mels
    if min(frames, mels) < SMALLEST_INPUT:
        raise InputError(f"a window of {frames} frames x {mels} mels is too small; the student needs {SMALLEST_INPUT}")
    folded = fold(student)
    writer = TfliteWriter("student")
    logmel = writer.tensor(INPUT, (1, frames, mels, 1))
    features, shape = logmel, (frames, mels)
    for number, conv in enumerate(folded.convs, start=1):
        features, shape = _block(writer, features, shape, conv, f"block{number}")
    logits = _head(writer, features, shape, folded)
    return writer.finish({INPUT: logmel}, {OUTPUT: logits})


def _block(
    writer: TfliteWriter, x: int, shape: tuple[int, int], conv: FoldedConv, name: str
) -> tuple[int, tuple[int, int]]:
    """Convolution with ReLU, then average pooling; returns the tensor and its height and width."""
    x = _convolution(writer, x, shape, conv, name, schema.ActivationFunctionType.RELU)
    height, width = shape[0] // 2, shape[1] // 2
    pooled = (1, height, width, len(conv.bias))
    return writer.operator("AVERAGE_POOL_2D", [x], f"{name}/pool", pooled, _pool_options(2, 2)), (height, width)


def _head(writer: TfliteWriter, features: int, shape: tuple[int, int], folded: FoldedStudent) -> int:
    """All heads and classes at once, as `students.csra.CsraHead` does; returns the logits [1, C]."""
    classes = folded.classes
    scores = _convolution(writer, features, shape, folded.score, "head/scores", schema.ActivationFunctionType.NONE)
    product = _product(writer, scores, shape[0] * shape[1], folded)
    takes_max = np.isinf(folded.temperatures)
    if not takes_max.any():
        return _reshape(writer, product, OUTPUT, (1, classes))
    rows = len(folded.score.bias)
    maxima = writer.operator("MAX_POOL_2D", [scores], "head/maxima", (1, 1, 1, rows), _pool_options(*shape))
    # A 1x1 convolution picks the maxima of each class's maximum heads, times lambda, and sums them.
    picked = np.kron(np.eye(classes), takes_max * folded.lam)[:, None, None, :]
    pick = FoldedConv(np.asarray(picked, np.float64), np.zeros(classes))
    maximum = _convolution(writer, maxima, (1, 1), pick, MAXIMUM, schema.ActivationFunctionType.NONE)
    left = _reshape(writer, product, f"{PRODUCT}_row", (1, classes))
    right = _reshape(writer, maximum, f"{MAXIMUM}_row", (1, classes))
    return writer.operator("ADD", [left, right], OUTPUT, (1, classes), schema.AddOptionsT())


def _product(writer: TfliteWriter, scores: int, positions: int, folded: FoldedStudent) -> int:
    """Mean, attention and sum over heads in one product [C, 1, 1]; a maximum's head has the mean alone."""
    classes, heads = folded.classes, len(folded.temperatures)
    shape = (1, classes * heads, positions)
    temperatures = np.tile(folded.temperatures, classes)[None, :, None]
    takes_max = np.isinf(temperatures)

    flat = _reshape(writer, scores, "head/positions", (1, positions, classes * heads))
    order = writer.constant("head/order", np.array([0, 2, 1], np.int32))
    rows = writer.operator("TRANSPOSE", [flat, order], "head/rows", shape, schema.TransposeOptionsT())
    temperature = _float32(writer, "head/temperature", np.where(takes_max, 1.0, temperatures))
    scaled = writer.operator("MUL", [rows, temperature], "head/scaled", shape, schema.MulOptionsT())
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    attention = writer.operator("SOFTMAX", [scaled], ATTENTION, shape, softmax)
    lam = _float32(writer, LAMBDA, np.where(takes_max, 0.0, folded.lam))
    weighted = writer.operator("MUL", [attention, lam], WEIGHTED, shape, schema.MulOptionsT())
    mean = _float32(writer, MEAN, np.full((1, 1, 1), 1.0 / positions))
    blend = writer.operator("ADD", [weighted, mean], BLEND, shape, schema.AddOptionsT())

    left = _reshape(writer, blend, f"{BLEND}_by_class", (classes, 1, heads * positions))
    right = _reshape(writer, rows, "head/rows_by_class", (classes, heads * positions, 1))
    return writer.operator("BATCH_MATMUL", [left, right], PRODUCT, (classes, 1, 1), schema.BatchMatMulOptionsT())


def _convolution(
    writer: TfliteWriter, x: int, shape: tuple[int, int], conv: FoldedConv, name: str, activation: int
) -> int:
    options = schema.Conv2DOptionsT()
    options.padding, options.fusedActivationFunction = schema.Padding.SAME, activation
    options.strideH = options.strideW = 1
    weight = _float32(writer, f"{name}/weight", conv.weight)
    bias = _float32(writer, f"{name}/bias", conv.bias)
    return writer.operator("CONV_2D", [x, weight, bias], name, (1, *shape, len(conv.bias)), options)


def _pool_options(height: int, width: int) -> object:
    options = schema.Pool2DOptionsT()
    options.padding = schema.Padding.VALID
    options.filterHeight, options.filterWidth = options.strideH, options.strideW = height, width
    return options


def _reshape(writer: TfliteWriter, x: int, name: str, shape: tuple[int, ...]) -> int:
    options = schema.ReshapeOptionsT()
    options.newShape = list(shape)
    target = writer.constant(f"{name}/shape", np.array(shape, np.int32))
    return writer.operator("RESHAPE", [x, target], name, shape, options)


def _float32(writer: TfliteWriter, name: str, values: NDArray[np.float64]) -> int:
    return writer.constant(name, values.astype(np.float32))
