"""Splits: nobody trains, validates and tests where the protocol forbids it."""

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lungsound.corpora import icbhi2017, sprsound
from lungsound.corpora.registry import open_corpus
from lungsound.corpora.splits import ALL, Split, assign, drawn_test, shared_patients, warnings
from lungsound.corpus import make_corpus
from lungsound.errors import InputError
from lungsound.labels import class_names

SPLITS = ("train", "test", "intra", "inter", "")


def recording_of(name, patient, split):
    return {
        "recording": name, "path": f"/{name}.wav", "seconds": 9.0, "sample_rate": 4000, "patient": patient,
        "site": "", "device": "", "split": split, "record_type": "", "continuous": True,
    }  # fmt: skip


def corpus_of(rows):
    """Make a corpus of (patient, split, classes of its events)."""
    recordings, events = [], []
    for number, (patient, split, kinds) in enumerate(rows):
        name = f"r{number:03d}"
        recordings.append(recording_of(name, str(patient), split))
        events += [
            {"recording": name, "start": float(i), "end": i + 1.0, "crackle": kind % 2, "wheeze": kind // 2}
            for i, kind in enumerate(kinds)
        ]
    return make_corpus("made", Path("/made"), recordings, events)


corpora = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(SPLITS), st.lists(st.integers(0, 3), max_size=4)),
    min_size=1,
    max_size=40,
).map(corpus_of)


def patients(corpus, split, part):
    return set(split.part(corpus, part).recordings["patient"])


@settings(max_examples=25)
@given(corpora, st.booleans(), st.floats(0.05, 0.5), st.integers(0, 2**32 - 1))
def test_the_rules_hold_for_any_corpus(corpus, drop_shared, validation, seed):
    official = corpus.recordings.set_index("recording")["split"].to_dict()
    assume(any(official.values()))
    trained = set(corpus.recordings.loc[corpus.recordings["split"] == "train", "patient"])
    assume(len(trained) != 1)
    split = assign(corpus, drop_shared=drop_shared, validation=validation, seed=seed)

    training, held_out = patients(corpus, split, "train"), patients(corpus, split, "validation")
    assert not training & held_out
    assert training | held_out == trained
    assert bool(training) == bool(held_out) == bool(trained)
    for recording, part in split.parts.items():
        assert official[recording] == ("train" if part == "validation" else part)

    left_out = {name for name in official if name not in split.parts}
    shared = {name for name in left_out if official[name]}
    assert left_out - shared == {name for name in official if not official[name]}
    if drop_shared:
        assert not (patients(corpus, split, "test") | patients(corpus, split, "inter")) & trained
        owner = corpus.recordings.set_index("recording")["patient"]
        assert all(official[name] in ("test", "inter") and owner[name] in trained for name in shared)
    else:
        assert not shared


@settings(max_examples=25)
@given(corpora, st.integers(0, 2**32 - 1))
def test_a_split_survives_json_and_its_hash_guards_it(corpus, seed):
    assume(corpus.recordings.loc[corpus.recordings["split"] == "train", "patient"].nunique() != 1)
    split = assign(corpus, drop_shared=False, validation=0.2, seed=seed)
    values = json.loads(json.dumps(split.to_dict()))
    assert Split.from_dict(values) == split
    assert assign(corpus, drop_shared=False, validation=0.2, seed=seed).hash == split.hash
    values["parts"][next(iter(values["parts"]))] = "elsewhere"
    with pytest.raises(InputError, match="is not that of its parts"):
        Split.from_dict(values)


def test_the_hash_is_that_of_the_sorted_lines():
    # printf 'a test\nb train' | sha256sum
    expected = "cb9221ef658627d8a98c739c63276240b60221e599738c46354623aa6ac2898e"
    assert Split("x", {"b": "train", "a": "test"}).hash == expected


@pytest.mark.parametrize("values", [{}, {"name": "x", "parts": [], "hash": ""}, {"name": "x", "parts": {}}, [], None])
def test_what_is_no_split_is_refused(values):
    with pytest.raises(InputError, match="not a split"):
        Split.from_dict(values)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_an_impossible_seed_is_refused(seed):
    with pytest.raises(InputError, match="seed"):
        assign(corpus_of([(0, "train", [0])]), drop_shared=False, validation=0.2, seed=seed)


@pytest.mark.parametrize("validation", [0.0, 0.6, -1.0, float("nan")])
def test_an_impossible_share_is_refused(validation):
    corpus = corpus_of([(0, "train", [0]), (1, "train", [1])])
    with pytest.raises(InputError, match="validation share"):
        assign(corpus, drop_shared=False, validation=validation, seed=0)


def test_one_training_patient_is_too_few():
    with pytest.raises(InputError, match="one training patient"):
        assign(corpus_of([(0, "train", [0]), (1, "test", [0])]), drop_shared=False, validation=0.2, seed=0)


@settings(max_examples=25)
@given(corpora, st.integers(0, 2**32 - 1), st.floats(0.05, 0.5))
def test_a_corpus_without_a_split_gets_a_test_that_no_option_moves(corpus, seed, validation):
    corpus = replace(corpus, recordings=corpus.recordings.assign(split=""))
    everybody = set(corpus.recordings["patient"])
    split = assign(corpus, drop_shared=False, validation=validation, seed=seed)
    assert split.name == "drawn"
    tested = patients(corpus, split, "test")
    if len(everybody) < 3:
        assert tested == everybody
        return
    training, held_out = patients(corpus, split, "train"), patients(corpus, split, "validation")
    assert tested | training | held_out == everybody
    assert len(tested) + len(training) + len(held_out) == len(everybody)
    assert min(len(tested), len(training), len(held_out)) > 0
    assert len(tested) == math.ceil(len(everybody) / 5)
    others = assign(corpus, drop_shared=True, validation=0.2, seed=0)
    assert tested == drawn_test(corpus) == patients(corpus, others, "test")
    assert patients(corpus, split, ALL) == everybody
    assert any(
        f"{len(tested)} of {len(everybody)} patients are drawn for the test" in said for said in warnings(corpus)
    )


