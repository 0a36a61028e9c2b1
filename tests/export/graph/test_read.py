"""Networks that cannot be exported are refused in a sentence; what can is read as torch computes it."""

import pytest
import torch
from torch import nn

from export.graph.nodes import Activation, Constant, Expand, Linear, Reshape
from export.graph.read import read_graph
from lungsound.errors import InputError

MATRICES = torch.arange(60.0).reshape(2, 10, 3)


class Inner(nn.Module):
    """A module inside of a network, so that sentences have a path to name."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Outer(nn.Module):
    """Maps [1, 1, 12, 10] to two logits, with `function` somewhere within."""

    def __init__(self, function, after=lambda x: x.mean((2, 3))) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        self.blocks = nn.Sequential(nn.Identity(), Inner(function))
        self.after = after

    def forward(self, x):
        return self.after(self.blocks(self.conv(x)))


def read(function, **options):
    return read_graph(Outer(function, **options), 12, 10)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (nn.functional.gelu, r"blocks\.1: aten\.gelu cannot be exported; use ReLU or hard-swish"),
        (nn.functional.elu, r"blocks\.1: aten\.elu .*use ReLU or hard-swish"),
        (nn.functional.leaky_relu, r"blocks\.1: aten\.leaky_relu .*use ReLU"),
        (lambda x: nn.functional.layer_norm(x, x.shape[1:]), r"blocks\.1: aten\.native_layer_norm .*batch norm"),
        (lambda x: x.clamp(-1, 1), r"aten\.clamp to -1 and 1 cannot be exported; use ReLU or ReLU6"),
        (lambda x: x / (x.abs() + 1), r"aten\.abs cannot be exported; use convolutions"),
        (
            lambda x: x @ MATRICES,
            "differs from matrix to matrix",
        ),
        (lambda x: x / x.exp(), r"aten\.exp"),
        (lambda x: x / (x + 1), r"aten\.div cannot be exported; use a product, or a constant divisor"),
        (lambda x: x**3, r"aten\.pow other than a square"),
        (lambda x: x.cumsum(2), r"aten\.cumsum"),
        (lambda x: x[:, :, ::2], r"aten\.slice with a step"),
        (lambda x: x.double().float(), r"aten\._to_copy to float64 cannot be exported; use float32"),
        (lambda x: nn.functional.adaptive_avg_pool2d(x, (5, 10)), r"from 12 to 5 has windows of several sizes"),
        (lambda x: nn.functional.max_pool2d(x, 2, dilation=2), r"max_pool2d_with_indices with dilation"),
        (lambda x: nn.functional.pad(x, (1, 1), value=3.0), r"constant_pad_nd with another value than zero"),
        (lambda x: nn.functional.pad(x, (1, -1)), r"constant_pad_nd"),
        (lambda x: nn.functional.pad(x, (1, 1, 1, 1), mode="reflect"), r"blocks\.1: aten\.\w+"),
        (lambda x: nn.functional.interpolate(x, scale_factor=2), r"upsample_nearest2d.*without upsampling"),
        (lambda x: nn.functional.conv_transpose2d(x, torch.ones(2, 2, 3, 3)), r"convolution of this kind"),
        (lambda x: nn.functional.conv2d(x, x[:, :, :3, :3].expand(2, 2, 3, 3)), r"takes its weight from the input"),
        (lambda x: x * float("inf"), r"aten\.mul computes with values that are not finite"),
        (lambda x: x * torch.rand(1), r"aten\.rand draws at random"),
        (lambda x: torch.max(x, 2, keepdim=True)[0], r"aten\.max cannot be exported; use amax"),
        (lambda x: x.flatten(2).sort().values[..., None], r"aten\.sort"),
        (lambda x: x + torch.rand_like(x), r"aten\.rand"),
    ],
)
def test_an_operator_that_is_not_there_names_its_place_and_what_to_use(function, said):
    with pytest.raises(InputError, match=said) as refused:
        read(function)
    assert "\n" not in str(refused.value)


def forever(x):
    while x.sum() > 0:
        x = x - 1
    return x


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x):
        self.seen += 1
        return x.mean((2, 3)) + self.seen


class TwoInputs(nn.Module):
    def forward(self, x, y):
        return (x + y).mean((2, 3))


class Gives(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (Outer(lambda x: x if x.sum() > 0 else -x), "torch.export cannot follow the network.*depend on no values"),
        (Outer(forever), "torch.export cannot follow the network"),
        (Outer(lambda x: x[x > 0][None, None, None]), "torch.export cannot follow the network|aten"),
        (Outer(lambda x: x * float(x.max())), "torch.export cannot follow the network|aten"),
        (Counts(), "changes its buffer seen"),
        (TwoInputs(), "raises TypeError on a window"),
        (nn.Linear(7, 2), r"raises RuntimeError on a window \[1, 1, 12, 10\]"),
        (Gives(lambda x: (x, x)), "gives a tuple"),
        (Gives(lambda x: {"logits": x}), "gives a dict"),
        (Gives(lambda x: x.mean((2, 3)) + torch.rand(1, generator=torch.Generator())), "which is no tensor"),
        (Gives(lambda x: x), r"gives \[1, 1, 12, 10\] for a window"),
        (Gives(lambda x: x.mean()), r"gives \[\]"),
        (Gives(lambda x: torch.zeros(1, 2)), "the same logits for every window"),
    ],
)
def test_a_network_that_is_none_is_refused(network, said):
    with pytest.raises(InputError, match=said) as refused:
        read_graph(network, 12, 10)
    assert "\n" not in str(refused.value)


def test_a_parameter_that_is_not_finite_is_named():
    network = Outer(torch.relu)
    network.conv.bias.data[1] = torch.nan
    with pytest.raises(InputError, match=r"conv\.bias holds values that are not finite"):
        read_graph(network, 12, 10)


def test_copies_and_dropout_leave_nothing_behind():
    plain = read(torch.relu)
    for same in (
        lambda x: torch.relu(nn.functional.dropout(x.contiguous().clone(), 0.5, training=False)),
        lambda x: torch.relu(x.detach().view_as(x).float()),
        lambda x: torch.relu(nn.Identity()(x)[:, :]),
    ):
        kept = [node for node in read(same).nodes if not isinstance(node.operator, Reshape)]
        assert [type(node.operator) for node in kept] == [type(node.operator) for node in plain.nodes]


def test_what_does_not_depend_on_the_input_is_computed():
    graph = read(lambda x: x * (torch.arange(2.0).softmax(0) @ torch.eye(2))[:, None, None])
    assert sum(isinstance(node.operator, Constant) for node in graph.nodes) == 0  # folded into the convolution


def test_an_expansion_before_a_product_is_left_out():
    graph = read(lambda x: torch.relu(x) * torch.sigmoid(x.mean((2, 3), keepdim=True)).expand_as(x))
    assert not any(isinstance(node.operator, Expand) for node in graph.nodes)


def test_a_clamp_in_two_halves_is_a_relu6():
    graph = read(lambda x: (x * x).clamp(min=0).clamp(max=6) * x.sigmoid())
    assert any(getattr(node.operator, "activation", None) == "relu6" for node in graph.nodes)
    assert [n.operator.function for n in graph.nodes if isinstance(n.operator, Activation)] == ["sigmoid"]


def test_names_come_from_the_place_in_the_network():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
            self.classify = nn.Linear(4, 2)

        def forward(self, x):
            return self.classify(self.stem(x).mean((2, 3)))

    graph = read_graph(Net(), 12, 10)
    assert [node.name for node in graph.nodes] == ["logmel", "stem/0", "mean", "classify"]
    assert isinstance(graph.output.operator, Linear)
