"""Classes that exclude each other against sums over the softmax in float64, and the counts that FACTS of ICBHI tell."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lungsound.errors import InputError
from lungsound.labels import LABELS, SPRSOUND_EVENTS, SPRSOUND_LABELS, classes_from_labels
from teachers.classes import ClassLoss, LabelsOfClasses, argmax_scores, class_weights, combinations_of
from teachers.m2d.config import M2DConfig
from teachers.teacher import Teacher, TeacherConfig

FOUR = ((0, 0), (1, 0), (0, 1), (1, 1))
ICBHI_TRAIN = (2063, 1215, 501, 363)
ENCODER = M2DConfig(16, 2, 2, (80, 48), (16, 16))


def icbhi_labels() -> np.ndarray:
    return np.repeat(np.array(FOUR), ICBHI_TRAIN, axis=0)


def softmax(classes: np.ndarray) -> np.ndarray:
    values = np.exp(classes - classes.max(axis=1, keepdims=True))
    return values / values.sum(axis=1, keepdims=True)


def test_crackle_and_wheeze_make_the_four_classes_in_their_order():
    found = combinations_of(icbhi_labels()[::-1], LABELS)
    assert found == FOUR
    assert classes_from_labels(found).tolist() == [0, 1, 2, 3]


def test_events_of_sprsound_make_seven_classes():
    truth = np.array([[int(label in own) for label in SPRSOUND_LABELS] for own in SPRSOUND_EVENTS.values()])
    assert len(combinations_of(truth, SPRSOUND_LABELS)) == 7


def test_weights_are_those_of_the_papers():
    weights = class_weights(icbhi_labels(), FOUR)
    torch.testing.assert_close(weights, torch.tensor([0.0800, 0.1358, 0.3295, 0.4547]), rtol=0, atol=5e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_the_weighted_mean_of_what_the_softmax_gives_the_class(weighted):
    draw = np.random.default_rng(0)
    classes, truth = draw.normal(size=(50, 4)), draw.integers(0, 2, (50, 2))
    weights = draw.random(4) if weighted else np.ones(4)
    index = truth[:, 0] + 2 * truth[:, 1]
    each = -np.log(softmax(classes)[np.arange(50), index])
    due = (weights[index] * each).sum() / weights[index].sum()
    loss = ClassLoss(FOUR, torch.tensor(weights) if weighted else None)
    said = loss.double()(torch.tensor(classes), torch.tensor(truth, dtype=torch.float32))
    assert float(said) == pytest.approx(due, rel=1e-9)


def test_windows_of_no_class_do_not_count():
    loss, classes = ClassLoss(FOUR[:3]), torch.randn(3, 3)
    both = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    assert loss(classes, both) == loss(classes[1:], both[1:])
    assert loss(classes[:1], both[:1]) == 0


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 4))
def test_the_logit_of_a_label_is_the_log_odds_of_its_share(seed, scale):
    classes = np.random.default_rng(seed).normal(size=(5, 4)) * scale
    said = LabelsOfClasses(FOUR)(torch.tensor(classes)).numpy()
    share = softmax(classes) @ np.array(FOUR)
    np.testing.assert_allclose(said, np.log(share) - np.log1p(-share), rtol=1e-6, atol=1e-6)


def test_large_logits_of_classes_stay_finite():
    classes = torch.tensor([[1e4, -1e4, 0.0, 0.0]], requires_grad=True)
    LabelsOfClasses(FOUR)(classes).sum().backward()
    assert torch.isfinite(classes.grad).all()


def test_the_most_probable_class_is_scored_as_the_papers_do():
    truth = np.array([[0, 0], [0, 0], [1, 0], [0, 1], [1, 1]])
    classes = np.eye(4)[[0, 1, 1, 3, 3]]
    found = argmax_scores(truth, classes, FOUR)
    assert (found["sp"], found["se"], found["score"]) == pytest.approx((1 / 2, 2 / 3, 7 / 12))
    without_both = argmax_scores(truth, classes[:, [0, 1, 3]], ((0, 0), (1, 0), (0, 1)))
    assert without_both["se"] == pytest.approx(2 / 3)  # both is never right
    assert without_both["se_any"] == 1


@pytest.mark.parametrize(("column", "number"), [(0, "no"), (1, "every")])
def test_a_label_that_no_class_tells_is_refused(column, number):
    truth = np.array([[0, 0], [1, 1]])
    truth[:, column] = number == "every"
    with pytest.raises(InputError, match=rf"{number} training window has {LABELS[column]}, .* --loss labels"):
        combinations_of(truth, LABELS)


def test_a_teacher_of_classes_is_stored_and_loaded(tmp_path):
    torch.manual_seed(0)
    teacher = Teacher(TeacherConfig(ENCODER, combinations=FOUR)).eval()
    teacher.save_weights(tmp_path / "weights")
    again = Teacher.load(teacher.config.to_dict(), tmp_path / "weights").eval()
    x = torch.randn(3, 1, 48, 80)
    with torch.inference_mode():
        said, classes = again(x), again.head(again.embed(x))
    assert torch.equal(said.logits, teacher(x).logits)
    assert (said.logits.shape, classes.shape) == ((3, 2), (3, 4))


@pytest.mark.parametrize("rows", [[], [[0, 0]], [[0, 0], [1, 0]], [[0, 0], [1, 2]], [[0, 0, 0], [1, 1, 1]], [0], "x"])
def test_combinations_that_are_none_are_refused(rows):
    values = TeacherConfig(ENCODER).to_dict() | {"combinations": rows}
    with pytest.raises(InputError):
        TeacherConfig.from_dict(values)
