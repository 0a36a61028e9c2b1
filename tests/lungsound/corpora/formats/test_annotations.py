"""Times that annotators wrote, and the sound they must fit."""

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lungsound.corpora.formats.annotations import checked_times, within_audio
from lungsound.corpora.formats.text import listed, read_lines
from lungsound.corpus import make_corpus
from lungsound.errors import InputError


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_any_times_in_order_pass_as_text_and_as_numbers(start, end):
    assume(start < end)
    assert checked_times("here", repr(start), repr(end)) == checked_times("here", start, end) == (start, end)


@given(st.one_of(st.text(), st.none(), st.booleans(), st.lists(st.integers()), st.floats(), st.integers()))
def test_whatever_stands_there_gives_times_or_one_sentence(value):
    said, times = "", (0.0, 0.0)
    try:
        times = checked_times("file.txt, line 3", 0, value)
    except InputError as error:
        said = str(error)
    assert said.startswith("file.txt, line 3: the end ") or 0 == times[0] < times[1] < float("inf")


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0.02, 5)), max_size=20), st.floats(0.5, 20))
def test_no_event_that_is_heard_leaves_its_recording(times, seconds):
    recording = {
        "recording": "a", "path": "/a.wav", "seconds": seconds, "sample_rate": 4000, "patient": "1",
        "site": "", "device": "", "split": "", "record_type": "", "continuous": True,
    }  # fmt: skip
    events = [{"recording": "a", "start": s, "end": s + d, "crackle": 0, "wheeze": 0} for s, d in times]
    before = make_corpus("made", Path("/"), [recording], events)
    after = within_audio(before)
    assert len(after.events) == len(times)
    heard = after.events[after.events["path"] != ""]
    assert (heard["end"] <= seconds).all()
    assert (heard["end"] > heard["start"]).all()
    assert set(before.events.loc[before.events["end"] <= seconds, "start"]) <= set(heard["start"])
    assert bool(after.notes) == bool((before.events["end"] > seconds).any())


def test_lines_keep_their_numbers_whatever_ends_them(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_bytes("\ufeffone\r\n\r\ntwo\nthree".encode())
    assert read_lines(path) == [(f"{path}, line {n}", text) for n, text in ((1, "one"), (3, "two"), (4, "three"))]


@pytest.mark.parametrize(("count", "text"), [(1, "1 (0)"), (5, "5 (0, 1, 2, 3, 4)"), (6, "6 (0, 1, 2, 3, 4, ...)")])
def test_long_lists_are_cut(count, text):
    assert listed(str(number) for number in range(count)) == text
