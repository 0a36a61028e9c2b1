"""Losses against their formulas in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distill.losses import LossWeights, counted_logits, embedding_loss, label_loss, logit_loss
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


@given(st.integers(0, 1000), st.floats(0.5, 8), st.floats(0.5, 4), st.booleans())
def test_counted_logits_weigh_positives_and_leave_out_what_the_teacher_misses(seed, temperature, positives, misses):
    rng = np.random.default_rng(seed)
    student, teacher = rng.normal(0, 3, (2, 6, 2))
    labels, thresholds = (rng.random((6, 2)) < 0.5).astype(float), rng.normal(0, 1, 2)
    p, q = (1 / (1 + np.exp(-values / temperature)) for values in (teacher, student))
    losses = -(p * np.log(q) + (1 - p) * np.log(1 - q)) * temperature**2
    weights = np.where(labels == 1, positives, 1.0)
    kept = np.ones_like(labels, bool) if misses else ~((labels == 1) & (teacher < thresholds))
    expected = (weights * losses)[kept].sum() / kept.sum()
    given = [torch.from_numpy(values) for values in (labels, teacher, thresholds)]
    counted = counted_logits(*given, positives, misses=misses)
    got = logit_loss(torch.from_numpy(student), given[1], temperature, counted)
    assert float(got) == pytest.approx(expected, rel=1e-9)


def test_what_the_teacher_misses_has_no_gradient():
    labels = torch.tensor([[1.0, 1.0, 0.0]])
    teacher, thresholds = torch.tensor([[-1.0, 1.0, -1.0]]), torch.zeros(3)
    student = torch.zeros(1, 3, requires_grad=True)
    counted = counted_logits(labels, teacher, thresholds, 1.0, misses=False)
    (gradient,) = torch.autograd.grad(logit_loss(student, teacher, 1.0, counted), student)
    assert (gradient != 0).tolist() == [[False, True, True]]


def test_nothing_to_learn_from_the_teacher_is_no_loss():
    labels, teacher = torch.ones(2, 2), -torch.ones(2, 2)
    counted = counted_logits(labels, teacher, torch.zeros(2), 1.0, misses=False)
    assert float(logit_loss(torch.randn(2, 2), teacher, 2.0, counted)) == 0


@given(st.integers(0, 1000), st.floats(0, 5))
def test_label_loss_weighs_the_labels_that_are_there(seed, positives):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(0, 3, (5, 2)), (rng.random((5, 2)) < 0.5).astype(float)
    q = 1 / (1 + np.exp(-logits))
    expected = -(positives * labels * np.log(q) + (1 - labels) * np.log(1 - q)).mean()
    got = label_loss(torch.from_numpy(logits), torch.from_numpy(labels), positives)
    assert float(got) == pytest.approx(expected, rel=1e-9)


def test_as_it_is_by_default_nothing_is_counted():
    assert counted_logits(torch.ones(2, 2), torch.zeros(2, 2), None, 1.0, misses=True) is None
