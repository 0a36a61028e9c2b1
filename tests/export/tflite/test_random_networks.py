"""Any torch network: the float .tflite gives what torch computes."""

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from export.graph.read import read_graph
from export.tflite.float_model import write_graph
from export.tflite.int8_model import LOGIT_LIMIT, int8_tflite
from export.tflite.ranges import calibrate
from export.tflite.runtime import LiteRT

F = nn.functional


def outputs(model: bytes, x: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(
        model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    runner = interpreter.get_signature_runner("serving_default")
    return np.concatenate([runner(logmel=window[0][None, :, :, None])["logits"] for window in x])


def kinds(model: bytes) -> list[str]:
    return [operator["op_name"] for operator in Interpreter(model_content=model)._get_ops_details()]


def assert_equals_torch(network: nn.Module, frames: int, mels: int, dtype: torch.dtype = torch.float64) -> bytes:
    """Hold the file against torch, within 1e-5 of the largest logit (or of one)."""
    network = network.eval()
    x = torch.randn(2, 1, frames, mels, generator=torch.Generator().manual_seed(0))
    model = write_graph(read_graph(network, frames, mels))
    got = outputs(model, x.numpy())
    with torch.no_grad():
        expected = torch.cat([network.to(dtype)(window[None].to(dtype)) for window in x]).numpy()
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * max(1.0, np.abs(expected).max()))
    return model


def assert_int8_is_near(model: bytes, frames: int, mels: int) -> None:
    """Hold the int8 form of a model against itself, within a tenth of the range of its logits."""
    x = np.random.default_rng(1).standard_normal((8, frames, mels)).astype(np.float32)
    int8 = int8_tflite(model, calibrate(model, x))
    interpreter = Interpreter(
        model_content=int8, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    assert {detail["dtype"] for detail in interpreter.get_tensor_details()} <= {np.int8, np.int32}
    runtime = LiteRT(int8, "reference")
    assert runtime.input is not None
    assert runtime.output is not None
    got = runtime.output.dequantize(runtime.run(runtime.input.quantize(x)))
    got, expected = (np.clip(values, -LOGIT_LIMIT, LOGIT_LIMIT) for values in (got, LiteRT(model).run(x)))
    assert np.abs(got - expected).max() <= 0.1 * np.ptp(expected) + 2 * runtime.output.scale


class Function(nn.Module):
    """Eight channels of the input, a function, and what is left of it as logits."""

    def __init__(self, function) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        y = self.function(self.first(x))
        return y if y.ndim == 2 else y.flatten(1)[:, :40]


WEIGHT = torch.randn(8, 8, 3, 3, generator=torch.Generator().manual_seed(1)) / 6
COLUMNS = torch.randn(8, 5, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (lambda x: F.conv2d(F.pad(x, (0, 1, 2, 0)), WEIGHT, stride=2), "PAD"),
        (lambda x: F.conv2d(x, WEIGHT, padding=2, dilation=2), "CONV_2D"),
        (lambda x: F.conv2d(x, WEIGHT[:, :4], padding=1, groups=2, stride=(2, 1)), "CONV_2D"),
        (lambda x: F.conv2d(x, WEIGHT[:, :1].repeat(2, 1, 1, 1), padding=1, groups=8), "DEPTHWISE_CONV_2D"),
        (lambda x: F.conv1d(x.mean(3), WEIGHT[:, :, 0], padding=1), "CONV_2D"),
        (lambda x: F.hardswish(x), "HARD_SWISH"),
        (lambda x: F.hardsigmoid(x), "MUL"),
        (lambda x: F.silu(x), "LOGISTIC"),
        (lambda x: torch.tanh(x) + torch.sigmoid(x), "TANH"),
        (lambda x: F.relu6(x.mean(2, keepdim=True) * 9), "MUL"),
        (lambda x: F.relu6(torch.cat([x * 5, x], 1)), "CONCATENATION"),
        (lambda x: F.softmax(x, 1), "SOFTMAX"),
        (lambda x: F.softmax(x, 3), "TRANSPOSE"),
        (lambda x: F.softmax(x.flatten(2), -1) @ x.flatten(2).mT, "BATCH_MATMUL"),
        (lambda x: x.mean((2, 3)) @ COLUMNS, "CONV_2D"),
        (lambda x: (COLUMNS.T @ x[0].mean(2))[None], "CONV_2D"),
        (lambda x: COLUMNS.T @ x.flatten(2), "CONV_2D"),
        (lambda x: F.linear(x.permute(0, 2, 3, 1), COLUMNS.T), "CONV_2D"),
        (lambda x: F.max_pool2d(x, 3, 2, 1), "PADV2"),
        (lambda x: F.max_pool2d(torch.relu(x), 3, 2, 1), "PAD"),
        (lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), "MAX_POOL_2D"),
        (lambda x: F.avg_pool2d(x, 3, 2, 1), "PAD"),
        (lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), "MUL"),
        (lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True), "AVERAGE_POOL_2D"),
        (lambda x: F.avg_pool2d(x, 2, divisor_override=3), "MUL"),
        (lambda x: F.adaptive_avg_pool2d(x, (6, 5)), "AVERAGE_POOL_2D"),
        (lambda x: F.adaptive_max_pool2d(x, 1), "MAX_POOL_2D"),
        (lambda x: F.adaptive_avg_pool2d(x, 1), "MEAN"),
        (lambda x: x.mean(3).amax(2) + x.mean(3).mean(2), "MAX_POOL_2D"),
        (lambda x: x.amax(1), "MAX_POOL_2D"),
        (lambda x: x.permute(2, 0, 3, 1).amax((0, 3)), "MAX_POOL_2D"),
        (lambda x: x.sum((1, 2)), "MEAN"),
        (lambda x: x.mean()[None, None], "MEAN"),
        (lambda x: (x - x.mean(1, keepdim=True)).square(), "SUB"),
        (lambda x: 2 - x / 4 + 3 * torch.rsub(x, 1.0), "SUB"),
        (lambda x: torch.add(x, x.flip(0) if False else x, alpha=-2) + (-x), "ADD"),
        (lambda x: x * torch.sigmoid(x.mean((2, 3)))[:, :, None, None], "MUL"),
        (lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)).expand(1, 8, 12, 10), "MUL"),
        (lambda x: x.mean((2, 3), keepdim=True).expand(1, 8, 3, 2), "MUL"),
        (lambda x: torch.cat([x, x.mean(1, keepdim=True), torch.ones(1, 2, 12, 10)], 1), "CONCATENATION"),
        (lambda x: torch.cat([x, x * 2], 3), "CONCATENATION"),
        (lambda x: x.reshape(1, 2, 4, 12, 10).transpose(1, 2).reshape(1, 8, 12, 10), "TRANSPOSE"),
        (lambda x: torch.cat(x.chunk(2, 1)[::-1], 1) + x.split([3, 5], 1)[1].mean(), "SLICE"),
        (lambda x: x[:, 3] + x[:, -1] + x[:, 2:3, 1:].mean(), "SLICE"),
        (lambda x: x.flatten(1).reshape(1, 24, 40).transpose(1, 2) * torch.arange(24.0) / 24, "TRANSPOSE"),
        (lambda x: F.batch_norm(x, torch.ones(8), torch.full((8,), 4.0)), "CONV_2D"),
        (lambda x: F.batch_norm(torch.relu(x), torch.ones(8), torch.full((8,), 4.0)), "MUL"),
        (lambda x: F.pad(x, (1, 2, 0, 3, 1, 0)), "PAD"),
        (lambda x: x.squeeze(0).unsqueeze(2).flatten()[None], "TRANSPOSE"),
    ],
)
def test_equals_torch(function, kind):
    model = assert_equals_torch(Function(function), 12, 10, torch.float32)  # the constants above are
    assert kind in kinds(model)
    assert "FULLY_CONNECTED" not in kinds(model)
    assert_int8_is_near(model, 12, 10)


