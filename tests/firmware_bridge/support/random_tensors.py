"""Tensors, windows and activations drawn for random models, extremes included."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from one_op_tflite import Spec

Rng = np.random.Generator
ACTIVATIONS = [
    schema.ActivationFunctionType.NONE,
    schema.ActivationFunctionType.RELU,
    schema.ActivationFunctionType.RELU6,
    schema.ActivationFunctionType.RELU_N1_TO_1,
]


def feature_map(rng: Rng, channels: int | None = None) -> Spec:
    rows, width, drawn = int(rng.integers(1, 14)), int(rng.integers(1, 9)), int(rng.integers(1, 7))
    return activation(rng, (1, rows, width, channels or drawn))


def activation(rng: Rng, shape: tuple[int, ...], scale: float | None = None) -> Spec:
    zero = int(rng.choice([-128, 127, 0, rng.integers(-128, 128)]))
    chosen = float(2 ** rng.uniform(-8, 1)) if scale is None else scale
    return Spec(shape, (float(np.float32(chosen)),), (zero,))


def values(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return rng.choice([-128, 127], shape) if rng.integers(4) == 0 else rng.integers(-128, 128, shape)


def weights(rng: Rng, shape: tuple[int, ...], axis: int, per_channel: bool) -> Spec:
    count = shape[axis] if per_channel else 1
    scales = tuple(float(np.float32(value)) for value in 2 ** rng.uniform(-9, -3, count))
    lowest = -128 if rng.integers(4) == 0 else -127
    values = rng.choice([lowest, 127], shape) if rng.integers(4) == 0 else rng.integers(lowest, 128, shape)
    return Spec(shape, scales, (0,) * count, axis, values)


def bias(rng: Rng, count: int, source: Spec, weights: Spec) -> Spec:
    scales = tuple(float(np.float32(source.scales[0]) * np.float32(scale)) for scale in weights.scales)
    values = rng.integers(-20000, 20000, count)
    if rng.integers(4) == 0:
        values[int(rng.integers(count))] = int(rng.choice([-1, 1])) << 30
    return Spec((count,), scales, (0,) * len(scales), 0, values, "int32")


def sum_scale(rng: Rng, source: Spec, weights: Spec, channels: int | None = None) -> float:
    terms = np.prod(weights.shape[1:]) if channels is None else np.prod(weights.shape[1:3])
    largest = source.scales[0] * max(weights.scales) * 70 * 70 * float(terms) ** 0.5
    return float(np.float32(largest / 127 * 2 ** rng.uniform(-3, 3)))


def window(
    rng: Rng, shape: tuple[int, ...], dilate: bool
) -> tuple[dict[str, object], tuple[int, int], tuple[int, int]]:
    """Options, output size and kernel; VALID kernels always fit."""
    same = bool(rng.integers(2))
    sizes, kernel, stride, dilation = [], [], [], []
    for size in shape[1:3]:
        k = int(rng.integers(1, 6 if same else min(6, size + 1)))
        most = 3 if same else max(1, (size - 1) // max(k - 1, 1))
        d = int(rng.integers(1, min(most, 3) + 1)) if dilate and rng.integers(2) else 1
        s = 1 if d > 1 else int(rng.integers(1, 4))
        reach = (k - 1) * d + 1
        sizes.append(-(-size // s) if same else (size - reach) // s + 1)
        kernel.append(k)
        stride.append(s)
        dilation.append(d)
    options: dict[str, object] = {"padding": int(not same), "strideH": stride[0], "strideW": stride[1]}
    if dilate:
        options |= {"dilationHFactor": dilation[0], "dilationWFactor": dilation[1]}
    return options, (sizes[0], sizes[1]), (kernel[0], kernel[1])


def fused(rng: Rng) -> int:
    return int(rng.choice(ACTIVATIONS))
