"""Correct what rounding adds to the mean of every convolution."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from export.tflite.activations import activations
from export.tflite.int8_model import int8_tflite
from export.tflite.ranges import Ranges

_STEPS = 2
_LEAST_ACTIVE = 0.1


def corrected_biases(float_model: bytes, ranges: Ranges, features: NDArray[np.float32]) -> bytes:
    """Shift the biases of a float model so that its int8 form keeps the mean of every channel.

    Inputs of a convolution after ReLU are positive, so errors of rounded weights do not cancel but move a channel's
    mean, and the next layers add to it. The first convolution is corrected first, and every later one sees what the
    corrected layers before it give. Source: Nagel et al. 2019, "Data-free quantization", section 4.2, with measured
    instead of assumed means.

    Parameters
    ----------
    float_model : bytes
        As :func:`export.tflite.float_model.float_tflite` writes it.
    ranges : dict
        The ranges that the int8 model will have.
    features : ndarray of float32, shape [N, frames, mels]
        Normalised log-mels of training windows; some dozens are enough.

    Returns
    -------
    bytes
        A float model to hand to :func:`export.tflite.int8_model.int8_tflite` with the same ranges, and to nothing else.

    Raises
    ------
    InputError
        As the functions it calls.
    """
    model = schema.ModelT.InitFromPackedBuf(float_model)
    convolutions = {c.name: c for c in _convolutions(model)}
    wanted = _statistics(float_model, features, convolutions)
    for name, convolution in convolutions.items():
        # Where a ReLU cuts part of the values, the mean follows the bias by the share that passes.
        gain = np.maximum(wanted[name].active, _LEAST_ACTIVE) if convolution.relu else 1.0
        for _ in range(_STEPS):
            int8 = int8_tflite(_to_bytes(model), ranges)
            error = _statistics(int8, features, [name])[name].mean - wanted[name].mean
            convolution.add_to_bias(-error / gain)
    return _to_bytes(model)


@dataclass(frozen=True)
class _Statistics:
    """Mean and share of positive values of every channel."""

    mean: NDArray[np.float64]
    active: NDArray[np.float64]


@dataclass(frozen=True)
class _Convolution:
    """A convolution of a model: the name of what it writes, the buffer of its bias, whether a ReLU follows."""

    name: str
    bias: Any
    relu: bool

    def add_to_bias(self, shift: NDArray[np.float64]) -> None:
        """Change the model that the convolution belongs to."""
        values = np.frombuffer(bytes(self.bias.data), np.float32) + shift
        self.bias.data = np.frombuffer(values.astype(np.float32).tobytes(), np.uint8)


def _convolutions(model: Any) -> Iterator[_Convolution]:
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.CONV_2D:
            name = graph.tensors[operator.outputs[0]].name.decode()
            bias = model.buffers[graph.tensors[operator.inputs[2]].buffer]
            activation = operator.builtinOptions.fusedActivationFunction
            yield _Convolution(name, bias, activation == schema.ActivationFunctionType.RELU)


def _statistics(model: bytes, features: NDArray[np.float32], names: Collection[str]) -> dict[str, _Statistics]:
    sums = {name: np.zeros((2, 1)) for name in names}
    for values in activations(model, features, "correcting biases"):
        for name in names:
            channels = values[name].reshape(-1, values[name].shape[-1])
            sums[name] = sums[name] + [channels.mean(0, dtype=np.float64), (channels > 0).mean(0)]
    return {name: _Statistics(*(total / len(features))) for name, total in sums.items()}


def _to_bytes(model: Any) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
