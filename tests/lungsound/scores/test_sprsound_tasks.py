"""Tasks of the SPRSound challenge against counts done by hand and formulas written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungsound.corpora import sprsound
from lungsound.labels import SPRSOUND_EVENTS
from lungsound.scores.sprsound import decided_types, event_tasks, missing_labels, record_tasks, sprsound_scores

LABELS = ("crackle", "wheeze")
FINER = ("fine crackle", "coarse crackle", "wheeze", "rhonchi", "stridor")
TYPES = ["Normal", "Fine Crackle", "Wheeze", "Coarse Crackle", "Wheeze+Crackle", "Rhonchi", "Stridor"]


def event_scores(*given):
    return {name: task.scores() for name, task in event_tasks(*given).items()}


def record_scores(*given):
    return {name: task.scores() for name, task in record_tasks(*given).items()}


def test_sprsound_scores_follow_the_formulas():
    truth = [0, 0, 0, 1, 1, 1, 1, 1]
    said = [0, 0, 1, 1, 1, 1, 1, 0]
    sp, se = 2 / 3, 4 / 5
    average, harmonic = (sp + se) / 2, 2 * sp * se / (sp + se)
    scores = sprsound_scores(truth, said)
    assert scores == pytest.approx(
        {"sp": sp, "se": se, "as": average, "hs": harmonic, "score": (average + harmonic) / 2}
    )


def test_poor_quality_counts_in_neither_sensitivity_nor_specificity():
    names = ["Normal", "Poor Quality", "CAS", "DAS", "CAS & DAS", "CAS"]
    labels = [[0, 0], [1, 1], [0, 1], [1, 0], [1, 1], [1, 0]]
    scores = record_scores(names, labels, LABELS)
    assert scores["2-1"]["sp"] == 1
    assert scores["2-1"]["se"] == 1  # ternary: any adventitious class is one class
    assert scores["2-2"]["se"] == 3 / 4  # the last CAS was called DAS


def test_task_1_1_takes_any_label_as_adventitious():
    scores = event_scores(["Normal", "Rhonchi", "Fine Crackle"], np.zeros((3, 2)), [[0, 0], [1, 0], [0, 0]], LABELS)[
        "1-1"
    ]
    assert (scores["sp"], scores["se"]) == (1.0, 0.5)


def given_labels(*rows, labels=FINER):
    """Decisions as an array, from the labels of each row."""
    return np.array([[int(label in row) for label in labels] for row in rows])


def test_the_seven_types_and_how_they_are_named():
    rows = [
        ((), "Normal"),
        (("fine crackle",), "Fine Crackle"),
        (("coarse crackle",), "Coarse Crackle"),
        (("fine crackle", "coarse crackle"), "Coarse Crackle"),  # its logit is the larger
        (("wheeze",), "Wheeze"),
        (("wheeze", "rhonchi"), "Rhonchi"),
        (("stridor",), "Stridor"),
        (("wheeze", "rhonchi", "stridor"), "Rhonchi"),  # its logit is the larger
        (("fine crackle", "stridor"), "Wheeze+Crackle"),
        (("coarse crackle", "wheeze"), "Wheeze+Crackle"),
    ]
    decisions = given_labels(*(row for row, _ in rows))
    logits = np.tile([1.0, 2.0, 9.0, 4.0, 3.0], (len(rows), 1))
    assert [TYPES[index] for index in decided_types(logits, decisions, FINER)] == [name for _, name in rows]


def test_a_crackle_of_no_kind_is_of_the_likelier_kind():
    labels = ("crackle", *FINER)
    decisions = given_labels(("crackle",), ("crackle",), ("crackle", "coarse crackle"), labels=labels)
    logits = np.array([[1, -2, -1, 0, 0, 0], [1, -1, -2, 0, 0, 0], [1, 5, 1, 0, 0, 0]])
    assert [TYPES[index] for index in decided_types(logits, decisions, labels)] == [
        "Coarse Crackle", "Fine Crackle", "Coarse Crackle",
    ]  # fmt: skip


@given(st.permutations(["crackle", *FINER]))
def test_who_gives_the_annotated_labels_names_every_type(labels):
    truth = given_labels(*(SPRSOUND_EVENTS[kind] for kind in TYPES), labels=labels)
    assert [TYPES[index] for index in decided_types(truth - 0.5, truth, labels)] == TYPES
    scores = event_scores(TYPES, truth - 0.5, truth, labels)
    assert {name: found["score"] for name, found in scores.items()} == {"1-1": 1, "1-2": 1}


def test_task_1_2_wants_the_exact_type():
    truth = ["Normal", "Normal", "Rhonchi", "Wheeze", "Fine Crackle", "Wheeze+Crackle"]
    said = given_labels((), ("wheeze",), ("rhonchi",), ("rhonchi",), ("fine crackle",), ("wheeze",))
    scores = event_scores(truth, said - 0.5, said, FINER)
    sp, se = 1 / 2, 2 / 4
    assert scores["1-2"] == pytest.approx({"sp": sp, "se": se, "as": 0.5, "hs": 0.5, "score": 0.5})
    assert (scores["1-1"]["sp"], scores["1-1"]["se"]) == (1 / 2, 1)


def test_recordings_from_finer_labels():
    names = ["Normal", "CAS", "CAS", "DAS", "CAS & DAS", "CAS & DAS", "Poor Quality"]
    said = given_labels((), ("stridor",), ("rhonchi", "wheeze"), ("coarse crackle",), ("fine crackle", "rhonchi"),
                        ("wheeze",), ("stridor",))  # fmt: skip
    scores = record_scores(names, said, FINER)
    assert (scores["2-1"]["sp"], scores["2-1"]["se"]) == (1, 1)
    assert (scores["2-2"]["sp"], scores["2-2"]["se"]) == (1, 4 / 5)


@pytest.mark.parametrize(
    ("labels", "missing"),
    [
        (LABELS, {"1-2"}),
        (("wheeze", "crackle", "stridor"), {"1-2"}),
        (FINER, set()),
        (("fine crackle", "coarse crackle", "wheeze"), {"1-2"}),
        (("rhonchi",), {"1-1", "1-2", "2-1", "2-2"}),
        (("crackle", "rhonchi", "stridor"), {"1-1", "1-2", "2-1", "2-2"}),  # a wheeze would have no label
    ],
)
def test_tasks_that_labels_cannot_name_are_left_out_and_said(labels, missing):
    assert missing_labels(labels).keys() == missing
    decisions = np.ones((1, len(labels)), dtype=int)
    found = event_scores(["Rhonchi"], decisions, decisions, labels) | record_scores(["CAS"], decisions, labels)
    assert found.keys() == {"1-1", "1-2", "2-1", "2-2"} - missing
    if "crackle" in labels and "wheeze" not in labels:
        assert missing_labels(labels)["1-1"] == "no label is given for Wheeze"


def test_the_events_of_the_corpus_score_themselves(shared):
    events = sprsound.load(shared / "data" / "sprsound").events
    decisions = events[["crackle", *FINER]].to_numpy()
    scores = event_scores(events["event_type"].tolist(), decisions - 0.5, decisions, ("crackle", *FINER))
    assert scores["1-2"] == {"sp": 1, "se": 1, "as": 1, "hs": 1, "score": 1}
    # Without crackle, Wheeze+Crackle has wheeze alone, so that this type cannot be told.
    of_both = events["event_type"] == "Wheeze+Crackle"
    abnormal = events["event_type"] != "Normal"
    fewer = event_scores(events["event_type"].tolist(), decisions[:, 1:] - 0.5, decisions[:, 1:], FINER)
    assert fewer["1-2"]["se"] == pytest.approx(1 - of_both.sum() / abnormal.sum())
