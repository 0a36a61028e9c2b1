"""Any corpus as a table, and back."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lungsound.corpora.export import export_table
from lungsound.corpora.registry import open_corpus
from lungsound.corpora.splits import assign
from lungsound.corpora.synthetic import generate
from lungsound.corpus import make_corpus
from lungsound.errors import InputError
from lungsound.windows import cycles, stream

SECONDS = 3.0


def same(before, after):
    """Compare what training and evaluation take from a corpus."""
    pd.testing.assert_frame_equal(before.recordings, after.recordings)
    pd.testing.assert_frame_equal(before.events, after.events)
    assert (before.labels, before.synthetic, after.faults) == (after.labels, after.synthetic, ())
    before, after = before.with_audio(), after.with_audio()
    for cut in (
        lambda corpus: cycles(corpus, 2.0, corpus.labels),
        lambda corpus: stream(corpus, 2.0, 1.0, corpus.labels),
    ):
        pd.testing.assert_frame_equal(cut(before).drop(columns="corpus"), cut(after).drop(columns="corpus"))


def same_split(before, after):
    for drop_shared in (False, True):
        splits = [assign(corpus, drop_shared=drop_shared, validation=0.2, seed=1) for corpus in (before, after)]
        assert splits[0] == splits[1]
        assert splits[0].hash == splits[1].hash


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("icbhi2017", "icbhi2017"), ("icbhi2017", "icbhi2017_native"), ("hls_cmds", "hls_cmds"),
        pytest.param("sprsound", "sprsound", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_a_published_corpus_reads_back_as_it_was(shared, tmp_path, name, folder):
    corpus = open_corpus(name, shared / "data" / folder)
    export_table(corpus, tmp_path / "made" / "table.csv")
    read = open_corpus("table", tmp_path / "made" / "table.csv")
    same(corpus, read)
    same_split(corpus, read)
    assert {patient: told for patient, told in corpus.diagnoses.items() if told} == read.diagnoses


def test_what_was_generated_stays_synthetic(tmp_path):
    generate(tmp_path / "made", patients=4)
    corpus = open_corpus("synthetic", tmp_path / "made")
    table = export_table(corpus, tmp_path / "table.csv")
    assert all(path.startswith("made/") for path in table["path"])
    read = open_corpus("table", tmp_path / "table.csv")
    same(corpus, read)
    same_split(corpus, read)
    assert read.synthetic


def test_the_folder_may_move(tmp_path):
    generate(tmp_path / "here" / "made", patients=4)
    export_table(open_corpus("synthetic", tmp_path / "here" / "made"), tmp_path / "here" / "table.csv")
    (tmp_path / "here").rename(tmp_path / "there")
    corpus = open_corpus("table", tmp_path / "there" / "table.csv")
    assert all(path.startswith(str(tmp_path / "there")) for path in corpus.recordings["path"])


words = st.text("ab ,;\"'\t", max_size=4).map(str.strip)
lengths = st.tuples(st.floats(0, SECONDS - 0.1), st.floats(0.01, SECONDS))
times = lengths.map(lambda times: (times[0], min(sum(times), SECONDS)))
events = st.lists(st.tuples(times, st.tuples(*[st.integers(0, 1)] * 3)), max_size=3, unique_by=lambda event: event[0])
made = st.lists(
    st.tuples(st.sampled_from(["", "p", "q", "r"]), words, words, st.sampled_from(["", "train", "test"]),
              st.booleans(), events),
    min_size=1, max_size=6,
)  # fmt: skip


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recordings=made)
def test_any_corpus_reads_back_as_it_was(tmp_path, ending, recordings):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    sound = tmp_path / "sound.wav"
    if not sound.exists():
        soundfile.write(sound, np.random.default_rng(0).uniform(-0.1, 0.1, round(SECONDS * 4000)), 4000)
    rows, found = [], []
    for number, (patient, site, device, split, continuous, cut) in enumerate(recordings):
        name = f"r{number}"
        rows.append(
            {"recording": name, "path": str(sound), "seconds": SECONDS, "sample_rate": 4000, "patient": patient or name,
             "site": site, "device": device, "split": split, "record_type": "", "continuous": continuous}
        )  # fmt: skip
        found += [
            {"recording": name, "start": start, "end": end, "fine": a, "coarse": b, "snore": c}
            for (start, end), (a, b, c) in cut
        ]
    corpus = make_corpus("made", tmp_path, rows, found, labels=("fine", "coarse", "snore"))
    file = tmp_path / f"table.{ending}"
    export_table(corpus, file)
    if found:
        same(corpus, open_corpus("table", file))
    else:
        with pytest.raises(InputError, match="no column of 0 and 1"):
            open_corpus("table", file)


def test_a_file_of_another_ending_is_refused_and_nothing_written(tmp_path):
    generate(tmp_path / "made", patients=4)
    corpus = open_corpus("synthetic", tmp_path / "made")
    with pytest.raises(InputError, match=r"table\.xlsx: a table is written as \.csv or \.parquet"):
        export_table(corpus, tmp_path / "table.xlsx")
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
