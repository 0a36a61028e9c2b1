"""What picking the epoch on the test would have claimed is the largest of what the kept epochs reach on it."""

import json

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from auscult.ledger.epochs import column
from auscult.ledger.stored import read_evaluation
from lungsound.training.epochs import EPOCHS_FOLDER, KeepEpochs, kept_epochs
from students.student import Student, StudentConfig


def test_a_run_says_what_its_best_epoch_on_the_test_would_claim(auscult, small_student, place):
    settings = json.loads((small_student.path / "settings.json").read_text())
    assert list(kept_epochs(small_student.path)) == list(range(1, settings["epochs"] + 1))
    words = ["--data", f"icbhi2017:{place / 'corpus'}", "--protocol", "stream", "--json"]
    code, said, complaint = auscult("evaluate", small_student.path, *words)
    assert code == 0, complaint
    picked = json.loads(said)["stream"]["picked_on_test"]
    assert picked["claimed"]["score"] == max(row["score"] for row in picked["epochs"])
    code, said, _ = auscult("evaluate", small_student.path, *words[:-1])
    assert f"picking the best of {settings['epochs']} epochs on this test would have claimed Score" in said


def test_the_claim_is_the_largest_of_the_epochs(small_student, small_options, tmp_path):
    from auscult.ledger.classifier import open_classifier
    from auscult.ledger.epochs import epoch_thresholds
    from auscult.ledger.evaluation import evaluate
    from auscult.ledger.stored import store_evaluation

    classifier, selection = open_classifier(small_student.path, "single"), small_options.select()
    thresholds = epoch_thresholds(classifier, small_options.data)
    evaluation = evaluate(classifier, selection, "test", "stream", None, thresholds)
    picked = evaluation.scores["picked_on_test"]
    assert [row["epoch"] for row in picked["epochs"]] == list(kept_epochs(small_student.path))
    assert epoch_thresholds(classifier, ("sprsound:/elsewhere",)) == {}
    table = evaluation.predictions
    abnormal = table[["crackle", "wheeze"]].max(axis=1)
    areas = []
    for row in picked["epochs"]:
        said = evaluation.epochs.logits[[column(row["epoch"], label) for label in ("crackle", "wheeze")]].max(axis=1)
        areas.append(roc_auc_score(abnormal, said))
        assert row["auroc_any"] == pytest.approx(areas[-1])
    assert picked["claimed"]["auroc_any"] == pytest.approx(max(areas))
    # One of them is the epoch that validation chose, to the last bit.
    chosen = table[["logit_crackle", "logit_wheeze"]].to_numpy()
    epochs = [evaluation.epochs.logits[[column(e, label) for label in ("crackle", "wheeze")]] for e in thresholds]
    assert any((one.to_numpy() == chosen).all() for one in epochs)
    again = read_evaluation(store_evaluation(evaluation, tmp_path))
    pd.testing.assert_frame_equal(again.epochs.logits, evaluation.epochs.logits, check_exact=True)
    assert again.scores["picked_on_test"] == picked


def test_large_networks_are_not_kept(tmp_path, monkeypatch):
    student = Student(StudentConfig(width=1 / 16))

    class Trainer:
        current_epoch = 0

    KeepEpochs(student, tmp_path, 3).on_train_epoch_end(Trainer(), None)
    assert list(kept_epochs(tmp_path)) == [1]
    KeepEpochs(student, tmp_path / "large", 100_000).on_train_epoch_end(Trainer(), None)
    assert not (tmp_path / "large" / EPOCHS_FOLDER).exists()
