"""An int8 CNN6 with random weights, with a plain 1x1 head or with the class-specific residual attention of a
student.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from one_op_tflite import Model, Node, Spec, build


class _Net:
    def __init__(self, rng: np.random.Generator, frames: int, mels: int) -> None:
        self.rng = rng
        self.tensors = [Spec((1, frames, mels, 1), (0.03,), (-1,), name="logmel")]
        self.nodes: list[Node] = []

    def add(self, spec: Spec) -> int:
        self.tensors.append(spec)
        return len(self.tensors) - 1

    def constant(self, values: list[int]) -> int:
        return self.add(Spec((len(values),), (), (), data=np.asarray(values), dtype="int32"))

    def node(
        self, kind: str, inputs: list[int], made: Spec, options: tuple[str, dict[str, object]] | None = None
    ) -> int:
        output = self.add(made)
        self.nodes.append(Node(kind, inputs, output, options))
        return output

    def same(self, source: int, shape: tuple[int, ...]) -> Spec:
        return Spec(shape, self.tensors[source].scales, self.tensors[source].zeros)

    def conv(self, source: int, channels: int, kernel: int, relu: bool) -> int:
        shape = self.tensors[source].shape
        taps = kernel * kernel * shape[3]
        weights = self.add(
            Spec(
                (channels, kernel, kernel, shape[3]),
                tuple(float(np.float32(scale)) for scale in self.rng.uniform(0.5, 1.0, channels) / 127 / taps**0.5),
                (0,) * channels,
                data=self.rng.integers(-127, 128, (channels, kernel, kernel, shape[3])),
            )
        )
        scales = tuple(
            float(np.float32(self.tensors[source].scales[0]) * np.float32(s)) for s in self.tensors[weights].scales
        )
        bias = self.add(
            Spec((channels,), scales, (0,) * channels, data=self.rng.integers(-2000, 2000, channels), dtype="int32")
        )
        made = Spec(
            (*shape[:3], channels), (float(np.float32(self.tensors[source].scales[0] * 0.6)),), (-128 if relu else -20,)
        )
        options = {"padding": 0, "strideH": 1, "strideW": 1, "fusedActivationFunction": int(relu)}
        return self.node("CONV_2D", [source, weights, bias], made, ("Conv2DOptions", options))

    def pool(self, source: int, kind: str, height: int, width: int) -> int:
        _, rows, columns, channels = self.tensors[source].shape
        options = {"padding": 1, "strideH": height, "strideW": width, "filterHeight": height, "filterWidth": width}
        made = self.same(source, (1, rows // height, columns // width, channels))
        return self.node(kind, [source], made, ("Pool2DOptions", options))

    def reshape(self, source: int, shape: list[int]) -> int:
        return self.node("RESHAPE", [source, self.constant(shape)], self.same(source, tuple(shape)))


def cnn6(rng: np.random.Generator, frames: int, mels: int = 64, width: int = 8, heads: int = 0) -> bytes:
    """The bytes of a CNN6: 5x5 convolutions of width, 2 width, 4 width and 8 width channels, an average pool 2x2
    after each.

    heads = 0 ends in a 1x1 convolution to two channels; more in as many attention heads and a maximum over positions.
    """
    net = _Net(rng, frames, mels)
    last = 0
    for block in range(4):
        last = net.conv(last, width << block, 5, relu=True)
        last = net.pool(last, "AVERAGE_POOL_2D", 2, 2)
    last = net.conv(last, 2 * max(heads, 1), 1, relu=False)
    if heads:
        _attention(net, last, heads)
    return build(Model(net.tensors, net.nodes))


def _attention(net: _Net, scores: int, heads: int) -> None:
    _, rows, columns, count = net.tensors[scores].shape
    positions = rows * columns
    flat = net.reshape(scores, [1, positions, count])
    turned = net.node(
        "TRANSPOSE", [flat, net.constant([0, 2, 1])], net.same(flat, (1, count, positions)), ("TransposeOptions", {})
    )
    none = {"fusedActivationFunction": schema.ActivationFunctionType.NONE}
    sharpness = net.add(Spec((1, count, 1), (0.02,), (-128,), data=net.rng.integers(-100, 128, (1, count, 1))))
    sharp = Spec((1, count, positions), (net.tensors[scores].scales[0] * 2,), (-16,))
    scaled = net.node("MUL", [turned, sharpness], sharp, ("MulOptions", none))
    attention = Spec((1, count, positions), (1 / 256,), (-128,))
    weights = net.node("SOFTMAX", [scaled], attention, ("SoftmaxOptions", {"beta": 1.0}))
    shares = net.reshape(weights, [2, 1, heads * positions])
    values = net.reshape(turned, [2, heads * positions, 1])
    made = Spec((2, 1, 1), (net.tensors[scores].scales[0],), (-30,))
    product = net.node("BATCH_MATMUL", [shares, values], made, ("BatchMatMulOptions", {"adjX": False, "adjY": False}))
    attended = net.reshape(product, [1, 2])
    peak = net.conv(net.pool(scores, "MAX_POOL_2D", rows, columns), 2, 1, relu=False)
    sum_of_both = Spec((1, 2), (net.tensors[scores].scales[0],), (3,))
    net.node("ADD", [attended, net.reshape(peak, [1, 2])], sum_of_both, ("AddOptions", none))
