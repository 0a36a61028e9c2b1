"""A step in bfloat16, which any CPU can emulate, beside float32."""

from pathlib import Path

import pytest
import torch

from teachers.m2d.config import M2DConfig
from teachers.m2d.duo import PREDICTORS, Duo, DuoConfig
from teachers.pretraining.module import PretrainModule
from teachers.pretraining.settings import PretrainSettings
from teachers.pretraining.start import describe


def test_a_step_in_bfloat16_is_that_of_float32_to_its_digits():
    torch.manual_seed(0)
    settings = PretrainSettings(size="tiny", frames=32, precision="bf16-mixed")
    duo = Duo(DuoConfig(M2DConfig.of_size("tiny", (80, 32)), PREDICTORS["tiny"]))
    module = PretrainModule(duo, settings, 1, Path(), None)
    batch = {"x": torch.randn(4, 1, 80, 32), "order": torch.rand(4, 10).argsort(dim=1)}

    def step(enabled):
        module.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss, figures = module.figures_of(batch)
        loss.backward()
        gradients = torch.cat([p.grad.flatten() for p in duo.parameters() if p.grad is not None])
        return figures, gradients

    (figures, gradients), (half_figures, half_gradients) = step(False), step(True)
    assert half_figures.dtype == half_gradients.dtype == torch.float32
    assert not half_figures.equal(figures)
    torch.testing.assert_close(half_figures, figures, rtol=0.01, atol=0.01)
    assert torch.cosine_similarity(half_gradients, gradients, dim=0) > 0.99


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_the_precision_is_said(precision):
    assert f"; {precision}, " in describe(PretrainSettings(precision=precision))
