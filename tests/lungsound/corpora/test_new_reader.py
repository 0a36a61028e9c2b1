"""A corpus added as a newcomer would: one function with a decorator, and every command knows it."""

import json
import sys

import numpy as np
import pytest
import soundfile

from lungsound.corpora.registry import open_corpus, readers, register
from lungsound.corpus import make_corpus
from lungsound.errors import InputError


@register(
    "ward",
    what="recordings of a ward",
    layout="WAV files named PATIENT_LABEL.wav.",
    terms="made in this test",
    paper="none",
)
def load(root):
    recordings, events = [], []
    for path in sorted(root.glob("*.wav")):
        about = soundfile.info(path)
        patient, label = path.stem.split("_")
        recordings.append(
            {"recording": path.stem, "path": str(path), "seconds": about.duration, "sample_rate": about.samplerate,
             "patient": patient, "site": "", "device": "", "split": "", "record_type": "", "continuous": True}
        )  # fmt: skip
        events.append(
            {"recording": path.stem, "start": 0.0, "end": about.duration,
             "crackle": int(label == "crackle"), "wheeze": int(label == "wheeze")}
        )  # fmt: skip
    if not recordings:
        raise InputError(f"{root}: no recordings of the ward here; name their folder")
    return make_corpus("ward", root, recordings, events)


@pytest.fixture
def root(tmp_path):
    for number in range(6):
        label = ("normal", "crackle", "wheeze")[number % 3]
        sound = np.random.default_rng(number).uniform(-0.1, 0.1, 3 * 4000)
        soundfile.write(tmp_path / f"p{number}_{label}.wav", sound, 4000)
    return tmp_path


def test_errors_name_it():
    with pytest.raises(InputError, match=r"unknown; choose from .*table, ward$"):
        open_corpus("wrd")


def test_every_module_of_the_package_is_looked_through():
    known = readers()
    assert {
        "audacity",
        "coughvid",
        "folders",
        "hls_cmds",
        "icbhi2017",
        "sprsound",
        "synthetic",
        "table",
    } <= known.keys()
    for reader in known.values():
        assert reader.what
        assert reader.layout.endswith(".")
        assert reader.terms
        assert reader.paper


def test_a_name_belongs_to_one_module():
    def other(root):
        raise NotImplementedError

    other.__module__ = "somewhere.else"
    with pytest.raises(ValueError, match="'ward' is registered by"):
        register("ward", what="", layout="", terms="", paper="")(other)
    assert readers()["ward"].load is load


def test_it_is_checked_exported_and_split(root, tmp_path_factory, monkeypatch, capsys):
    from auscult.cli import build
    from lungsound.command.console import run

    def auscult(*words):
        monkeypatch.setattr(sys, "argv", ["auscult", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            run(build())
        assert not stopped.value.code
        return json.loads(capsys.readouterr().out)

    report = auscult("data", "check", f"ward:{root}", "--json")
    assert (report["corpus"], report["recordings"], report["problems"]) == ("ward", 6, [])
    assert report["labels"] == {"crackle": 2, "wheeze": 2}
    table = tmp_path_factory.mktemp("table") / "ward.csv"
    assert auscult("data", "export", f"ward:{root}", "-o", table, "--json")["events"] == 6
    assert len(open_corpus("table", table).events) == 6
    assert "ward" in [corpus["name"] for corpus in auscult("data", "list", "--json")["corpora"]]


def test_training_takes_it(root, tmp_path):
    from lungsound.training.data import DataOptions, prepare_training

    options = DataOptions(data=(f"ward:{root}",), seconds=2.0, validation=0.4)
    data = prepare_training(options, tmp_path / "cache")
    assert {tuple(split.parts.values()).count("test") for split in data.selection.splits} == {2}
    assert len(data.train.windows) > 0
    assert len(data.validation.windows) > 0
    assert options.split_record(data.selection)["name"] == "drawn"
