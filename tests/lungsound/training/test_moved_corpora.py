"""A run finds its corpora from every folder, and where they lie now is said and checked."""

import json
import shutil
from dataclasses import replace

import pytest

from distill.settings import DistillSettings
from distill.training import distill
from lungsound.corpora.synthetic import generate
from lungsound.errors import InputError
from lungsound.training.data import DataOptions
from lungsound.training.runs import Run
from lungsound.training.settings import SETTINGS_FILE, load_settings
from teachers.settings import FinetuneSettings


def changed(file, change):
    """Write other values into a file of a run, by hand as it were: without its checksum."""
    values = change(json.loads(file.read_text()))
    values.pop("sha256", None)
    file.write_text(json.dumps(values))


@pytest.fixture(scope="module")
def moved(small_student, place, tmp_path_factory):
    """The small student, whose corpus lies elsewhere now."""
    root = tmp_path_factory.mktemp("moved")
    shutil.copytree(place / "corpus", root / "corpus")
    shutil.copytree(small_student.path, root / "student", ignore=shutil.ignore_patterns(".lock"))
    for file in (root / "student" / "run.json", root / "student" / SETTINGS_FILE):
        changed(file, lambda values: json.loads(json.dumps(values).replace(str(place / "corpus"), "/gone/corpus")))
    return root


def test_what_is_typed_is_stored_as_it_is_found_from_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = DataOptions(data=("icbhi2017:corpus", "synthetic", "table:../a.csv"))
    assert options.data == (f"icbhi2017:{tmp_path}/corpus", "synthetic", f"table:{tmp_path}/../a.csv")
    settings = DistillSettings("runs/teacher", from_run="runs/a", student_weights="w.pth")
    assert settings.teacher_run == f"{tmp_path}/runs/teacher"
    assert (settings.from_run, settings.student_weights) == (f"{tmp_path}/runs/a", f"{tmp_path}/w.pth")
    taught = FinetuneSettings(weights="w.pth", from_run="/b")
    assert (taught.weights, taught.from_run) == (f"{tmp_path}/w.pth", "/b")


def test_a_bundle_is_made_from_another_folder_and_of_moved_sound(moved, tmp_path, monkeypatch):
    from export.command import export_run

    made = []
    monkeypatch.setattr("export.making.write_bundle", lambda folder, *_, **__: made.append(folder))
    monkeypatch.chdir(tmp_path)
    run = Run.load(moved / "student")
    with pytest.raises(InputError, match="/gone/corpus: no such folder"):
        export_run(run, tmp_path / "bundle")
    export_run(run, tmp_path / "bundle", data=[f"icbhi2017:{moved / 'corpus'}"])
    assert made == [tmp_path / "bundle"]


def test_another_corpus_is_refused(moved, tmp_path):
    from export.command import export_run

    run = Run.load(moved / "student")
    for data in (["synthetic"], [f"icbhi2017:{moved / 'corpus'}", "synthetic"]):
        with pytest.raises(InputError, match=r"its corpora are icbhi2017, not .*; give --data icbhi2017:ROOT"):
            export_run(run, tmp_path / "bundle", data=data)
    generate(tmp_path / "other", seed=6, patients=8)
    with pytest.raises(InputError, match=r"have changed since the training, or .*/other is another corpus; .*--data"):
        export_run(run, tmp_path / "bundle", data=[f"icbhi2017:{tmp_path / 'other'}"])
    assert not (tmp_path / "bundle").exists()


def test_a_resumed_training_hears_the_recordings_that_it_began_with(moved, tmp_path, place):
    folder = tmp_path / "run"
    shutil.copytree(moved / "student", folder, ignore=shutil.ignore_patterns("run.json"))
    settings = load_settings(folder, DistillSettings)
    with pytest.raises(InputError, match="no such folder"):
        distill(settings, folder, place / "cache")
    here = settings.data.moved_to([f"icbhi2017:{moved / 'corpus'}"], folder)
    run = distill(replace(settings, data=here), folder, place / "cache")
    assert run.data == (f"icbhi2017:{moved / 'corpus'}",)
    assert load_settings(folder, DistillSettings).data == here
    changed(folder / SETTINGS_FILE, lambda values: values | {"split_hash": "0" * 64})
    with pytest.raises(InputError, match="not those that it began with"):
        distill(replace(settings, data=here), folder, place / "cache")
