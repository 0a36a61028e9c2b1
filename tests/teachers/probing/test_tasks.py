"""OPERA's tasks: who takes part, with which class, in which part."""

import pytest

from lungsound.corpora.registry import open_corpus, readers
from lungsound.corpus import make_corpus
from lungsound.errors import InputError
from teachers.probing.tasks import TASKS, find_task, split, units


def corpus(rows, labels):
    """A corpus of (recording, patient, site, split, labels it has, usable) without audio."""
    known = {"path": "a.wav", "seconds": 1.0, "sample_rate": 4000, "device": "", "record_type": "", "continuous": True}
    names = ("recording", "patient", "site", "split")
    recordings = [known | dict(zip(names, row[:4], strict=True)) for row in rows]
    events = [
        {"recording": row[0], "start": 0.0, "end": 1.0} | {label: int(label in row[4]) for label in labels}
        for row in rows
        if row[5]
    ]
    return make_corpus("made", __file__, recordings, events, labels=labels)


def test_every_task_has_a_reader():
    assert set(TASKS) == {f"T{number}" for number in range(5, 12)}
    assert {task.corpus for task in TASKS.values()} <= readers().keys()
    with pytest.raises(InputError, match=r"no task called 'T12'; choose from T5"):
        find_task("T12")


def test_a_recording_with_none_or_two_of_the_classes_takes_no_part():
    said = {"a": {"female"}, "b": {"male"}, "c": set(), "d": {"male", "female"}, "e": {"male"}}
    made = corpus([(name, name, "", "", has, name != "e") for name, has in said.items()], ("female", "male"))
    assert units(TASKS["T6"], made)[["recording", "class"]].to_numpy().tolist() == [["a", 0], ["b", 1]]


def test_coswara_needs_both_coughs():
    rows = [
        (f"{person}_{site}", person, site, "", {"female" if person < "c" else "male"}, (person, site) not in bad)
        for bad in [{("b", "cough-heavy"), ("c", "cough-shallow")}]
        for person in "abcd"
        for site in ("cough-heavy", "cough-shallow", "breathing-deep")
    ]
    assert units(TASKS["T9"], corpus(rows, ("female", "male")))["recording"].tolist() == [
        "a_cough-shallow", "d_cough-shallow",
    ]  # fmt: skip


def test_shares_of_the_severities_are_drawn_by_patient():
    labels = TASKS["T11"].classes
    rows = [(f"{p:02}_{c:02}", f"{p:02}", "", "", {labels[p % 5]}, True) for p in range(50) for c in range(12)]
    table = units(TASKS["T11"], corpus(rows, labels))
    found = split(TASKS["T11"], table)
    table["part"] = table["recording"].map(found.parts)
    assert (table.groupby("patient")["part"].nunique() == 1).all()
    assert table.groupby("part").size().to_dict() == {"test": 120, "train": 384, "validation": 96}  # 20, 64, 16 %
    assert (table.groupby(["part", "class"]).size().unstack().nunique(axis=1) <= 2).all()
    assert found.hash == split(TASKS["T11"], table).hash


def test_official_parts_stay_and_validation_is_drawn_from_training():
    rows = [(f"{n:03}", f"{n // 4}", "", "test" if n < 20 else "train", {("Healthy", "COPD")[n % 4 == 0]}, True)
            for n in range(100)]  # fmt: skip
    parts = split(TASKS["T7"], units(TASKS["T7"], corpus(rows, ("Healthy", "COPD")))).parts
    assert {name for name, part in parts.items() if part == "test"} == {f"{n:03}" for n in range(20)}
    assert sorted(parts.values()).count("validation") == 16


def test_icbhis_own_diagnoses(shared):
    made = open_corpus("icbhi2017_disease", shared / "data" / "icbhi2017")
    diagnoses = made.recordings["patient"].map(made.diagnoses)
    assert [int((diagnoses == name).sum()) for name in ("COPD", "Healthy")] == [793, 35]  # as published
    heard = diagnoses[made.recordings["path"] != ""]
    counts = [int((heard == name).sum()) for name in ("Healthy", "COPD")]
    assert units(TASKS["T7"], made)["class"].value_counts().sort_index().tolist() == counts


def test_too_few_are_a_sentence():
    rows = [("a", "a", "", "", {"healthy"}, True), ("b", "b", "", "", {"obstructive"}, True)]
    table = units(TASKS["T10"], corpus(rows, ("healthy", "obstructive")))
    with pytest.raises(InputError, match="2 patients are too few for 30% of each class in test; name the whole corpus"):
        split(TASKS["T10"], table)
    with pytest.raises(InputError, match="no recording with obstructive; name the whole corpus"):
        units(TASKS["T10"], corpus(rows[:1], ("healthy", "obstructive")))
