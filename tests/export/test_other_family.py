"""A family of students that lies outside of the package: trained, exported, evaluated, planned, within a process."""

import pytest
import torch
from torch import Tensor, nn

from auscult.ledger.classifier import open_classifier
from auscult.ledger.evaluation import evaluate
from distill.losses import LossWeights
from distill.settings import DistillSettings
from distill.training import distill
from export.check import check
from export.command import export_run
from firmware_bridge.plan.model import Model
from students.registry import StudentCard, register
from students.student import Student, StudentConfig


@register(
    StudentCard(
        name="residual_of_a_test",
        summary="Two residual blocks.",
        paper="He et al. 2016",
        licence="Apache-2.0",
        input="one log-mel",
        width="16 channels",
        smallest_input=8,
    )
)
class Residual(nn.Module):
    """A stem, a residual block with squeeze and excitation, a pool."""

    def __init__(self, width: float, dropout: float) -> None:
        super().__init__()
        self.channels = int(16 * width)
        self.stem = nn.Sequential(nn.Conv2d(1, self.channels, 3, 2, 1), nn.BatchNorm2d(self.channels), nn.ReLU6())
        self.conv = nn.Conv2d(self.channels, self.channels, 3, padding=1, groups=self.channels)
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(self.channels, self.channels, 1), nn.Hardsigmoid()
        )
        self.pool = nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.conv(x)
        return self.pool(torch.relu(x + y * self.squeeze(y)))


@pytest.mark.slow
@pytest.mark.parametrize("head", ["csra", "linear"])
def test_the_whole_way(small_options, place, head):
    student = StudentConfig(trunk="residual_of_a_test", width=0.5, heads=2, head=head)
    labels_alone = LossWeights(1.0, 0.0, 0.0)
    settings = DistillSettings(None, small_options, student, labels_alone, epochs=2)
    run = distill(settings, place / "runs" / f"residual-{head}", place / "cache")
    assert run.model["head"] == head
    assert Student.load(run.model, run.weights).embedding_dim == 8
    bundle = export_run(run, run.path / "bundle", calibration=64)
    assert check(bundle)["runtimes"]["litert_reference"]["differing_bytes"] == 0
    assert (
        f"A residual_of_a_test of {bundle.manifest.parameters:,} parameters" in (bundle.path / "README.md").read_text()
    )
    found = evaluate(open_classifier(bundle.path, "single"), small_options.select(), "test", "stream")
    assert len(found.predictions)
    assert Model.open(bundle.path).plan("dsp8", "double").memory.total > 0
