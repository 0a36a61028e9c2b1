"""Hard-swish is 0 from -3 down: int8 has no codes for what lies below."""

import numpy as np
import torch
from random_student import features_for, listening_of
from torch import nn

from export.graph.read import read_graph
from export.tflite.activations import activations
from export.tflite.bias import corrected_biases
from export.tflite.float_model import write_graph
from export.tflite.int8_model import chosen_ranges, int8_tflite
from export.tflite.ranges import calibrate

HEARD = features_for(listening_of(12, 9), 8)


class Network(nn.Module):
    """A layer that hard-swish alone reads, far below -3 most of the time, and one that is added to what it gave."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.deep, self.added, self.last = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 1), nn.Linear(8, 2)
        self.deep.weight.data *= 12
        self.deep.bias.data -= 12
        self.swish = nn.Hardswish()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map log-mels [B, 1, T, F] to logits."""
        x = self.added(self.swish(self.deep(x)))
        return self.last((x + self.swish(x)).mean((2, 3)))


def test_its_codes_lie_where_it_is_not_0():
    model = write_graph(read_graph(Network().eval(), 12, 9))
    ranges = calibrate(model, HEARD)
    chosen = chosen_ranges(model, ranges)
    assert ranges["deep"][0] < -25
    assert chosen["deep"] == (-3.0, ranges["deep"][1])
    assert chosen["added"] == ranges["added"]

    corrected = corrected_biases(model, ranges, HEARD)
    exact, plain, better = (
        list(activations(m, HEARD, None)) for m in (model, int8_tflite(model, ranges), int8_tflite(corrected, ranges))
    )
    step = (ranges["deep"][1] + 3) / 255
    for rounded in (plain, better):  # a correction that took -3 for the mean would move every channel
        errors = np.stack([a["swish"] - b["swish"] for a, b in zip(rounded, exact, strict=True)])
        assert np.abs(errors).max() < 3 * step
        assert np.abs(errors.mean(axis=(0, 1, 2, 3))).max() < step / 2
