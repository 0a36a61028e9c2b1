"""Events and alarms counted by hand, and by a loop over windows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungsound.scores.evaluation import Predicted, predictions_table
from lungsound.scores.events import Heard, event_scores
from lungsound.windows import HEARD_SECONDS

LABELS = ("crackle", "wheeze")


def windows_of(events, lengths, decided, seconds=4.0, hop=2.0):
    """A table of stream windows as `lungsound.windows` makes it, one patient a recording, and what they are given."""
    rows, place = [], 0
    for recording, length in lengths.items():
        for number in range(int((length - seconds) // hop) + 1):
            start, end = number * hop, number * hop + seconds
            row = {"corpus": "made", "recording": recording, "patient": recording, "start": start, "end": end}
            row |= dict.fromkeys(LABELS, 0)
            for event in events:
                overlap = min(end, event["end"]) - max(start, event["start"])
                if event["recording"] == recording and overlap >= min(0.3, (event["end"] - event["start"]) / 2):
                    row |= {label: max(row[label], event[label]) for label in LABELS}
            rows.append(row | {"event_type": "", "record_type": ""})
    table = pd.DataFrame(rows)
    said = np.array(decided(table), dtype=int).reshape(len(table), 2)
    return predictions_table(table, said - 0.5, said, LABELS), place


def event(recording, start, end, crackle=0, wheeze=0):
    return {"corpus": "made", "recording": recording, "start": start, "end": end, "crackle": crackle, "wheeze": wheeze}


def scored(table, events, draws=20):
    columns = ["corpus", "recording", "start", "end", *LABELS]
    return event_scores(table, pd.DataFrame(events, columns=columns), Predicted.of(table, LABELS), (0.0, 0.0), draws)


def test_events_and_alarms_counted_by_hand():
    events = [event("a", 1.0, 2.0, crackle=1), event("a", 13.0, 14.0, wheeze=1), event("b", 0.0, 1.0)]
    # Of a (20 s, windows at 0, 2, ... 16): the first hears the crackle; those at 10 and 12 the wheeze.
    given = {("a", 0): (1, 0), ("a", 2): (1, 0), ("a", 6): (0, 1), ("a", 8): (0, 1), ("b", 2): (1, 0), ("b", 6): (1, 0)}
    table, _ = windows_of(
        events,
        {"a": 20, "b": 12},
        lambda t: [given.get(k, (0, 0)) for k in zip(t["recording"], t["start"], strict=True)],
    )
    found = scored(table, events)
    crackle, wheeze, any_of = (found["by_label"][name] for name in (*LABELS, "any"))
    assert (crackle["events"], crackle["alarms"], crackle["false_alarms"], crackle["sensitivity"]) == (1, 3, 2, 1.0)
    assert (wheeze["events"], wheeze["alarms"], wheeze["false_alarms"], wheeze["sensitivity"]) == (1, 1, 1, 0.0)
    assert (any_of["events"], any_of["alarms"], any_of["false_alarms"], any_of["sensitivity"]) == (2, 4, 3, 0.5)
    assert crackle["false_alarms_an_hour"] == pytest.approx(2 / (32 / 3600))
    # Normal windows of a start at 2, 4, 6, 8 and 14, 16; those of b at 0 to 8 are all normal.
    hours = (10 + 6 + 12) / 3600
    assert found["normal"]["hours"] == pytest.approx(hours)
    assert found["normal"]["alarms"] == 3
    assert found["normal"]["alarms_an_hour"] == pytest.approx(3 / hours)


def test_a_curve_goes_from_every_window_to_none():
    rng = np.random.default_rng(0)
    events = [event(f"r{i}", 3.0, 5.0, crackle=1) for i in range(6)]
    table, _ = windows_of(events, {f"r{i}": 20 for i in range(12)}, lambda t: np.zeros((len(t), 2)))
    table["logit_crackle"] = table["crackle"] * 2.0 + rng.normal(size=len(table))
    found = scored(table, events)["by_label"]["crackle"]
    curve = found["curve"]
    assert curve[0]["sensitivity"] == 1.0
    sensitivity = [point["sensitivity"] for point in curve]
    assert sensitivity == sorted(sensitivity, reverse=True)
    assert [point["offset"] for point in curve] == sorted(point["offset"] for point in curve)
    low, high = found["intervals"]["sensitivity"]
    assert low <= found["sensitivity"] <= high


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_counts_are_those_of_a_loop(seed):
    rng = np.random.default_rng(seed)
    lengths = {f"r{i}": int(rng.integers(4, 20)) for i in range(3)}
    events = [
        event(
            name,
            start := float(rng.uniform(0, length - 1)),
            start + rng.uniform(0.1, 3),
            *map(int, rng.integers(0, 2, 2)),
        )
        for name, length in lengths.items()
        for _ in range(rng.integers(0, 4))
    ]
    table, _ = windows_of(events, lengths, lambda t: rng.integers(0, 2, (len(t), 2)))
    shuffled = table.sample(frac=1, random_state=seed % 1000)
    columns = ["corpus", "recording", "start", "end", *LABELS]
    heard = Heard(shuffled, pd.DataFrame(events, columns=columns), LABELS)
    decided = heard.ordered(shuffled["decided_crackle"].to_numpy() == 1)
    found = heard.counts(decided, 0).sum(axis=1)
    hits = alarms = false = 0
    for one in events:
        inside = table[table["recording"] == one["recording"]]
        overlap = np.minimum(inside["end"], one["end"]) - np.maximum(inside["start"], one["start"])
        carries = overlap >= min(HEARD_SECONDS, (one["end"] - one["start"]) / 2) - 1e-6
        hits += int(one["crackle"] and (inside["decided_crackle"][carries & (overlap > 0)] == 1).any())
    for _, inside in table.groupby("recording"):
        groups = (inside["decided_crackle"].diff().fillna(1) != 0).cumsum()
        for _, run in inside[inside["decided_crackle"] == 1].groupby(groups):
            alarms, false = alarms + 1, false + int(not run["crackle"].any())
    seconds = sum(inside["end"].max() for _, inside in table.groupby("recording"))
    assert found.tolist() == pytest.approx([sum(one["crackle"] for one in events), hits, alarms, false, seconds])
