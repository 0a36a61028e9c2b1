import numpy as np
import pytest
import torch
import torch.nn.functional as F
from random_student import features_for, float_logits, listening_of, random_student

from export.graph.fold import fold
from lungsound.errors import InputError

LISTENING = listening_of(40, 32)


def test_folded_convolutions_equal_convolution_and_normalisation():
    student = random_student(LISTENING)
    x = torch.from_numpy(features_for(LISTENING, 2).astype(np.float64))[:, None]
    expected = student.features(x.float()).detach().double()
    for conv in fold(student).convs:
        weight = torch.from_numpy(conv.weight.transpose(0, 3, 1, 2).copy())
        x = F.avg_pool2d(F.relu(F.conv2d(x, weight, torch.from_numpy(conv.bias), padding=2)), 2)
    torch.testing.assert_close(x, expected, rtol=1e-4, atol=1e-5)


def test_score_rows_have_length_one_and_class_major_order():
    student = random_student(LISTENING, heads=4)
    score = fold(student).score
    assert score.weight.shape == (8, 1, 1, 32)
    np.testing.assert_allclose(np.linalg.norm(score.weight, axis=-1), 1.0, rtol=1e-12)
    assert not score.bias.any()


def test_the_maximum_becomes_an_infinite_temperature():
    folded = fold(random_student(LISTENING, heads=4, lam=0.3))
    assert folded.temperatures == (1.0, 2.0, 4.0, np.inf)
    assert (folded.lam, folded.classes) == (0.3, 2)


def test_a_weight_that_is_not_finite_is_named():
    student = random_student(LISTENING)
    student.trunk.conv_block3.conv1.weight.data[0, 0, 0, 0] = torch.inf
    with pytest.raises(InputError, match="conv_block3"):
        fold(student)


def test_a_dead_score_row_is_named():
    student = random_student(LISTENING)
    student.head.score.weight.data[1] = 0
    with pytest.raises(InputError, match="score"):
        fold(student)


def test_folding_leaves_the_student_alone():
    student = random_student(LISTENING)
    x = features_for(LISTENING, 2)
    before = float_logits(student, x)
    fold(student)
    np.testing.assert_array_equal(float_logits(student, x), before)
