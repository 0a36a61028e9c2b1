"""Losses against their formulas in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distill.losses import LossWeights, embedding_loss, logit_loss
from lungsound.errors import InputError


@given(st.integers(0, 1000), st.floats(0.5, 8))
def test_logit_loss_is_the_softened_cross_entropy(seed, temperature):
    rng = np.random.default_rng(seed)
    student, teacher = rng.normal(0, 3, (2, 5, 2))
    p = 1 / (1 + np.exp(-teacher / temperature))
    q = 1 / (1 + np.exp(-student / temperature))
    expected = -(p * np.log(q) + (1 - p) * np.log(1 - q)).mean() * temperature**2
    got = logit_loss(torch.from_numpy(student), torch.from_numpy(teacher), temperature)
    assert float(got) == pytest.approx(expected, rel=1e-9)


@given(st.integers(0, 1000), st.floats(0.5, 8))
def test_logit_loss_has_its_minimum_at_the_teacher(seed, temperature):
    rng = np.random.default_rng(seed)
    teacher = torch.from_numpy(rng.normal(0, 2, (4, 2)))
    student = teacher.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(logit_loss(student, teacher, temperature), student)
    assert gradient.abs().max() < 1e-12


@given(st.integers(0, 1000))
def test_embedding_loss_is_one_minus_the_cosine_and_ignores_length(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0, 1, (2, 6, 7))
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    got = embedding_loss(torch.from_numpy(a), torch.from_numpy(3 * b))
    assert float(got) == pytest.approx((1 - cosines).mean(), rel=1e-9)


@pytest.mark.parametrize("values", [(-1, 1, 1), (0, 0, 0), (1, 1, 1, 0), (1, 1, 1, float("nan"))])
def test_weights_without_sense_are_refused(values):
    with pytest.raises(InputError):
        LossWeights(*values)
