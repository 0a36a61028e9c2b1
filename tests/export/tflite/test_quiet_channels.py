"""Channels that training has switched off: nearly no weights, and a bias that is all they say."""

import warnings

import numpy as np
import pytest
import torch
from random_student import features_for, listening_of
from torch import nn

from export.graph.read import read_graph
from export.tflite.activations import activations
from export.tflite.bias import corrected_biases
from export.tflite.float_model import write_graph
from export.tflite.int8_model import int8_tflite
from export.tflite.quiet_channels import with_room_for_biases
from export.tflite.ranges import calibrate

HEARD = features_for(listening_of(12, 9), 6)
SAID = torch.tensor([0.6, -0.4, 0.3])
"""What the first channels of a layer say whatever they hear; an activation cuts the second."""


class Network(nn.Module):
    """A plain, a depth-wise and a linear layer that have such channels, and one that listens to them."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.plain, self.depthwise = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3, groups=8)
        self.hidden, self.last = nn.Linear(8, 8), nn.Linear(8, 2)
        for layer in (self.plain, self.depthwise, self.hidden):
            layer.weight.data[:3] *= gain
            layer.bias.data[:3] = SAID

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map log-mels [B, 1, T, F] to logits."""
        x = torch.relu(self.depthwise(torch.relu(self.plain(x))))
        return self.last(torch.relu(self.hidden(x.mean((2, 3)))))


@pytest.fixture(scope="module")
def models():
    """The float model, the same with corrected biases, and their ranges."""
    model = write_graph(read_graph(Network(1e-12).eval(), 12, 9))
    ranges = calibrate(model, HEARD)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model, corrected_biases(model, ranges, HEARD), ranges


@pytest.mark.parametrize("corrected", [0, 1])
def test_int8_says_what_float_says(models, corrected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rounded = int8_tflite(models[corrected], models[2])
    exact, int8 = (next(activations(model, HEARD[:1], None)) for model in (models[0], rounded))
    compared = 0
    for name in (name for name in exact if name.startswith(("plain", "depthwise", "hidden"))):
        low, high = models[2][name]
        step = (max(high, 0) - min(low, 0)) / 255
        np.testing.assert_allclose(int8[name][..., :3], exact[name][..., :3], rtol=0, atol=1.01 * step, err_msg=name)
        compared += exact[name][..., 0].max() > 0.5
    assert compared == 3


def test_a_model_whose_biases_fit_stays_as_it_is():
    model = write_graph(read_graph(Network(1.0).eval(), 12, 9))
    rounded = int8_tflite(model, calibrate(model, HEARD))
    assert with_room_for_biases(model, rounded) is rounded
