"""Recipes of teachers start on real recordings with one command, all but the width of the network as published."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from few_recordings import few_recordings
from made_once import once
from published_m2d import make_base_narrow, published_m2d

from lungsound.command.recipes import Recipe, shipped
from lungsound.corpora.registry import open_corpus
from lungsound.training.runs import Run
from lungsound.training.weights import save_weights
from teachers.cards import TeacherCard
from teachers.encoder import config_values
from teachers.m2d.encoder import M2DEncoder
from teachers.teacher import Teacher

RECIPES = [name for name in shipped() if Recipe.open(name).command == "finetune"]


def test_every_reading_of_the_papers_has_a_recipe():
    told = {name: Recipe.open(name).values for name in RECIPES}
    fused = {name: (values["fusion"], values["fixed-weights"]) for name, values in told.items() if "fusion/" in name}
    layers = {("5,12", True), ("5,11", True), ("4,7,10", True), ("all", True), ("all", False)}
    assert set(fused.values()) == layers
    assert {told[name]["loss"] for name in fused if fused[name] == ("all", False)} == {"weighted-classes", "labels"}
    assert {name.removeprefix("m2d/") for name in RECIPES if "m2d/" in name} == {
        *("icbhi2017-16x16", "icbhi2017-16x4", "application-icbhi2017", "application-sprsound"),
        *("m2dx-icbhi2017", "m2dx-sprsound"),
    }
    for name, values in told.items():
        if "/" in name:
            masks = [values[key] for key in ("frequency-mask", "time-mask", "mask-probability")]
            assert (masks, values["seeds"]) == ([20, 40, 0.8413], 5)


@pytest.fixture
def corpora(shared, place):
    """A few recordings of both corpora, by their names."""

    def write():
        for name in ("icbhi2017", "sprsound"):
            corpus = open_corpus(name, shared / "data" / name).with_audio()
            few_recordings(corpus, place / "few" / name)
        return place / "few"

    folder = once("a few real recordings", write)
    return {name: f"{name}:{folder / name}" for name in ("icbhi2017", "sprsound")}


@pytest.fixture
def releases(monkeypatch, tmp_path):
    """The published weights, narrow, without a download."""
    make_base_narrow(monkeypatch)
    monkeypatch.setattr(TeacherCard, "fetch", lambda card: published_m2d(tmp_path / "releases", card.name))


@pytest.fixture
def pretrained(releases, small_teacher, tmp_path):
    """A run as `auscult pretrain` leaves it: an encoder alone, here with the weights that it begins with."""
    encoder = M2DEncoder.read(published_m2d(tmp_path, "m2d_vit_base-80x200p16x4-230529"))
    run = replace(
        small_teacher,
        path=tmp_path / "encoder",
        kind="encoder",
        model={"encoder": config_values(encoder.config)},
        listening=replace(small_teacher.listening, logmel=encoder.logmel, seconds=8.0, hop_seconds=8.0),
        thresholds=(),
        validation={},
        options=small_teacher.options | {"logmel": "m2d"},
    )
    run.path.mkdir()
    save_weights(encoder, run.weights)
    run.save()
    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_starts_on_real_recordings(auscult, corpora, releases, request, tmp_path, name):
    values = Recipe.open(name).values
    (data,) = values["data"]
    words = ["--data", corpora[data.removesuffix(":ROOT")]]
    if "from-run" in values:
        words += ["--from-run", request.getfixturevalue("pretrained").path]
    words += ["--epochs", 1, "--seeds", 1, "--runs", tmp_path / "runs"]
    code, said, told = auscult("finetune", "--recipe", name, *words, "--json")
    assert code == 0, told
    answer = json.loads(said)
    run = Run.load(Path(answer["run"]))
    teacher = Teacher.load(run.model, run.weights)
    fused = {"all": range(1, len(teacher.encoder.shapes) + 1), "last": [len(teacher.encoder.shapes)]}
    layers = fused.get(values["fusion"]) or map(int, values["fusion"].split(","))
    assert teacher.fusion.layers == tuple(layers)
    assert bool(answer["layer_weights"]) is not values["fixed-weights"]
    assert (run.path / "layer_weights.png").exists() is not values["fixed-weights"]
    outputs = {"labels": len(values["label"]), "classes": 7, "weighted-classes": 4}
    assert teacher.head.out_features == outputs[values["loss"]]
    assert ("argmax" in run.validation) == (values["loss"] != "labels")
    assert (run.options["recipe"]["name"], run.options["seeds"]) == (name, 1)
