"""Scores by device, age and sex: a row is in one group of a kind, and the mean within devices is no pooled figure."""

import numpy as np
import pandas as pd
import pytest

from lungsound.scores.evaluation import TRAINED, predictions_table
from lungsound.scores.groups import MOST, OTHERS, UNKNOWN, age_groups, memberships
from lungsound.scores.ledger import scores

LABELS = ("crackle", "wheeze")


def table_of(rows=120, **columns):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"corpus": "made", "recording": [f"r{i}" for i in range(rows)], "path": ""})
    table = table.assign(patient=[f"p{i % 20}" for i in range(rows)], start=0.0, end=4.0, event_type="", record_type="")
    table = table.assign(crackle=rng.integers(0, 2, rows), wheeze=0, **columns)
    logits = rng.normal(size=(rows, 2))
    return predictions_table(table, logits, (logits > 0).astype(int), LABELS)


def test_ages_are_grouped_as_the_subject_headings_do():
    ages = pd.Series([0.2, 1.99, 2, 5.9, 6, 12.5, 13, 18.9, 19, 44, 45, 64.9, 65, 101, np.nan])
    first_words = [name.split(" (")[0] for name in age_groups(ages)]
    wanted = ["infant"] * 2 + ["preschool child"] * 2 + ["child"] * 2 + ["adolescent"] * 2 + ["adult"] * 2
    assert first_words == [*wanted, "middle aged", "middle aged", "aged", "aged", UNKNOWN]


def test_every_row_is_in_one_group_and_what_is_not_told_is_left_out():
    rows = 120
    table = table_of(
        device=[f"d{i % 40}" for i in range(rows)],
        site="",
        age=[3.0, np.nan] * 60,
        sex=["F", "M", ""] * 40,
        **{TRAINED: 0},
    )
    found = memberships(table)
    assert list(found) == ["device", "age", "sex", "patients"]
    for groups in found.values():
        np.testing.assert_array_equal(np.sum(list(groups.values()), axis=0), 1)
    assert len(found["device"]) == MOST + 1
    assert list(found["device"])[-1] == OTHERS
    assert list(found["sex"]) == ["F", "M", UNKNOWN]


def test_a_model_that_knows_the_device_alone_scores_only_pooled():
    """One device records nearly all crackles: its name scores, and within each device nothing does."""
    rng = np.random.default_rng(1)
    rows = 400
    device = np.repeat(["a", "b"], rows // 2)
    crackle = (rng.random(rows) < np.where(device == "a", 0.9, 0.1)).astype(int)
    table = table_of(rows, device=device)
    table["crackle"], table["logit_crackle"] = crackle, (device == "a") + 0.01 * rng.normal(size=rows)
    found = scores(table, "cycles", LABELS, draws=200)
    within = found["within_devices"]
    assert found["windows"]["auroc"]["crackle"] > 0.85
    assert within["scores"]["auroc"]["crackle"] == pytest.approx(0.5, abs=0.1)
    low, high = within["intervals"]["auroc"]["crackle"]
    assert low < within["scores"]["auroc"]["crackle"] < high
    groups = found["groups"]["device"]
    mean = np.mean([group["scores"]["auroc"]["crackle"] for group in groups.values()])
    assert within["scores"]["auroc"]["crackle"] == pytest.approx(mean)
    assert sum(group["scores"]["n"] for group in groups.values()) == rows
    assert {name: group["abnormal"] for name, group in groups.items()} == {
        name: int(crackle[device == name].sum()) for name in "ab"
    }


def test_one_device_has_no_mean_within_devices():
    assert scores(table_of(device="a"), "cycles", LABELS, draws=10)["within_devices"] is None