def test_a_validation_that_the_split_names_is_taken():
    parts = ("train", "train", "validation", "test", "train")
    corpus = corpus_of([(number, part, [number % 4]) for number, part in enumerate(parts)])
    split = assign(corpus, drop_shared=False, validation=0.5, seed=3)
    assert patients(corpus, split, "validation") == {"2"}
    assert patients(corpus, split, "train") == {"0", "1", "4"}
    assert warnings(corpus) == []


def test_other_labels_are_held_out_evenly():
    """Twenty patients, a rare label in a quarter of them: validation gets its share."""
    recordings = corpus_of([(number, "train", []) for number in range(20)]).recordings
    events = [
        {"recording": f"r{number:03d}", "start": 0.0, "end": 1.0, "snore": int(number % 4 == 0), "cough": number % 2}
        for number in range(20)
    ]
    corpus = make_corpus("made", Path("/made"), recordings.to_dict("records"), events, labels=("snore", "cough"))
    split = assign(corpus, drop_shared=False, validation=0.2, seed=0)
    held_out = split.part(corpus, "validation").events
    assert (len(held_out), held_out["snore"].sum(), held_out["cough"].sum()) == (4, 1, 2)


def test_recordings_of_nobody_known_leak_and_it_is_said():
    corpus = corpus_of([("r000", "train", [0]), ("r001", "test", [0]), ("p", "train", [1])])
    assert len(warnings(corpus)) == 1
    assert warnings(corpus)[0].startswith("no patient for 2 of 3 recordings: each counts as a patient of its own")


@pytest.mark.parametrize(("drop_shared", "test"), [(False, 381), (True, 369)])
def test_icbhi_2017_with_and_without_the_shared_patients(shared, drop_shared, test):
    corpus = icbhi2017.load(shared / "data" / "icbhi2017")
    assert shared_patients(corpus) == ("156", "218")
    split = assign(corpus, drop_shared=drop_shared, validation=0.2, seed=0)
    sizes = {part: len(split.part(corpus, part).recordings) for part in ("train", "validation", "test")}
    assert sizes["test"] == test
    assert sizes["train"] + sizes["validation"] == 539
    assert len(patients(corpus, split, "train") | patients(corpus, split, "validation")) == 79


def test_sprsound_keeps_intra_and_carves_validation_with_the_same_classes(shared):
    corpus = sprsound.load(shared / "data" / "sprsound")
    assert shared_patients(corpus) == ()
    split = assign(corpus, drop_shared=True, validation=0.2, seed=0)
    assert len(split.part(corpus, "intra").recordings) == 379
    train, validation = (split.part(corpus, part) for part in ("train", "validation"))
    assert len(train.recordings) + len(validation.recordings) == 1949
    assert validation.recordings["patient"].nunique() == 51  # a fifth of 251, rounded up
    shares = [class_names(part.events, part.labels).value_counts(normalize=True) for part in (train, validation)]
    assert (shares[0] - shares[1]).abs().max() < 0.05


@pytest.mark.parametrize(
    ("name", "hashes"),
    [
        ("icbhi2017", ("210be1e7e3545aea", "208385c7d8a70ae1", "bfb44fc57de43220")),
        ("sprsound", ("70ad3eb3fd2a0331", "a3dff99f78e48898", "70ad3eb3fd2a0331")),
    ],
)
def test_the_splits_of_published_figures_stay(shared, name, hashes):
    corpus = open_corpus(name, shared / "data" / name)
    drawn = [(False, 0.2, 0), (False, 0.34, 3), (True, 0.2, 0)]
    corpora = [corpus.with_audio()] * 3
    splits = [
        assign(corpus, drop_shared=drop, validation=share, seed=seed)
        for corpus, (drop, share, seed) in zip(corpora, drawn, strict=True)
    ]
    assert tuple(hashlib.sha256(split.hash.encode()).hexdigest()[:16] for split in splits) == hashes


def test_validation_has_its_share_of_every_label_there_is():
    rng = np.random.default_rng(0)
    labels = ("cough", "snore", "murmur")
    recordings, events = [], []
    for patient in range(60):
        recordings.append(recording_of(f"r{patient:02d}", str(patient), "train"))
        kinds = rng.random(3) < (0.5, 0.2, 0.1)
        events += [
            {"recording": f"r{patient:02d}", "start": i, "end": i + 1.0, **dict(zip(labels, kinds * 1, strict=True))}
            for i in range(4)
        ]
    corpus = make_corpus("made", Path("/made"), recordings, events, labels=labels)
    split = assign(corpus, drop_shared=False, validation=0.2, seed=0)
    held_out = split.part(corpus, "validation").events[list(labels)].sum() / corpus.events[list(labels)].sum()
    assert ((held_out > 0.1) & (held_out < 0.3)).all()


def test_another_seed_holds_others_out(shared):
    corpus = icbhi2017.load(shared / "data" / "icbhi2017")
    splits = [assign(corpus, drop_shared=False, validation=0.2, seed=seed) for seed in range(4)]
    assert len({split.hash for split in splits}) == 4
