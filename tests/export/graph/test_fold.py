import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_student import features_for, float_logits, listening_of, random_student
from torch import nn

from export.graph.nodes import Activation, Arithmetic, Convolution, Graph, Input, Linear, Pad, Pool
from export.graph.read import read_graph
from lungsound.errors import InputError

LISTENING = listening_of(40, 32)


class Flat(nn.Module):
    """A trunk with logits behind it: the mean of every channel."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x).mean((2, 3))


def graph_of(*layers: nn.Module) -> Graph:
    return read_graph(Flat(*layers), 12, 10)


def kinds(graph: Graph) -> list[type]:
    return [type(node.operator) for node in graph.nodes]


def only(graph: Graph, kind: type):
    (node,) = (node for node in graph.nodes if isinstance(node.operator, kind))
    return node.operator


def random_norm(channels: int, seed: int) -> nn.BatchNorm2d:
    generator = torch.Generator().manual_seed(seed)
    norm = nn.BatchNorm2d(channels)
    for values, low in ((norm.weight, -1.5), (norm.bias, -1), (norm.running_mean, -2), (norm.running_var, 0.05)):
        values.data.uniform_(low, 2.0, generator=generator)
    return norm.eval()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 2, 3]), st.booleans(), st.integers(0, 1000))
def test_normalisation_folds_in_float64(groups, per_group, kernel, bias, seed):
    torch.manual_seed(seed)
    channels = groups * per_group
    layers = [nn.Conv2d(1, channels, 1), nn.Conv2d(channels, channels, kernel, groups=groups, bias=bias)]
    norm = random_norm(channels, seed)
    _, folded = [n.operator for n in graph_of(*layers, norm).nodes if isinstance(n.operator, Convolution)]
    x = torch.randn(2, channels, 5, 6, dtype=torch.float64)
    with torch.no_grad():
        expected = norm.double()(layers[1].double()(x))
        weight, shift = torch.from_numpy(folded.weight), torch.from_numpy(folded.bias)
        torch.testing.assert_close(
            nn.functional.conv2d(x, weight, shift, groups=groups), expected, rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("stride", [1, 2])
def test_normalisation_behind_an_average_folds_into_the_convolution_before_it(stride):
    """As MobileNets of PANNs have it; windows that leave out the last row are averages, too."""
    torch.manual_seed(stride)
    layers = [nn.Conv2d(1, 4, 3, bias=False), nn.AvgPool2d(3, stride), random_norm(4, stride)]
    graph = graph_of(*layers)
    assert kinds(graph)[:3] == [Input, Convolution, Pool]
    assert Arithmetic not in kinds(graph)
    folded = only(graph, Convolution)
    x = torch.randn(2, 1, 12, 10, dtype=torch.float64)
    with torch.no_grad():
        expected = nn.Sequential(*layers).double()(x)
        got = nn.functional.conv2d(x, torch.from_numpy(folded.weight), torch.from_numpy(folded.bias))
        got = nn.functional.avg_pool2d(got, 3, stride)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


class ReadTwice(nn.Module):
    """An average, or what it averages, read beside it."""

    def __init__(self, average: bool) -> None:
        super().__init__()
        self.conv, self.pool, self.norm, self.average = nn.Conv2d(1, 4, 1), nn.AvgPool2d(1), random_norm(4, 0), average

    def forward(self, x):
        x = self.conv(x)
        y = self.pool(x)
        return self.norm(y) + (y if self.average else x)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AvgPool2d(2), random_norm(4, 0)],
        [nn.Conv2d(1, 4, 3), nn.AvgPool2d(3, 2, padding=1), random_norm(4, 0)],
        [nn.Conv2d(1, 4, 3), nn.AvgPool2d(2, divisor_override=3), random_norm(4, 0)],
        [nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), random_norm(4, 0)],
        [ReadTwice(average=True)],
        [ReadTwice(average=False)],
    ],
    ids=["rectified", "padded", "another divisor", "maximum", "read twice", "its input read twice"],
)
def test_what_an_average_does_not_let_pass_stays(layers):
    assert kinds(graph_of(*layers)).count(Arithmetic) >= 2


def test_normalisation_of_a_linear_layer_folds():
    norm = nn.BatchNorm1d(3)
    norm.running_mean.fill_(2.0)
    norm.weight.data.fill_(3.0)
    layer = only(
        graph_of(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 3), norm, nn.Unflatten(1, (3, 1, 1))), Linear
    )
    gain = 3.0 / np.sqrt(1 + norm.eps)
    np.testing.assert_allclose(layer.weight.ravel(), layer.weight.ravel() / gain * gain)
    assert layer.bias.shape == (3,)


def test_normalisation_without_a_convolution_stays_a_product_and_a_sum():
    assert [k for k in kinds(graph_of(random_norm(1, 0))) if k is Arithmetic] == [Arithmetic] * 2


def test_normalisation_stays_where_the_convolution_is_read_elsewhere():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, 2, 1), random_norm(2, 0)

        def forward(self, x):
            x = self.conv(x)
            return (x + self.norm(x)).mean((2, 3))

    found = [node.operator for node in read_graph(Both(), 12, 10).nodes if isinstance(node.operator, Arithmetic)]
    assert [operator.kind for operator in found] == ["mul", "add", "add"]


@pytest.mark.parametrize(("function", "fused"), [(nn.ReLU, "relu"), (nn.ReLU6, "relu6"), (nn.Hardtanh, None)])
def test_activations_are_fused_or_refused(function, fused):
    layers = (nn.Conv2d(1, 2, 3), function())
    if fused is None:
        with pytest.raises(InputError, match=r"layers\.1: aten\.hardtanh to -1.* use ReLU or ReLU6"):
            graph_of(*layers)
        return
    graph = graph_of(*layers)
    assert only(graph, Convolution).activation == fused
    assert Activation not in kinds(graph)


def test_zeros_around_a_map_become_padding_of_the_convolution():
    graph = graph_of(nn.ZeroPad2d((0, 1, 2, 3)), nn.Conv2d(1, 2, 3, padding=1, stride=2))
    assert Pad not in kinds(graph)
    assert only(graph, Convolution).padding == ((3, 4), (1, 2))


def test_score_rows_have_length_one_and_class_major_order():
    student = random_student(LISTENING, heads=4)
    score = [n.operator for n in read_graph(student, 40, 32).nodes if isinstance(n.operator, Convolution)][-1]
    assert score.weight.shape == (8, 32, 1, 1)
    np.testing.assert_allclose(np.linalg.norm(score.weight, axis=1), 1.0, rtol=1e-12)
    assert not score.bias.any()


def test_a_weight_that_is_not_finite_is_named():
    student = random_student(LISTENING)
    student.trunk.conv_block3.conv1.weight.data[0, 0, 0, 0] = torch.inf
    with pytest.raises(InputError, match="conv_block3"):
        read_graph(student, 40, 32)


def test_a_dead_score_row_is_named():
    student = random_student(LISTENING)
    student.head.score.weight.data[1] = 0
    with pytest.raises(InputError, match=r"head: aten\.convolution has a weight that is not finite"):
        read_graph(student, 40, 32)


def test_reading_leaves_the_network_alone():
    student = random_student(LISTENING).train()
    x = features_for(LISTENING, 2)
    before = {name: value.clone() for name, value in student.state_dict().items()}
    read_graph(student, 40, 32)
    assert student.training
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())
    assert float_logits(student.eval(), x).shape == (2, 2)
