"""Random models of several layers: branches, one map read by several operators, pools behind convolutions, sums, and
reshapes between all of them.
"""

import numpy as np
import random_tensors as draw
from one_op_tflite import Model, Node, Spec

CHANNELS = [1, 2, 3, 4, 4, 5, 8, 8, 12, 16]


class _Layers:
    def __init__(self, rng: draw.Rng) -> None:
        self.rng = rng
        shape = (1, int(rng.integers(3, 20)), int(rng.integers(1, 12)), int(rng.choice(CHANNELS)))
        self.tensors = [draw.activation(rng, shape)]
        self.nodes: list[Node] = []
        self.maps = [0]

    def add(self, spec: Spec) -> int:
        self.tensors.append(spec)
        return len(self.tensors) - 1

    def source(self) -> int:
        """The last map more often than an earlier one."""
        return self.maps[-1] if self.rng.integers(10) < 6 else int(self.rng.choice(self.maps))

    def made(self, kind: str, inputs: list[int], spec: Spec, options: tuple[str, dict[str, object]] | None) -> None:
        output = self.add(spec)
        self.nodes.append(Node(kind, inputs, output, options))
        self.maps.append(output)

    def bias(self, count: int, source: Spec, weights: Spec) -> int:
        bias = draw.bias(self.rng, count, source, weights)
        bias.data = np.clip(bias.data, -300_000, 300_000)
        return self.add(bias)

    def conv(self) -> None:
        rng, index = self.rng, self.source()
        source = self.tensors[index]
        window, size, kernel = draw.window(rng, source.shape, dilate=bool(rng.integers(4) == 0))
        count = int(rng.choice(CHANNELS))
        weights = draw.weights(rng, (count, *kernel, source.shape[3]), 0, bool(rng.integers(2)))
        spec = draw.activation(rng, (1, *size, count), draw.sum_scale(rng, source, weights))
        inputs = [index, self.add(weights), self.bias(count, source, weights)]
        self.made("CONV_2D", inputs, spec, ("Conv2DOptions", window | {"fusedActivationFunction": draw.fused(rng)}))

    def depthwise(self) -> None:
        rng, index = self.rng, self.source()
        source = self.tensors[index]
        window, size, kernel = draw.window(rng, source.shape, dilate=bool(rng.integers(4) == 0))
        count = source.shape[3]
        weights = draw.weights(rng, (1, *kernel, count), 3, bool(rng.integers(2)))
        spec = draw.activation(rng, (1, *size, count), draw.sum_scale(rng, source, weights, channels=1))
        options = window | {"fusedActivationFunction": draw.fused(rng), "depthMultiplier": 1}
        inputs = [index, self.add(weights), self.bias(count, source, weights)]
        self.made("DEPTHWISE_CONV_2D", inputs, spec, ("DepthwiseConv2DOptions", options))

    def pool(self) -> None:
        index = self.source()
        source = self.tensors[index]
        if min(source.shape[1:3]) < 2:
            return
        kind = str(self.rng.choice(["AVERAGE_POOL_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"]))
        options = {"padding": 1, "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
        shape = (1, source.shape[1] // 2, source.shape[2] // 2, source.shape[3])
        self.made(kind, [index], Spec(shape, source.scales, source.zeros), ("Pool2DOptions", options))

    def conv_and_pool(self) -> None:
        self.conv()
        self.pool()

    def combine(self) -> None:
        rng, left = self.rng, self.source()
        right = int(rng.choice([index for index in self.maps if self.tensors[index].shape == self.tensors[left].shape]))
        kind = str(rng.choice(["ADD", "ADD", "SUB", "MUL"]))
        scales = [self.tensors[index].scales[0] for index in (left, right)]
        scale = scales[0] * scales[1] * 60 if kind == "MUL" else max(scales) * float(2 ** rng.uniform(-1, 2))
        options = (f"{kind.title()}Options", {"fusedActivationFunction": draw.fused(rng)})
        self.made(kind, [left, right], draw.activation(rng, self.tensors[left].shape, scale), options)

    def gate(self) -> None:
        """Squeeze and excitation without its two layers: a map times the sigmoid of its mean over time and width."""
        index = self.source()
        source = self.tensors[index]
        axes = self.add(Spec((2,), (), (), data=np.asarray([1, 2]), dtype="int32"))
        mean = self.add(Spec((1, 1, 1, source.shape[3]), source.scales, source.zeros))
        gate = self.add(Spec((1, 1, 1, source.shape[3]), (1 / 256,), (-128,)))
        self.nodes.append(Node("MEAN", [index, axes], mean, ("ReducerOptions", {"keepDims": True})))
        self.nodes.append(Node("LOGISTIC", [mean], gate))
        spec = draw.activation(self.rng, source.shape, source.scales[0] * float(2 ** self.rng.uniform(-2, 0)))
        self.made("MUL", [index, gate], spec, ("MulOptions", {"fusedActivationFunction": draw.fused(self.rng)}))

    def pad(self) -> None:
        index = self.source()
        source = self.tensors[index]
        amounts = self.rng.integers(0, 3, (4, 2))
        amounts[[0, 3]] = 0
        to = self.add(Spec((4, 2), (), (), data=amounts, dtype="int32"))
        shape = tuple(int(size + pair.sum()) for size, pair in zip(source.shape, amounts, strict=True))
        self.made("PAD", [index, to], Spec(shape, source.scales, source.zeros), ("PadOptions", {}))

    def reshape(self) -> None:
        index = self.source()
        source = self.tensors[index]
        _, rows, width, channels = source.shape
        shapes = [(1, rows, 1, width * channels), (1, rows * width, 1, channels)]
        shapes += [(1, rows, width // 2, 2 * channels)] * 3 if width % 2 == 0 else []
        shapes += [(1, rows, 2 * width, channels // 2)] * 3 if channels % 2 == 0 else []
        shape = shapes[int(self.rng.integers(len(shapes)))]
        if shape[3] <= 64:
            to = self.add(Spec((4,), (), (), data=np.asarray(shape), dtype="int32"))
            self.made("RESHAPE", [index, to], Spec(shape, source.scales, source.zeros), None)


def layered(seed: int) -> Model:
    """Return a random model of four to twelve layers; what no layer reads is in the file and comes out nowhere."""
    rng = np.random.default_rng(seed)
    layers = _Layers(rng)
    conv, depthwise = layers.conv, layers.depthwise
    kinds = (conv, conv, depthwise, layers.pool, layers.conv_and_pool, layers.combine, layers.combine, layers.reshape)
    kinds += (layers.gate, layers.pad)
    for _ in range(int(rng.integers(4, 13))):
        kinds[int(rng.integers(len(kinds)))]()
    conv()
    return Model(layers.tensors, layers.nodes)
