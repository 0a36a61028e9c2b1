"""Random int8 networks without padding in time, whose overlapping windows may share what they make of a frame."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from one_op_tflite import Model, Node, Spec, build

Head = Literal["mean", "attention", "whole", "padded"]


class _Net:
    def __init__(self, rng: np.random.Generator, frames: int, mels: int) -> None:
        self.rng = rng
        self.tensors = [Spec((1, frames, mels, 1), (0.03,), (-1,), name="logmel")]
        self.nodes: list[Node] = []
        self.last = 0
        self.stride = 1

    def add(self, spec: Spec) -> int:
        self.tensors.append(spec)
        return len(self.tensors) - 1

    def constant(self, values: list[int]) -> int:
        return self.add(Spec((len(values),), (), (), data=np.asarray(values), dtype="int32"))

    def node(self, kind: str, inputs: list[int], made: Spec, options: tuple[str, dict[str, object]] | None) -> int:
        self.last = self.add(made)
        self.nodes.append(Node(kind, inputs, self.last, options))
        return self.last

    def weighted(
        self,
        kind: str,
        channels: int,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        dilation: int,
        *,
        same: bool,
        scale: float = 0.6,
    ) -> int:
        """A convolution; SAME in both axes or VALID in both."""
        rng, source = self.rng, self.tensors[self.last]
        depthwise = kind == "DEPTHWISE_CONV_2D"
        channels = source.shape[3] if depthwise else channels
        shape = (1, *kernel, channels) if depthwise else (channels, *kernel, source.shape[3])
        terms = kernel[0] * kernel[1] * (1 if depthwise else source.shape[3])
        scales = tuple(float(np.float32(scale)) for scale in rng.uniform(0.5, 1.0, channels) / 127 / terms**0.5)
        weights = Spec(shape, scales, (0,) * channels, 3 if depthwise else 0, rng.integers(-127, 128, shape))
        sums = tuple(float(np.float32(source.scales[0]) * np.float32(scale)) for scale in scales)
        bias = Spec((channels,), sums, (0,) * channels, data=rng.integers(-2000, 2000, channels) * scale, dtype="int32")
        rows = -(-source.shape[1] // stride[0])
        width = -(-source.shape[2] // stride[1])
        if not same:
            rows = (source.shape[1] - (kernel[0] - 1) * dilation - 1) // stride[0] + 1
            width = (source.shape[2] - kernel[1]) // stride[1] + 1
        relu = bool(rng.integers(2))
        made = Spec(
            (1, rows, width, channels), (float(np.float32(source.scales[0] * scale)),), (-128 if relu else -20,)
        )
        options: dict[str, object] = {
            "padding": int(not same), "strideH": stride[0], "strideW": stride[1], "dilationHFactor": dilation,
            "dilationWFactor": 1, "fusedActivationFunction": int(relu),
        }  # fmt: skip
        if depthwise:
            options["depthMultiplier"] = 1
        self.stride *= stride[0]
        inputs = [self.last, self.add(weights), self.add(bias)]
        return self.node(kind, inputs, made, ("DepthwiseConv2DOptions" if depthwise else "Conv2DOptions", options))

    def pool(self, kind: str, kernel: tuple[int, int], stride: tuple[int, int]) -> int:
        source = self.tensors[self.last]
        rows, width = ((source.shape[1 + axis] - kernel[axis]) // stride[axis] + 1 for axis in (0, 1))
        options = {
            "padding": 1, "strideH": stride[0], "strideW": stride[1], "filterHeight": kernel[0],
            "filterWidth": kernel[1],
        }  # fmt: skip
        self.stride *= stride[0]
        made = Spec((1, rows, width, source.shape[3]), source.scales, source.zeros)
        return self.node(kind, [self.last], made, ("Pool2DOptions", options))

    def residual(self) -> int:
        """A map and a pointwise convolution of it, added."""
        before = self.last
        source = self.tensors[before]
        made = self.weighted("CONV_2D", source.shape[3], (1, 1), (1, 1), 1, same=False)
        spec = Spec(source.shape, (source.scales[0],), (-10,))
        return self.node("ADD", [before, made], spec, ("AddOptions", {"fusedActivationFunction": 0}))

    def layer(self, depth: int) -> None:
        """One that never pads time, of a kind drawn at random, if it fits; time becomes shorter by a half at most."""
        rng = self.rng
        _, rows, width, channels = self.tensors[self.last].shape
        kernel = int(rng.integers(1, 4)), int(rng.integers(1, min(3, width) + 1))
        dilation = int(rng.integers(1, 3)) if kernel[0] > 1 and rng.integers(4) == 0 else 1
        stride = (int(rng.integers(1, 3)) if dilation == 1 else 1), int(rng.integers(1, 3)) if dilation == 1 else 1
        if (kernel[0] - 1) * dilation + 1 > rows // 2 or depth > 8:
            return
        kind = rng.choice(["conv", "conv", "depthwise", "depthwise", "average", "max", "wide", "residual", "reshape"])
        if kind == "conv":
            self.weighted("CONV_2D", int(rng.choice([2, 3, 4, 8])), kernel, stride, dilation, same=False)
        elif kind == "depthwise":
            self.weighted("DEPTHWISE_CONV_2D", 0, kernel, stride, dilation, same=False)
        elif kind in ("average", "max") and min(rows, width) >= 2:
            self.pool(f"{kind.upper()}_POOL_2D", (2, 2), (2, 2))
        elif kind == "wide" and min(rows, width) >= 3:
            self.pool(str(rng.choice(["AVERAGE_POOL_2D", "MAX_POOL_2D"])), (3, 2), (1, 1))
        elif kind == "residual":
            self.residual()
        elif kind == "reshape":
            shape = [1, rows, 1, width * channels]
            source = self.tensors[self.last]
            made = Spec(tuple(shape), source.scales, source.zeros)
            self.node("RESHAPE", [self.last, self.constant(shape)], made, None)

    def head(self, kind: Head) -> None:
        """Two scores of all rows."""
        _, rows, width, channels = self.tensors[self.last].shape
        if kind == "padded":
            self.weighted("CONV_2D", 2, (3, min(3, width)), (1, 1), 1, same=True)
            _, rows, width, channels = self.tensors[self.last].shape
        if kind == "whole":  # one kernel over everything that is left
            self.weighted("CONV_2D", 2, (rows, width), (1, 1), 1, same=False, scale=0.1)
        elif kind == "attention":
            self.weighted("CONV_2D", 2, (1, 1), (1, 1), 1, same=False, scale=0.1)
            scores = self.last
            flat = self.reshaped([1, rows * width, 2])
            order = self.constant([0, 2, 1])
            turned = Spec((1, 2, rows * width), self.tensors[flat].scales, self.tensors[flat].zeros)
            self.node("TRANSPOSE", [flat, order], turned, ("TransposeOptions", {}))
            left = self.reshaped([2, 1, rows * width])
            soft = Spec((2, 1, rows * width), (1 / 256,), (-128,))
            attention = self.node("SOFTMAX", [left], soft, ("SoftmaxOptions", {"beta": 1.0}))
            self.last = scores
            self.reshaped([1, rows * width, 2])
            self.node("TRANSPOSE", [self.last, order], turned, ("TransposeOptions", {}))
            values = self.reshaped([2, rows * width, 1])
            made = Spec((2, 1, 1), (self.tensors[scores].scales[0] / 2,), (-30,))
            options = ("BatchMatMulOptions", {"adjX": False, "adjY": False})
            self.node("BATCH_MATMUL", [attention, values], made, options)
        else:
            source = self.tensors[self.last]
            made = Spec((1, 1, 1, channels), (source.scales[0] / 4,), source.zeros)
            axes = self.constant([1, 2])
            self.node("MEAN", [self.last, axes], made, ("ReducerOptions", {"keepDims": True}))
            self.weighted("CONV_2D", 2, (1, 1), (1, 1), 1, same=False, scale=0.1)

    def reshaped(self, shape: list[int]) -> int:
        source = self.tensors[self.last]
        to = self.constant(shape)
        return self.node("RESHAPE", [self.last, to], Spec(tuple(shape), source.scales, source.zeros), None)


@dataclass(frozen=True)
class Streaming:
    """A .tflite file, and frames of input from one row before the head to the next."""

    content: bytes
    stride: int


def streaming(seed: int, head: Head, layers: int = 6, frames: int = 40, mels: int = 8) -> Streaming:
    """Layers without padding in time, and a head of two scores."""
    net = _Net(np.random.default_rng(seed), frames, mels)
    net.weighted("CONV_2D", 4, (3, 3), (1, 1), 1, same=False)
    for depth in range(layers):
        net.layer(depth)
    stride = net.stride
    net.head(head)
    return Streaming(build(Model(net.tensors, net.nodes)), stride)


def of_kernels(seed: int, kernels: list[int], frames: int, mels: int = 2) -> bytes:
    """Return a .tflite file of convolutions over so many rows each, one after the other, and a mean."""
    net = _Net(np.random.default_rng(seed), frames, mels)
    for kernel in kernels:
        net.weighted("CONV_2D", 2, (kernel, 1), (1, 1), 1, same=False)
    net.head("mean")
    return build(Model(net.tensors, net.nodes))
