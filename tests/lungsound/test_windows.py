"""Windows of both protocols against their definitions, written out window by window."""

from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungsound.corpus import make_corpus
from lungsound.errors import InputError
from lungsound.windows import WINDOW_COLUMNS, cycles, stream

# Times in whole milliseconds, so that the definition below can be evaluated in exact fractions.
milliseconds = st.integers(1, 12000)


def recording(name, length, *, path=True, continuous=True):
    return {
        "recording": name,
        "path": f"/audio/{name}.wav" if path else "",
        "seconds": length / 1000 if path else 0.0,
        "sample_rate": 4000 if path else 0,
        "patient": f"of {name}",
        "site": "p1",
        "device": "Meditron",
        "split": "train",
        "record_type": "CAS",
        "continuous": continuous,
    }


def event(name, start, length, crackle, wheeze, **others):
    return {
        "recording": name,
        "start": start / 1000,
        "end": (start + length) / 1000,
        "crackle": crackle,
        "wheeze": wheeze,
        "event_type": "Rhonchi",
        **others,
    }


@st.composite
def corpora(draw):
    recordings, events = [], []
    for number in range(draw(st.integers(0, 5))):
        name = f"r{number}"
        recordings.append(recording(name, draw(milliseconds), path=draw(st.booleans()), continuous=draw(st.booleans())))
        for _ in range(draw(st.integers(0, 6))):
            length = draw(st.one_of(st.integers(1, 700), milliseconds))
            values = [draw(st.integers(0, 1)) for _ in range(3)]
            events.append(event(name, draw(milliseconds), length, *values[:2], cough=values[2]))
    return make_corpus("icbhi2017", Path("/audio"), recordings, events, labels=("crackle", "wheeze", "cough"))


def exact(seconds):
    return Fraction(round(seconds * 1000), 1000)


def is_heard(start, end, event):
    """By 0.3 s, or by half of the event."""
    first, last = exact(event["start"]), exact(event["end"])
    overlap = min(end, last) - max(start, first)
    return overlap > 0 and (overlap >= Fraction(3, 10) or overlap >= (last - first) / 2)


def defined_stream(corpus, seconds, hop, names):
    for row in corpus.recordings.to_dict("records"):
        if not row["path"] or not row["continuous"]:
            continue
        length, start = exact(row["seconds"]), Fraction(0)
        while start == 0 or start + seconds <= length:
            end = min(start + seconds, length)
            of_recording = [e for e in corpus.events.to_dict("records") if e["recording"] == row["recording"]]
            heard = [e for e in of_recording if is_heard(start, end, e)]
            labels = tuple(int(any(e[label] for e in heard)) for label in names)
            yield row["recording"], float(start), float(end), *labels
            start += hop


@settings(max_examples=60)
@given(corpora(), st.integers(100, 9000), st.integers(50, 3000), st.permutations(["crackle", "wheeze", "cough"]))
def test_stream_is_its_definition(corpus, window, hop, labels):
    seconds, hop = Fraction(window, 1000), Fraction(hop, 1000)
    table = stream(corpus, float(seconds), float(hop), labels[:2])
    expected = list(defined_stream(corpus, seconds, hop, labels[:2]))
    found = table[["recording", "start", "end", *labels[:2]]].itertuples(index=False, name=None)
    assert [(*row[:1], *(round(value, 6) for value in row[1:])) for row in found] == expected


@given(corpora())
def test_both_protocols_agree_on_their_columns(corpus):
    labels = ("cough", "crackle")
    tables = [cycles(corpus, 4.0, labels), stream(corpus, 4.0, 2.0, labels)]
    both = pd.concat(tables, ignore_index=True)
    assert tuple(both.columns) == (*WINDOW_COLUMNS, *labels)
    assert not both.drop(columns="age").isna().any(axis=None)  # not every corpus tells it
    for table in tables:
        assert tuple(table.columns) == (*WINDOW_COLUMNS, *labels)
        assert table[list(labels)].isin([0, 1]).all(axis=None)
        assert list(table.index) == list(range(len(table)))
        assert (table["patient"] == "of " + table["recording"]).all()
        assert (table["path"] == "/audio/" + table["recording"] + ".wav").all()
        assert ((table["corpus"] == "icbhi2017") & (table["record_type"] == "CAS")).all()


@given(corpora())
def test_cycles_are_the_events_with_audio(corpus):
    table = cycles(corpus, 4.0)
    assert list(table["event"]) == [row for row, path in enumerate(corpus.events["path"]) if path]
    source = corpus.events.loc[table["event"]].reset_index(drop=True)
    for column in ("recording", "path", "start", "end", "crackle", "wheeze", "event_type"):
        assert list(table[column]) == list(source[column])
    assert (table["protocol"] == "cycles").all()


def test_a_window_hears_a_third_of_a_second_or_half_an_event():
    recordings = [recording("a", 8000)]
    events = [
        event("a", 3700, 3000, 1, 0),  # 0.3 s in the first window of 4 s
        event("a", 3701, 3000, 0, 1),  # a millisecond less
    ]
    table = stream(make_corpus("icbhi2017", Path("/audio"), recordings, events), 4.0, 4.0)
    assert table[["crackle", "wheeze"]].to_numpy().tolist() == [[1, 0], [1, 1]]
    events = [event("a", 3900, 200, 1, 0), event("a", 3901, 200, 0, 1)]  # half, and less than half
    table = stream(make_corpus("icbhi2017", Path("/audio"), recordings, events), 4.0, 4.0)
    assert table[["crackle", "wheeze"]].to_numpy().tolist() == [[1, 0], [1, 1]]
    assert (table["event"] == -1).all()


def test_hops_that_no_float_can_hold_miss_no_window():
    corpus = make_corpus("icbhi2017", Path("/audio"), [recording("a", 7000)], [])
    assert len(stream(corpus, 1.0, 0.1)) == 61
    assert len(stream(corpus, 0.7, 0.7)) == 10


def test_a_label_that_nobody_annotated_is_refused_with_those_that_are():
    corpus = make_corpus("own", Path("/audio"), [recording("a", 7000)], [], labels=("snore", "cough"))
    sentence = r"own: not annotated with wheeze; it offers snore, cough"
    for make in (lambda: cycles(corpus, 4.0, ["cough", "wheeze"]), lambda: stream(corpus, 4.0, 2.0, ["wheeze"])):
        with pytest.raises(InputError, match=sentence):
            make()


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_windows_are_refused(seconds):
    corpus = make_corpus("icbhi2017", Path("/audio"), [recording("a", 7000)], [])
    for make in (
        lambda: cycles(corpus, seconds),
        lambda: stream(corpus, seconds, 2.0),
        lambda: stream(corpus, 4.0, seconds),
    ):
        with pytest.raises(InputError, match="give a positive number"):
            make()
