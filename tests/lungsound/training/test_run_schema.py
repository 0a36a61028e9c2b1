"""run.json and settings.json, as anybody may have written them."""

import copy
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.settings import DistillSettings
from lungsound.errors import InputError
from lungsound.files.plain_json import dumps
from lungsound.training.data import DataOptions
from lungsound.training.runs import Run
from lungsound.training.settings import SETTINGS_FILE, load_settings
from students.student import StudentConfig
from teachers.settings import FinetuneSettings

T = TypeVar("T")

BEFORE = Path(__file__).parents[2] / "data" / "before"
RUN = json.loads((BEFORE / "student" / "run.json").read_text())
TOLD = {
    DistillSettings: json.loads((BEFORE / "student" / SETTINGS_FILE).read_text()),
    FinetuneSettings: json.loads((BEFORE / "teacher" / SETTINGS_FILE).read_text()),
}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([10**400, -1, "3", "../x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the weights of a run of before."""
    path = tmp_path_factory.mktemp("run")
    shutil.copy(BEFORE / "student" / "weights.safetensors", path)
    return path


def places(values: object, at: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Return the way to every value inside."""
    inside = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    return [way for key, item in inside for way in [(*at, key), *places(item, (*at, key))]]


def changed(values: dict, way: tuple[object, ...], new: object) -> dict:
    """Return a copy with another value at a place; it goes where `new` is the ellipsis."""
    copied = inner = copy.deepcopy(values)
    for key in way[:-1]:
        inner = inner[key]
    if new is ...:
        del inner[way[-1]]
    else:
        inner[way[-1]] = new
    return copied


def written(folder: Path, name: str, values: object) -> Path:
    (folder / name).write_text(values if isinstance(values, str) else json.dumps(values))
    return folder


def made_or_refused(make: Callable[[], T]) -> T | str:
    """Return what is made, or the sentence of its refusal."""
    try:
        return make()
    except InputError as error:
        return str(error)


@pytest.mark.parametrize(
    ("way", "new", "sentence"),
    [
        (("thresholds",), None, "'thresholds' must be a list, got 'None'"),
        (("thresholds",), [0.1], "1 thresholds for 2 labels"),
        (("thresholds", 0), None, "'thresholds' must be a number, got 'None'"),
        (("thresholds", 0), math.inf, "Infinity is no number"),
        (("seed",), "0", "'seed' must be a whole number, got '0'"),
        (("seed",), -1, "'seed' must be from 0 to 4294967295, got -1"),
        (("kind",), "pupil", "'kind' must be student or teacher or encoder, got 'pupil'"),
        (("synthetic",), 1, "'synthetic' must be true or false, got '1'"),
        (("split", "hash"), ..., "'split' lacks 'hash'"),
        (("split", "validation"), 2, "'split.validation' must be from 0.05 to 0.5, got 2"),
        (("model", "temperatures"), [10**400], "is too large a number"),
        (("teacher",), {"name": "x"}, "'teacher' lacks 'licence'"),
        (("teacher", "paper"), 3, "'teacher.paper' must be text, got '3'"),
        (("validation", "score"), "high", "'validation.score' must be a number, got 'high'"),
        (("options",), {}, "'options' lacks 'logmel'"),
        (("data",), "synthetic", "'data' must be a list"),
        (("listening", "seconds"), "long", "'listening': not a description of a model's input"),
        (("model",), ..., "lacks 'model'"),
        (("format",), 2, "another format than 1"),
    ],
)
def test_what_does_not_fit_is_named(folder, way, new, sentence):
    with pytest.raises(InputError) as refused:
        Run.load(written(folder, "run.json", changed(RUN, way, new)))
    said = str(refused.value)
    assert said.startswith(f"{folder / 'run.json'}: damaged (")
    assert sentence in said


@pytest.mark.parametrize("levels", [30, 500, 900, 100_000])
def test_what_is_nested_deeply_is_refused(folder, levels):
    text = json.dumps(RUN).replace('"trunk": "cnn6"', f'"trunk": {"[" * levels}{"]" * levels}')
    with pytest.raises(InputError, match="damaged"):
        Run.load(written(folder, "run.json", text))


@given(st.data())
def test_a_mutated_run_is_refused_or_can_be_worked_with(folder, data):
    way = data.draw(st.sampled_from(places(RUN)))
    values = changed(RUN, way, data.draw(VALUES | st.just(...)))
    run = made_or_refused(lambda: Run.load(written(folder, "run.json", values)))
    if isinstance(run, str):
        assert len(run.splitlines()) == 1
        assert len(run) < 1500
        return
    made_or_refused(lambda: DataOptions.of_run(run))
    made_or_refused(lambda: StudentConfig.from_dict(run.model))
    dumps({"model": run.model, "options": run.options, "validation": run.validation})
    assert all(math.isfinite(threshold) for threshold in run.thresholds)
    run.save()
    assert Run.load(folder) == run


@pytest.mark.parametrize(
    ("kind", "way", "new", "sentence"),
    [
        (DistillSettings, ("epochs",), "3", "'epochs' must be a whole number, got '3'"),
        (DistillSettings, ("epochs",), 0, "'epochs' must be from 1 to 100000, got 0"),
        (DistillSettings, ("epochs",), True, "'epochs' must be a whole number, got 'True'"),
        (DistillSettings, ("losses", "logits"), -1, "'losses': 'logits' must be from 0 to 1000, got -1"),
        (DistillSettings, ("learning_rate",), 0, "'learning_rate' must be from 1e-09 to 10, got 0"),
        (DistillSettings, ("data",), ..., "lacks 'data'"),
        (DistillSettings, ("data", "data"), ..., "lacks 'data'"),
        (DistillSettings, ("data", "seconds"), 0, "'data': 'seconds' must be from 0.01 to 600, got 0"),
        (FinetuneSettings, ("layers",), [0], "'layers' must be"),
        (FinetuneSettings, ("pooling",), "max", "'pooling' must be frames or tokens or mean or clip, got 'max'"),
    ],
)
def test_settings_that_do_not_fit_are_named(folder, kind, way, new, sentence):
    with pytest.raises(InputError, match=rf"settings\.json: no settings to resume from \(.*{kind.command} began") as no:
        load_settings(written(folder, SETTINGS_FILE, changed(TOLD[kind], way, new)), kind)
    assert sentence in str(no.value)


@pytest.mark.parametrize("kind", [DistillSettings, FinetuneSettings])
@given(data=st.data())
def test_mutated_settings_are_refused_or_settings(folder, kind, data):
    way = data.draw(st.sampled_from(places(TOLD[kind])))
    values = changed(TOLD[kind], way, data.draw(VALUES | st.just(...)))
    settings = made_or_refused(lambda: load_settings(written(folder, SETTINGS_FILE, values), kind))
    if isinstance(settings, str):
        assert len(settings.splitlines()) == 1
        return
    assert 0 < settings.learning_rate < math.inf
    assert settings.epochs >= 1


@pytest.mark.parametrize(("began", "other"), [(DistillSettings, FinetuneSettings), (FinetuneSettings, DistillSettings)])
def test_a_training_is_resumed_by_the_command_that_began_it(folder, began, other):
    values = TOLD[began]
    with pytest.raises(InputError, match=f"a training that {other.command} began"):
        load_settings(written(folder, SETTINGS_FILE, values), other)
    with pytest.raises(InputError, match=f"begun by {began.command}; resume it with that command, not {other.command}"):
        load_settings(written(folder, SETTINGS_FILE, values | {"command": began.command}), other)


def test_numbers_that_are_none_are_refused_when_settings_are_made():
    for made in (
        lambda: DistillSettings(None, learning_rate=math.nan),
        lambda: DistillSettings(None, gain=math.inf),
        lambda: FinetuneSettings(learning_rate=0.0),
        lambda: DataOptions(seconds=math.nan),
        lambda: DataOptions(hop_seconds=1e9),
        lambda: DataOptions(validation=1.0),
    ):
        with pytest.raises(InputError, match="must be"):
            made()
