"""Chains of convolutions whose channels differ as those of trained networks do: some dead, some scaled up, some with
sums beyond 2^30, in layers of every shape that decides which kernel a core takes.
"""

from dataclasses import dataclass

import numpy as np
import random_tensors as draw
from one_op_tflite import Model, Node, Spec

_OUT_OF_ITS_RANGE, _SPREAD = 60, 70  # of a value and of a sum's factors, roughly


@dataclass(frozen=True)
class Layer:
    """A convolution, SAME; with `multiplier` a depthwise one of so many outputs for each input channel; without
    a kernel FULLY_CONNECTED, a layer that must be the last.
    """

    kernel: tuple[int, int] | None
    channels: int = 0
    multiplier: int = 0
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)


def chain(
    rng: draw.Rng, size: tuple[int, int, int], layers: list[Layer], most_exponent: int = 12, wild: bool = True
) -> Model:
    """Return a model of `layers` behind an input [rows, width, channels].

    Some channels are dead, and some scaled up, by up to 2^most_exponent. If it is `wild`, some sums exceed 2^30,
    and zero points and activations are random; otherwise every layer ends in ReLU6 as training leaves it.
    """
    model = Model([draw.activation(rng, (1, *size), 0.05)], [])
    for layer in layers:
        _add(rng, model, layer, most_exponent, wild)
    return model


def mobilenet(rng: draw.Rng) -> Model:
    """Return MobileNetV1 of width 1/4 for 96 x 96 pixels, without its last pool and layer."""
    layers = [Layer((3, 3), 8, stride=(2, 2))]
    for channels, step in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)):
        layers += [Layer((3, 3), multiplier=1, stride=(step, step)), Layer((1, 1), channels)]
    return chain(rng, (96, 96, 3), layers, 6, wild=False)


def _add(rng: draw.Rng, model: Model, layer: Layer, most_exponent: int, wild: bool) -> None:
    source = model.tensors[-1]
    last = len(model.tensors) - 1
    channels = source.shape[3]
    count = channels * layer.multiplier or layer.channels
    shape = (1, *(layer.kernel or ()), count) if layer.multiplier else (count, *(layer.kernel or ()), channels)
    made = draw.activation(rng, _shape(source, layer, count), 0.05)
    activation = draw.fused(rng) if wild and rng.integers(3) == 0 else 0
    if not wild:
        made, activation = Spec(made.shape, (float(np.float32(6 / 255)),), (-128,)), 3
    axis = 3 if layer.multiplier else 0
    weights, bias, factors = _channels(rng, shape, axis, most_exponent, wild)
    scales = tuple(float(np.float32(factor * made.scales[0] / source.scales[0])) for factor in factors)
    model.tensors += [
        Spec(shape, scales, (0,) * count, axis, weights),
        Spec(
            (count,),
            tuple(float(np.float32(source.scales[0] * scale)) for scale in scales),
            (0,) * count,
            0,
            bias,
            "int32",
        ),
        made,
    ]
    inputs = [last, last + 1, last + 2]
    if layer.kernel is None:
        model.nodes.append(Node("FULLY_CONNECTED", inputs, last + 3, ("FullyConnectedOptions", {})))
        return
    options: dict[str, object] = {
        "padding": 0, "strideH": layer.stride[0], "strideW": layer.stride[1], "dilationHFactor": layer.dilation[0],
        "dilationWFactor": layer.dilation[1], "fusedActivationFunction": activation,
    }  # fmt: skip
    kind, name = "CONV_2D", "Conv2DOptions"
    if layer.multiplier:
        kind, name = "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions"
        options["depthMultiplier"] = layer.multiplier
    model.nodes.append(Node(kind, inputs, last + 3, (name, options)))


def _shape(source: Spec, layer: Layer, count: int) -> tuple[int, ...]:
    rows, width = (-(-size // step) for size, step in zip(source.shape[1:3], layer.stride, strict=True))
    return (1, rows, width, count) if layer.kernel else (rows * width, count)


def _channels(
    rng: draw.Rng, shape: tuple[int, ...], axis: int, most_exponent: int, wild: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, biases, and what the sums are multiplied by."""
    count = shape[axis]
    weights = np.moveaxis(rng.integers(-127, 128, shape), axis, 0).reshape(count, -1)
    terms = weights.shape[1]
    factors = _OUT_OF_ITS_RANGE / (_SPREAD * _SPREAD * terms**0.5) * 2 ** rng.uniform(-1, 1, count)
    bias = rng.integers(-9000, 9000, count)
    for channel in range(count):
        kind = rng.integers(8)
        if kind == 0:  # dead
            factors[channel] = 2.0 ** rng.uniform(-60, -22)
        elif kind == 1:  # scaled up, or by the half of a step
            factors[channel] = 2.0 ** rng.uniform(-1, rng.integers(0, most_exponent + 1))
            weights[channel] = rng.integers(-1, 2, terms) * (rng.random(terms) < 3 / terms)
            bias[channel] = rng.integers(-50, 50)
        elif kind == 2 and wild and rng.integers(2):  # a bias beyond what doubling leaves room for
            bias[channel] = int(rng.choice([-1, 1])) * int(rng.integers(1 << 29, 2_000_000_000))
            factors[channel] = 2.0 ** rng.uniform(-33, -23)
    moved = [shape[axis], *(size for index, size in enumerate(shape) if index != axis)]
    return np.moveaxis(weights.reshape(moved), 0, axis), bias, factors
