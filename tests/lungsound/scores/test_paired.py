"""AUROC over draws of patients, against scikit-learn on the patients that were drawn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lungsound.scores.paired import drawn_auroc, interval, patient_weights, weighted_auroc


def test_a_draw_is_the_auroc_of_its_recordings_written_out():
    rng = np.random.default_rng(0)
    patients = rng.integers(0, 12, 60).astype(str)
    truth, score = rng.integers(0, 2, 60), rng.integers(0, 9, 60) / 8  # with ties
    weights = patient_weights(patients, draws=20)
    for row, found in zip(weights, weighted_auroc(truth, score, weights), strict=True):
        repeated = np.repeat(np.arange(60), row.astype(int))
        assert found == pytest.approx(roc_auc_score(truth[repeated], score[repeated]))
        assert all(len(set(row[patients == name])) == 1 for name in set(patients))  # whole patients


def test_classes_and_seeds_are_averaged():
    rng = np.random.default_rng(1)
    truth, said = rng.integers(0, 3, 50), rng.dirichlet(np.ones(3), (2, 50))
    wanted = np.mean([roc_auc_score(truth, one, multi_class="ovr") for one in said])
    assert drawn_auroc(truth, said, np.ones((1, 50))) == pytest.approx([wanted])


def test_a_draw_of_one_class_is_left_out():
    weights = np.array([[1.0, 0, 0], [1, 1, 0], [0, 1, 1]])
    values = weighted_auroc([1, 0, 0], [0.9, 0.1, 0.9], weights)
    assert np.isnan(values[[0, 2]]).all()
    assert values[1] == 1
    assert interval(values) == (1, 1)
    assert all(np.isnan(interval(np.full(3, np.nan))))
