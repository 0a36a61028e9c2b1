"""Three hundred mutations of every kind of file: a sentence or rows that hold, nothing else."""

import contextlib
import math
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import soundfile
from small_corpora import RATE, SMALL

from lungsound.audio import read_pcm
from lungsound.corpora import audacity, hls_cmds, icbhi2017, sprsound, table
from lungsound.corpora.formats.audio_files import measure
from lungsound.corpora.formats.table_file import read_table
from lungsound.corpus import RECORDING_COLUMNS, make_corpus
from lungsound.errors import InputError

MUTATIONS = 300
FEWEST = 4  # refused, and read
CHECKSUMMED = ("flac", "ogg")  # in which hardly any change passes
TOKENS = (
    b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\n", b"\r", b"\t", b" ", b",", b";", b'"', b"'", b"-", b"+", b".",
    b"_", b"nan", b"inf", b"-inf", b"1e999", b"1e-999", b"9" * 5000, b"0x10", "\u0661".encode(), "\u2028".encode(),
    b"[" * 2000, b"{", b"}", b"null", b"true", b"\\", b"\\u0000", b"\\ud800", b"../", b"/", b"a" * 300,
    b"train", b"1", b"0",
)  # fmt: skip
READERS = {module.__name__.rpartition(".")[2]: module for module in (audacity, hls_cmds, icbhi2017, sprsound, table)}
TEXTS = [
    ("icbhi2017", "annotation"),
    ("icbhi2017", "ICBHI_challenge_train_test.txt"),
    ("icbhi2017", "filename_differences.txt"),
    ("icbhi2017", "subset_manifest.csv"),
    ("icbhi2017", "ICBHI_Challenge_diagnosis.txt"),
    ("icbhi2017", "demographic_info.txt"),
    ("sprsound", "annotation"),
    ("hls_cmds", "table"),
    ("table", "table"),
    ("audacity", "track"),
]
LATER = ("within_audio", "_without_sound")
EMPTY = make_corpus("empty", Path(), [], [])


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Return the content after one to four changes, any of which may be to its length."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        first, last = sorted(rng.integers(0, len(content) + 1, 2).tolist())
        last = min(last, first + 40)
        match rng.integers(6):
            case 0:  # a flipped bit
                flipped = bytes(value ^ 1 << int(rng.integers(8)) for value in content[first : first + 1])
                content = content[:first] + flipped + content[first + 1 :]
            case 1:
                content = content[:first] + content[last:]
            case 2:
                content = content[:last] + content[first:last] + content[last:]
            case 3:
                content = content[:first] + TOKENS[rng.integers(len(TOKENS))] + content[last:]
            case 4:
                content = content[:first] + TOKENS[rng.integers(len(TOKENS))] + content[first:]
            case _:
                content = content[:first] + rng.bytes(int(rng.integers(1, 5))) + content[last:]
    return content


def mutations(content: bytes):
    for seed in range(MUTATIONS):
        yield seed, mutated(content, np.random.default_rng(seed))


def check_rows(name, root, recordings, events, notes=(), *, labels=("crackle", "wheeze"), synthetic=False):
    """Stand where the tables are built: are the rows such that they can be?"""
    names = [row["recording"] for row in recordings]
    assert len(set(names)) == len(names)
    for row in recordings:
        assert set(RECORDING_COLUMNS) - {"age", "sex"} <= row.keys()
        assert all(isinstance(row[column], str) for column in ("recording", "path", "patient", "site", "split"))
        assert math.isfinite(row["seconds"])
    for event in events:
        # One of a file that is a fault may be there still; nobody works with such a corpus.
        assert math.isfinite(event["start"])
        assert math.isfinite(event["end"])
        assert 0 <= event["start"] < event["end"]
        assert {event[label] for label in labels} <= {0, 1}
    assert all(isinstance(note, str) for note in notes)
    return replace(EMPTY, name=name, labels=tuple(labels), synthetic=synthetic)


def first_of(corpus, *_):
    return corpus


def check_sentences(faults, place):
    for fault in faults:
        assert len(fault) < 1500, fault[:3000]
        assert "; " in fault  # what to do
        assert str(place) in fault


@pytest.mark.parametrize(("corpus", "kind"), TEXTS)
def test_text_gives_rows_or_sentences(tmp_path, corpus, kind):
    small, reader, outcomes = SMALL[corpus](tmp_path), READERS[corpus], {"read": 0, "refused": 0}
    path = small.texts[kind]
    # The tables of pandas take longer than all the reading; what is done with them does not depend on a file's bytes.
    with patch.multiple(reader, make_corpus=check_rows, **{name: first_of for name in LATER if hasattr(reader, name)}):
        reader.load(small.root)
        for _, content in mutations(path.read_bytes()):
            path.write_bytes(content)
            try:
                faults = reader.load(small.root).faults
            except InputError as error:
                faults = (str(error),)
            check_sentences(faults, small.root)
            outcomes["refused" if faults else "read"] += 1
    assert min(outcomes.values()) >= FEWEST, outcomes


def test_parquet_gives_rows_or_a_sentence(tmp_path):
    pytest.importorskip("pyarrow")
    import pandas as pd

    path, refused = tmp_path / "table.parquet", 0
    made = pd.DataFrame(
        {"path": ["a.wav", "b.wav"], "start": [0.25, None], "crackle": [True, False], "age": [70, None]}
    )
    made.to_parquet(path)
    assert read_table(path, []).rows[0][1] == {"path": "a.wav", "start": "0.25", "crackle": "True", "age": "70.0"}
    for _, content in mutations(path.read_bytes()):
        path.write_bytes(content)
        try:
            found = read_table(path, [])
        except InputError as error:
            check_sentences([str(error)], path)
            refused += 1
            continue
        assert all(isinstance(value, str) for _, row in found.rows for value in row.values())
    assert FEWEST <= refused <= MUTATIONS - FEWEST


@pytest.mark.parametrize("ending", ["wav", "flac", "aiff", "ogg", "mp3", "rf64", "w64", "caf", "au"])
def test_audio_gives_sound_or_a_sentence(tmp_path, ending):
    path, refused = tmp_path / f"a.{ending}", 0
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, 600), 8000)
    for _, content in mutations(path.read_bytes()):
        path.write_bytes(content)
        with contextlib.suppress(InputError):
            _, seconds, rate = measure(path)
            assert 0 < seconds < 2**27
            assert 1000 <= rate <= 768_000
        try:
            pcm = read_pcm(path, RATE)
        except InputError as error:
            check_sentences([str(error)], path)
            refused += 1
            continue
        assert pcm.dtype == np.int16
        assert 0 < len(pcm) < 2**27
    assert refused >= FEWEST
    assert refused <= MUTATIONS - FEWEST or ending in CHECKSUMMED
