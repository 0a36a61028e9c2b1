"""Paired differences against both models scored on the drawn patients, and the recordings counted by a loop."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from auscult.ledger.comparison import Pair
from auscult.ledger.evaluation import Evaluation
from lungsound.errors import InputError
from lungsound.scores.evaluation import predictions_table
from lungsound.scores.metrics import icbhi_scores, label_scores
from lungsound.scores.paired import patient_weights

LABELS = ("crackle", "wheeze")


def evaluations(rows=96, protocol="stream"):
    rng = np.random.default_rng(0)
    windows = pd.DataFrame(
        {
            "corpus": "made", "recording": [f"r{i // 4}" for i in range(rows)], "path": "",
            "start": [2.0 * (i % 4) for i in range(rows)], "patient": [f"p{i // 16}" for i in range(rows)],
            "event": -1, "event_type": "", "record_type": "",
            "crackle": rng.integers(0, 2, rows), "wheeze": rng.integers(0, 2, rows),
        }
    )  # fmt: skip
    windows["end"] = windows["start"] + 4
    found = []
    for skill in (0.5, 2.0):
        logits = skill * (2 * windows[list(LABELS)].to_numpy() - 1) + rng.normal(size=(rows, 2))
        table = predictions_table(windows, logits, (logits > 0).astype(int), LABELS)
        name = f"student {skill}"
        found.append(Evaluation(name, "made", "test", protocol, True, LABELS, (0.0, 0.0), table))
    return found


def test_differences_are_those_of_both_models_on_the_same_patients():
    one, other = evaluations()
    found = Pair(one, other).compared()
    tables = [one.predictions, other.predictions]
    said = [(t[[*LABELS]].to_numpy(), t[["logit_crackle", "logit_wheeze"]].to_numpy()) for t in tables]
    scores = [label_scores(truth, logits, logits > 0, LABELS) for truth, logits in said]
    figure = found["windows"]["auroc.any"]
    assert (figure["one"], figure["other"]) == (scores[0]["auroc"]["any"], scores[1]["auroc"]["any"])
    assert figure["difference"] == pytest.approx(figure["other"] - figure["one"])
    drawn = []
    for row in patient_weights(tables[0]["patient"], 1000)[:200]:
        kept = np.repeat(np.arange(len(row)), row.astype(int))
        a, b = (icbhi_scores(t[kept] @ [1, 2], (x[kept] > 0) @ [1, 2])["score"] for t, x in said)
        drawn.append(b - a)
    assert found["windows"]["score"]["interval"] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.03)
    assert found["windows"]["score"]["interval"][0] > 0  # the better one is better on nearly every draw
    assert found["paired"] == {"windows": 96, "recordings": 24, "patients": 6}


def test_recordings_on_which_they_part_are_counted():
    one, other = evaluations()
    found = Pair(one, other).compared()
    a, b = one.predictions, other.predictions
    wanted = {}
    for name, rows in a.groupby("recording"):
        decided = [t.loc[rows.index, ["decided_crackle", "decided_wheeze"]].to_numpy() for t in (a, b)]
        truth = rows[[*LABELS]].to_numpy()
        differing = (decided[0] != decided[1]).any(axis=1)
        right = [int((differing & (given == truth).all(axis=1)).sum()) for given in decided]
        if differing.any():
            wanted[name] = (int(differing.sum()), *right)
    told = {of["recording"]: (of["differing"], of["one_right"], of["other_right"]) for of in found["parting"]}
    assert told == wanted
    counts = [of["differing"] for of in found["parting"]]
    assert counts == sorted(counts, reverse=True)
    crackle = found["classes"][0]
    had = (a["crackle"] == 1) & (a["decided_crackle"] == 1)
    assert (crackle["had"], crackle["lost"]) == (had.sum(), (had & (b["decided_crackle"] == 0)).sum())


def test_a_model_beside_itself_differs_in_nothing():
    one, _ = evaluations(protocol="cycles")
    found = Pair(one, one).compared()
    assert found["parting"] == []
    assert "recordings" not in found
    assert all(of["difference"] == 0 and of["interval"] == (0, 0) for of in found["windows"].values())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda e: replace(e, labels=("crackle", "cough")), "not the same labels"),
        (lambda e: replace(e, predictions=e.predictions.assign(start=0.5)), "hear no window of made test alike"),
        (
            lambda e: replace(e, predictions=e.predictions.assign(crackle=1 - e.predictions["crackle"])),
            "the truth is not",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(change, sentence):
    one, other = evaluations()
    with pytest.raises(InputError, match=sentence):
        Pair(one, change(other)).compared()


def test_a_run_is_compared_with_its_bundle(auscult, small_student, small_bundle, place, tmp_path):
    """Fresh predictions are read once and recorded; the second time the stored ones are enough."""
    words = ["compare", small_student.path, small_bundle.path]
    code, _, complaint = auscult(*words, "--split", "nowhere")
    assert code == 1
    assert "name a corpus with --data" in complaint
    answers = []
    for more in (["--data", f"icbhi2017:{place / 'corpus'}"], ["--split", "test"]):
        code, said, complaint = auscult(*words, "--protocol", "stream", *more, "--json")
        assert code == 0, complaint
        answers.append(json.loads(said)["comparisons"])
    assert answers[0] == answers[1]
    ((found,), _) = answers
    assert found["models"] == ["student, float", "student, int8, single rounding"]
    code, said, _ = auscult(*words, "--protocol", "stream", "--split", "test")
    assert code == 0
    assert "windows are decided otherwise" in said