def test_a_cnn_has_no_transpose_even_where_its_map_is_flattened():
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 6 * 5, 2)
    )
    found = kinds(assert_equals_torch(network, 12, 10))
    assert found.count("RESHAPE") <= 2
    assert "TRANSPOSE" not in found


class Fork(nn.Module):
    """What several layers make of the same map, one after the other."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([layer(x).flatten(1) for layer in self.layers], 1)


@pytest.mark.parametrize("size", [8, 9, 10, 11, 12, 13])
def test_padding_is_torchs(size):
    torch.manual_seed(size)
    windows = [(3, 2, 1), (5, 2, 2), (2, 2, 0), (3, 3, 1), (4, 1, 2), (1, 2, 0)]
    assert_equals_torch(Fork([nn.Conv2d(1, 2, *window) for window in windows]), size, size + 1)


def block(draw, channels: int, height: int, width: int) -> tuple[nn.Module, int, int, int]:
    """Draw a layer for a map of a size, and say what size it makes."""
    kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    kind = draw(
        st.sampled_from(["conv", "depthwise", "grouped", "norm", "act", "max", "avg", "residual", "squeeze", "cat"])
    )
    if min(height, width) < 4:
        kind = draw(st.sampled_from(["norm", "act", "residual", "squeeze", "cat"]))
    if kind in ("conv", "depthwise", "grouped"):
        groups = {"conv": 1, "depthwise": channels, "grouped": 2 if channels % 2 == 0 else 1}[kind]
        out = channels if kind == "depthwise" else groups * draw(st.integers(1, 4))
        padding, dilation = draw(st.integers(0, kernel)), draw(st.integers(1, 1 + (kernel < 3)))
        layer = nn.Conv2d(channels, out, kernel, stride, padding, dilation, groups, bias=draw(st.booleans()))
        sizes = [(n + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1 for n in (height, width)]
        return layer, out, *sizes
    if kind in ("max", "avg"):
        padding, ceil = draw(st.integers(0, kernel // 2)), draw(st.booleans())
        layer = nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil)
        if kind == "avg":
            layer = nn.AvgPool2d(kernel, stride, padding, ceil_mode=ceil, count_include_pad=draw(st.booleans()))
        made = layer(torch.zeros(1, 1, height, width)).shape
        return layer, channels, made[2], made[3]
    if kind == "cat":
        return Beside(channels), 2 * channels, height, width
    layers = {
        "norm": lambda: nn.BatchNorm2d(channels),
        "act": lambda: draw(st.sampled_from([nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.Sigmoid]))(),
        "residual": lambda: Residual(channels),
        "squeeze": lambda: Squeeze(channels),
    }
    return layers[kind](), channels, height, width


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.conv(x))


class Squeeze(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x * F.hardsigmoid(self.linear(x.mean((2, 3)))).unflatten(1, (-1, 1, 1))


class Beside(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.norm(x), x], 1)


@st.composite
def networks(draw):
    """Up to six random layers and a linear one, with random statistics."""
    torch.manual_seed(draw(st.integers(0, 10_000)))
    height, width = draw(st.integers(6, 20)), draw(st.integers(6, 20))
    size = (2, height, width)
    layers: list[nn.Module] = [nn.Conv2d(1, 2, 1)]
    for _ in range(draw(st.integers(1, 6))):
        layer, *size = block(draw, *size)
        layers.append(layer)
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(int(np.prod(size)), 3))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.3, 2)
    return network, height, width


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(networks())
def test_a_random_network_equals_torch(drawn):
    assert_equals_torch(*drawn)
