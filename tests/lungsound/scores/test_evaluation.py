"""Stored predictions and what they add up to."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from lungsound.files.plain_json import dumps
from lungsound.scores.evaluation import Predicted, predictions_table, recordings_table
from lungsound.scores.ledger import scores
from lungsound.scores.metrics import icbhi_scores
from lungsound.scores.paired import intervals

LABELS = ("crackle", "wheeze")


def stream_windows(seed: int, patients: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = 12 * patients
    table = pd.DataFrame(
        {
            "corpus": "made",
            "recording": [f"r{i // 3}" for i in range(rows)],
            "patient": [f"p{i // 12}" for i in range(rows)],
            "crackle": rng.integers(0, 2, rows),
            "wheeze": rng.integers(0, 2, rows),
            "event_type": "",
            "record_type": "",
        }
    )
    logits = table[["crackle", "wheeze"]].to_numpy() * 2.0 - 1 + rng.normal(0, 1, (rows, 2))
    return predictions_table(table, logits, (logits >= 0).astype(int), LABELS)


def test_a_recording_has_what_any_of_its_windows_has():
    table = stream_windows(0)
    gathered = recordings_table(table, LABELS).set_index("recording")
    for name, windows in table.groupby("recording"):
        assert gathered.loc[name, "crackle"] == int(any(windows["crackle"]))
        assert gathered.loc[name, "decided_wheeze"] == int(any(windows["decided_wheeze"]))
        assert gathered.loc[name, "logit_crackle"] == max(windows["logit_crackle"])


def test_every_number_can_be_derived_again_from_the_stored_file(tmp_path):
    table = stream_windows(1)
    table.to_csv(tmp_path / "predictions.csv", index=False)
    again = pd.read_csv(tmp_path / "predictions.csv", keep_default_na=False)
    assert dumps(scores(again, "stream", LABELS)) == dumps(scores(table, "stream", LABELS))


def test_interval_is_that_of_patients_drawn_with_replacement():
    table = stream_windows(2)
    groups = [group for _, group in table.groupby("patient")]
    rng = np.random.default_rng(99)
    drawn = []
    for _ in range(400):
        sample = pd.concat([groups[i] for i in rng.integers(0, len(groups), len(groups))])
        truth = sample["crackle"] + 2 * sample["wheeze"]
        said = sample["decided_crackle"] + 2 * sample["decided_wheeze"]
        drawn.append(icbhi_scores(truth, said)["score"])
    expected = np.quantile(drawn, [0.025, 0.975])
    found = intervals(Predicted.of(table, LABELS).weighted_scores, table["patient"], 4000)
    assert found["score"] == pytest.approx(expected, abs=0.02)


def test_sprsound_tasks_appear_where_the_corpus_has_their_labels():
    table = stream_windows(3)
    assert not {"task_2-1", "left_out"} & scores(table, "stream", LABELS).keys()
    table["record_type"] = "Normal"
    found = scores(table, "stream", LABELS)
    assert found["task_2-1"]["sp"] <= 1
    assert "left_out" not in found
    table["event_type"] = "Rhonchi"
    found = scores(table, "cycles", LABELS)
    assert 0 <= found["task_1-1"]["se"] <= 1
    assert found["left_out"] == {"1-2": "no label fine crackle, coarse crackle, rhonchi, stridor"}
    table["event_type"] = "a cough, as somebody wrote it"
    assert not {"task_1-1", "left_out"} & scores(table, "cycles", LABELS).keys()


def test_the_interval_of_other_labels_is_that_of_their_balanced_accuracy():
    table = stream_windows(4).rename(columns=lambda name: name.replace("wheeze", "snore"))
    labels = ("crackle", "snore")
    groups = [group for _, group in table.groupby("patient")]
    rng = np.random.default_rng(7)
    drawn = []
    for _ in range(400):
        sample = pd.concat([groups[i] for i in rng.integers(0, len(groups), len(groups))])
        drawn.append(np.mean([balanced_accuracy_score(sample[one], sample[f"decided_{one}"]) for one in labels]))
    expected = np.quantile(drawn, [0.025, 0.975])
    wide = intervals(Predicted.of(table, labels).weighted_scores, table["patient"], 4000)
    assert wide["balanced_accuracy"] == pytest.approx(expected, abs=0.02)
    found = scores(table, "stream", labels)
    assert "score" not in found["windows"]
    assert found["windows"]["balanced_accuracy"] == pytest.approx(
        np.mean([balanced_accuracy_score(table[one], table[f"decided_{one}"]) for one in labels])
    )
