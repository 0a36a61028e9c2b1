"""Correct what rounding adds to the mean of every convolution."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from export.tflite.activations import activations
from export.tflite.beginnings import Beginnings
from export.tflite.int8_model import HARD_SWISH_ZERO, int8_tflite, only_hard_swish_reads
from export.tflite.ranges import Ranges
from export.tflite.structure import Step, Structure
from lungsound.terminal import progress

_STEPS = 2
_LEAST_ACTIVE = 0.1
_CORRECTED = ("CONV_2D", "DEPTHWISE_CONV_2D")
_HIGHEST = {schema.ActivationFunctionType.RELU: np.inf, schema.ActivationFunctionType.RELU6: 6.0}


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
    exact, rounded = Structure(float_model), Structure(int8_tflite(float_model, ranges))
    convolutions = [_Convolution(exact, step) for step in exact.steps if step.kind in _CORRECTED]
    wanted = _statistics(float_model, features, convolutions)
    beginnings = Beginnings(rounded)
    by_name = {rounded.name(step.output): step for step in rounded.steps}
    for convolution in progress(convolutions, "correcting biases"):
        # Where an activation cuts part of the values, the mean follows the bias by the share that passes.
        target, step = wanted[convolution.name], by_name[convolution.name]
        gain = np.maximum(target.active, _LEAST_ACTIVE) if convolution.is_cut else 1.0
        for _ in range(_STEPS):
            found = _statistics(beginnings.as_far_as(step), features, [convolution])[convolution.name]
            convolution.add_to_bias(-(found.mean - target.mean) / gain)
            scale = np.asarray(rounded.graph.tensors[step.inputs[2]].quantization.scale, np.float32)
            beginnings.set_constant(step.inputs[2], convolution.rounded_bias(scale))
    return exact.to_bytes()


@dataclass(frozen=True)
class _Statistics:
    """Mean of every channel, and the share of values that an activation passes."""

    mean: NDArray[np.float64]
    active: NDArray[np.float64]


class _Convolution:
    """A convolution of a float model: the name of what it writes, its bias, between which values an activation cuts.

    ReLU and ReLU6 are part of it; of a hard-swish behind it, the int8 form cuts what gives 0.
    """

    def __init__(self, model: Structure, step: Step) -> None:
        self.name = model.name(step.output)
        self.lowest, self.highest = -np.inf, np.inf
        if step.options.fusedActivationFunction in _HIGHEST:
            self.lowest, self.highest = 0.0, _HIGHEST[step.options.fusedActivationFunction]
        elif only_hard_swish_reads(model, step.output):
            self.lowest = HARD_SWISH_ZERO
        self.is_cut = np.isfinite(self.lowest)
        self._bias = model.buffer(step.inputs[2])

    def add_to_bias(self, shift: NDArray[np.float64]) -> None:
        """Change the model that the convolution belongs to."""
        values = np.frombuffer(bytes(self._bias.data), np.float32) + shift
        self._bias.data = np.frombuffer(values.astype(np.float32).tobytes(), np.uint8)

    def rounded_bias(self, scale: NDArray[np.float32]) -> NDArray[np.int32]:
        """Return the bias as the quantizer of an int8 model would; nothing else of the model depends on it."""
        values = np.frombuffer(bytes(self._bias.data), np.float32)
        codes = np.rint(values / scale).astype(np.float64)  # float32 has no largest int32
        return np.asarray(np.clip(codes, -(2**31) + 1, 2**31 - 1), np.int32)


def _statistics(
    model: bytes, features: NDArray[np.float32], convolutions: Collection[_Convolution]
) -> dict[str, _Statistics]:
    sums = {convolution.name: np.zeros((2, 1)) for convolution in convolutions}
    for values in activations(model, features, None, sums.keys()):
        for convolution in convolutions:
            name, lowest, highest = convolution.name, convolution.lowest, convolution.highest
            channels = np.maximum(values[name].reshape(-1, values[name].shape[-1]), lowest)
            passed = (channels > lowest) & (channels < highest)
            sums[name] = sums[name] + [channels.mean(0, dtype=np.float64), passed.mean(0)]
    return {name: _Statistics(*(total / len(features))) for name, total in sums.items()}
