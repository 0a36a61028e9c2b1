"""From features to figures, against scikit-learn: which layer, how good, how sure."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lungsound.errors import InputError
from lungsound.scores.paired import patient_weights
from teachers.probing.evaluation import Answer, Question, answer, differences
from teachers.probing.features import Pooled
from teachers.probing.linear import LinearSettings
from teachers.probing.picture import draw_layers

N, FAST = 240, LinearSettings(epochs=3, learning_rate=0.05, seeds=2)


@pytest.fixture(scope="module")
def question():
    """Two questions to 240 clips of 40 patients, six each."""
    rng = np.random.default_rng(0)
    patients = np.repeat([f"p{n:02}" for n in range(40)], 6)
    parts = np.repeat(["train", "validation", "test", ""], [120, 54, 54, 12])
    return Question(("crackle", "wheeze"), ("absent", "present"), rng.integers(0, 2, (N, 2)), parts, patients)


def features(question, informed, seed=1):
    """Two layers of two rows of four features; a layer knows the truth of the parts that `informed` says."""
    values = np.random.default_rng(seed).normal(size=(N, 2, 2, 4))
    for layer, parts in enumerate(informed):
        values[:, layer, 1, :2] += 1.5 * question.truth * np.isin(question.parts, parts)[:, None]
    return Pooled(values.reshape(N, -1).astype(np.float32), ((2, 4), (2, 4)))


@pytest.fixture(scope="module")
def found(question):
    pooled = features(question, [("train", "test"), ("train", "validation")])
    return answer("some", pooled, "frames", [1, 2], question, FAST)


def test_validation_chooses_the_layer_whatever_the_test_says(found):
    assert found.layer == 2
    assert found.layers[2] > 0.7 > found.layers[1]
    assert found.auroc.mean() < 0.7


def test_figures_are_those_of_scikit_learn(question):
    known = ("train", "validation", "test")
    found = answer("some", features(question, [known, known]), "mean", [2], question, FAST)
    truth = question.truth[question.parts == "test"]
    wanted = np.array([[roc_auc_score(truth[:, q], seed[:, q, 1]) for q in range(2)] for seed in found.probabilities])
    np.testing.assert_allclose(found.auroc, wanted)
    told = found.to_dict(question.names)
    assert told["auroc"] == pytest.approx(wanted.mean())
    assert told["deviation"] == pytest.approx(np.std(wanted.mean(axis=1)))
    assert told["by_label"] == pytest.approx({"crackle": wanted[:, 0].mean(), "wheeze": wanted[:, 1].mean()})
    assert told["interval"][0] < told["auroc"] < told["interval"][1]
    np.testing.assert_allclose(found.probabilities.sum(axis=-1), 1)


def test_intervals_draw_whole_patients_the_same_for_everybody(question, found):
    other = answer("other", features(question, [("train",)] * 2, seed=3), "frames", [1], question, FAST)
    rows = np.flatnonzero(question.parts == "test")
    truth, drawn = question.truth[rows], []
    for weights in patient_weights(question.patients[rows].tolist()):
        again = np.repeat(np.arange(len(rows)), weights.astype(int))
        drawn.append([
            np.mean([roc_auc_score(truth[again, q], one[again, q, 1]) for one in said.probabilities for q in range(2)])
            for said in (found, other)
        ])  # fmt: skip
        if len(drawn) == 5:
            break
    np.testing.assert_allclose(np.stack([found.draws, other.draws], axis=1)[:5], drawn)
    (pair,) = differences([found, other])
    assert pair["difference"] == pytest.approx(found.auroc.mean() - other.auroc.mean())
    assert pair["interval"] == pytest.approx(np.quantile(found.draws - other.draws, [0.025, 0.975]))


def test_three_encoders_are_three_pairs():
    one = Answer("a", "frames", {1: 0.5}, 1, np.zeros((1, 2, 1, 2)), np.full((1, 1), 0.5), np.full(9, 0.5))
    names = [
        (pair["first"], pair["second"]) for pair in differences([one, replace(one, name="b"), replace(one, name="c")])
    ]
    assert names == [("a", "b"), ("a", "c"), ("b", "c")]


def test_what_cannot_be_answered_is_a_sentence(question):
    truth = question.truth.copy()
    truth[question.parts == "validation", 1] = 0
    with pytest.raises(InputError, match="wheeze: nothing with class present in validation; ask another"):
        replace(question, truth=truth).refuse_unless_answerable("ask another")
    alone = np.where(question.parts == "test", "p00", question.patients)
    with pytest.raises(InputError, match="p00 is the only patient of the test, and intervals need two; add more"):
        replace(question, patients=alone).refuse_unless_answerable("add more")
    question.refuse_unless_answerable("")


def test_the_picture_has_a_line_for_every_encoder(found, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda self, *_, **__: drawn.append(self))
    draw_layers([found, replace(found, name="other", layers={1: 0.6})], "crackle", tmp_path / "layers.png")
    (axes,) = drawn[0].axes
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose(lines["some"].get_xydata(), [[1, found.layers[1]], [2, found.layers[2]]])
    assert set(lines["other"].get_ydata()) == {0.6}
