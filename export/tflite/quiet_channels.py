"""Biases that need more than 32 bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.tflite.structure import Step, Structure

_WEIGHED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_ROOM = 2**29
"""Largest code of a bias that was brought within 32 bits: the sum of products, and a corrected bias, fit beside it."""


def with_room_for_biases(float_model: bytes, int8_model: bytes) -> bytes:
    """Coarsen the weights of channels whose bias is too large for their scale.

    A bias is int32 at the scale of input times weights. In a channel that training has switched off, as in most
    layers of a published MobileNet, the weights are nearly nothing, and so is the scale: the bias, all that the channel
    says, would saturate or change its sign. At a coarser scale it is exact, and the weights still count for nothing.

    Parameters
    ----------
    float_model, int8_model : bytes
        Before and after quantization.

    Returns
    -------
    bytes
        The int8 model; as it is, where every bias fits.
    """
    exact, rounded = Structure(float_model), Structure(int8_model)
    biases = {exact.name(step.output): exact.constant(step.inputs[2]) for step in _weighed(exact)}
    changed = [_coarsened(rounded, step, biases.get(rounded.name(step.output))) for step in _weighed(rounded)]
    return rounded.to_bytes() if any(changed) else int8_model


def _weighed(model: Structure) -> list[Step]:
    return [step for step in model.steps if step.kind in _WEIGHED and len(step.inputs) == 3 and step.inputs[2] >= 0]


def _coarsened(model: Structure, step: Step, bias: NDArray[np.float32] | None) -> bool:
    """Coarsen the channels of one layer that need it, and say whether there were any."""
    weights, offsets = (model.graph.tensors[tensor] for tensor in step.inputs[1:])
    scale = np.asarray(offsets.quantization.scale, np.float64)
    if bias is None or scale.shape != bias.shape or len(model.readers(step.inputs[1])) > 1:
        return False
    factor = np.abs(bias) / scale / _ROOM
    factor = np.where(factor > 2, factor, 1.0)
    if (factor == 1).all():
        return False
    along = [-1 if axis == weights.quantization.quantizedDimension else 1 for axis in range(len(weights.shape))]
    codes = np.frombuffer(bytes(model.buffer(step.inputs[1]).data), np.int8).reshape(weights.shape)
    _put(model, step.inputs[1], np.rint(codes / factor.reshape(along)).astype(np.int8))
    for tensor in (weights, offsets):
        tensor.quantization.scale = (np.asarray(tensor.quantization.scale) * factor).astype(np.float32)
    _put(model, step.inputs[2], np.rint(bias / np.asarray(offsets.quantization.scale, np.float64)).astype(np.int32))
    return True


def _put(model: Structure, tensor: int, values: NDArray[Any]) -> None:
    model.buffer(tensor).data = np.frombuffer(values.tobytes(), np.uint8)
