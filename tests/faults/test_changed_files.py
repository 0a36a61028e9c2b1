"""Files changed at random, with their checksums broken and mended: told in a sentence, whatever they say."""

import json
from dataclasses import replace

import numpy as np
import pytest
from mutated import mutations, with_crc32, with_records
from verdicts import check_civil
from writing_commands import RECIPE

COUNT = 300
KINDS = {
    "recipe": 10,
    "settings.json": 11,
    "run.json of a student": 12,
    "run.json of a teacher": 13,
    "last.ckpt": 14,
    "stored array": 15,
}
"""With the seed of each."""


def tried(case, commands):
    """Run commands, of which none may end but in a civil way."""
    ends = case.run_in_turn(*commands)
    for ended in ends:
        check_civil(ended)
    assert len(ends) == len(commands)
    return ends


@pytest.fixture
def case(bench):
    """A place whose corpus is missing, so that a reader that finds nothing wrong trains nothing."""
    bench.root.mkdir()
    return replace(bench, given=bench.given | {"corpus": str(bench.root / "missing")})


def test_recipes(case):
    commands = []
    for number, content in enumerate(mutations(RECIPE.encode(), COUNT, KINDS["recipe"])):
        file = case.root / f"{number}.toml"
        file.write_bytes(content)
        words = ["--teacher", "none", "--data", "icbhi2017:{corpus}", "--runs", "{work}/runs"]
        commands.append(["auscult", "distill", "--recipe", file, *words])
    assert all(ended.code for ended in tried(case, commands))


def changed_runs(case, run, name, seed):
    """Return run folders in which the file `name` is changed; none of their corpora is there."""
    values = json.loads((run / name).read_text())
    if name == "run.json":
        values["data"] = ["icbhi2017:/missing"]
    else:
        values["data"]["data"] = ["icbhi2017:/missing"]
    content = json.dumps(values, indent=2).encode()
    for number, changed in enumerate(mutations(content, COUNT, seed)):
        folder = case.root / str(number)
        folder.mkdir()
        for file in run.glob("*.*"):
            if file.is_file() and file.name not in (name, ".lock"):
                (folder / file.name).hardlink_to(file)
        (folder / name).write_bytes(changed)
        yield folder


def test_settings(case, given):
    student = given.root / "student"
    commands = [
        ["distill", "--resume", run] for run in changed_runs(case, student, "settings.json", KINDS["settings.json"])
    ]
    assert all(ended.code for ended in tried(case, commands))


@pytest.mark.slow
def test_runs_of_students(case, given):
    runs = list(changed_runs(case, given.root / "student", "run.json", KINDS["run.json of a student"]))
    assert all(ended.code for ended in tried(case, [["auscult", "export", run, "-o", "{work}/b"] for run in runs]))
    (listed,) = tried(case, [["auscult", "runs", case.root, "--json"]])
    assert listed.code == 0


@pytest.mark.slow
def test_runs_of_teachers(case, given):
    runs = changed_runs(case, given.root / "teacher", "run.json", KINDS["run.json of a teacher"])
    words = ["--data", "icbhi2017:{corpus}", "--seconds", "2", "--runs", "{work}/runs"]
    assert all(ended.code for ended in tried(case, [["distill", *words, "--teacher-run", run] for run in runs]))


@pytest.mark.slow
def test_checkpoints(case, given):
    (file,) = given.root.glob("student/checkpoints/last.ckpt")
    rng = np.random.default_rng(KINDS["last.ckpt"])
    read_changed(case, file, "checkpoint", KINDS["last.ckpt"], lambda _: with_records(file.read_bytes(), rng))


@pytest.mark.slow
def test_stored_arrays(case, given):
    read_changed(
        case, min(given.cache.glob("teacher_outputs/*/logits.npy")), "array", KINDS["stored array"], with_crc32
    )


def read_changed(case, file, kind, seed, mend):
    """Let a file that was changed be read by itself; a training of each would take too long.

    Where its checksum is not mended it is found damaged, unless what was changed says nothing.
    """
    commands = [[f"read {kind}", file]]
    for number, changed in enumerate(mutations(file.read_bytes(), COUNT, seed, mend)):
        place = case.root / f"{number}{file.suffix}"
        place.write_bytes(changed)
        commands.append([f"read {kind}", place])
    unchanged, *ends = tried(case, commands)
    assert unchanged.code == 0
    assert {ended.out for ended in ends[::2] if ended.code == 0} <= {unchanged.out}
    assert sum(ended.code for ended in ends[::2]) > 0.9 * COUNT / 2
