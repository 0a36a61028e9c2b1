"""Two and four commands at once that want the same folder, the same stored files or the same run."""

import json

import pytest
from verdicts import check_civil, check_sentence
from writing_commands import COMMANDS, DISTILL, SMALL, elsewhere, files_of, results

TOGETHER = {
    "two distill with other seeds in one second": 2,
    "two distill that resume one run": 2,
    "four evaluate that need the same features": 4,
    "four distill that need the same teacher trained first": 4,
    "two export into one folder": 2,
    "two firmware into one folder": 2,
    "two data synthesize into one folder": 2,
    "two data export into one table": 2,
}
ONE_PLACE = [name for name in TOGETHER if " into one " in name]


def all_at_once(bench, name, *commands):
    """Run as many commands at once as the table says; each of them must end in a civil way."""
    assert len(commands) == TOGETHER[name]
    ends = bench.run_at_once(*commands)
    for ended in ends:
        check_civil(ended)
    return ends


def runs_of(bench, name="runs"):
    """The finished runs of a folder: weights by seed."""
    found = {}
    for file in (bench.root / "work" / name).glob("*/run.json"):
        seed = json.loads(file.read_text())["seed"]
        assert seed not in found
        found[seed] = (file.parent / "weights.safetensors").read_bytes()
    return found


@pytest.mark.slow
def test_two_trainings_in_one_second_have_a_folder_each(bench, unharmed, tmp_path):
    ends = all_at_once(bench, "two distill with other seeds in one second", DISTILL, [*DISTILL, "--seed", "1"])
    assert [ended.code for ended in ends] == [0, 0]
    alone = elsewhere(bench, tmp_path / "alone")
    assert alone.run(*DISTILL, "--seed", "1").code == 0
    wanted = results(unharmed("distill").files, "distill")["work/runs/RUN/weights.safetensors"]
    assert runs_of(bench) == {0: wanted} | runs_of(alone)


@pytest.mark.slow
def test_two_that_resume_one_run_reach_what_one_does(bench, unharmed):
    wanted = unharmed("distill")
    bench.run(*DISTILL, kill_at=wanted.calls - 9)
    (run,) = (bench.root / "work" / "runs").iterdir()
    assert (run / "checkpoints" / "last.ckpt").is_file()
    ends = all_at_once(bench, "two distill that resume one run", *[["distill", "--resume", run]] * 2)
    assert 0 in {ended.code for ended in ends}
    assert results(files_of(bench.root), "distill") == results(wanted.files, "distill")


@pytest.mark.slow
def test_what_four_need_is_made_once(bench, unharmed):
    commands = [[*COMMANDS["evaluate"][:-1], f"{{work}}/{place}"] for place in range(4)]
    ends = all_at_once(bench, "four evaluate that need the same features", *commands)
    assert [ended.code for ended in ends] == [0] * 4
    wanted = unharmed("evaluate").files
    stored = {name: held for name, held in wanted.items() if name.startswith("cache/")}
    left = files_of(bench.root)
    assert {name: held for name, held in left.items() if name.startswith("cache/")} == stored
    predictions = sorted(held for name, held in wanted.items() if name.endswith(".csv"))
    for place in range(4):
        files = {name: held for name, held in left.items() if name.startswith(f"work/{place}/")}
        assert sorted(held for name, held in files.items() if name.endswith(".csv")) == predictions
    sizes = [len(held) for held in stored.values()]
    assert sum(ended.bytes for ended in ends) < sum(sizes) + min(sizes), "stored more than once"


@pytest.mark.slow
def test_a_teacher_that_four_need_is_trained_once(bench):
    words = ["distill", *SMALL, "--epochs", "1", "--teacher-epochs", "1", "--width", "0.125"]
    words += ["--runs", "{work}/runs", "--temperature"]
    commands = [[*words, str(temperature)] for temperature in range(1, 5)]
    ends = all_at_once(bench, "four distill that need the same teacher trained first", *commands)
    assert [ended.code for ended in ends] == [0] * 4
    runs = [json.loads(file.read_text()) for file in (bench.root / "work" / "runs").glob("*/run.json")]
    assert sorted(run["kind"] for run in runs) == ["student"] * 4 + ["teacher"]
    students = [run for run in runs if run["kind"] == "student"]
    assert {run["options"]["losses"]["temperature"] for run in students} == {1, 2, 3, 4}
    assert len({run["teacher"]["run"] for run in students}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE_PLACE)
def test_two_that_write_one_place_leave_one_whole(bench, unharmed, name):
    command = name.removeprefix("two ").partition(" into ")[0]
    ends = all_at_once(bench, name, *[COMMANDS[command]] * 2)
    assert 0 in {ended.code for ended in ends}
    for ended in ends:
        if ended.code:
            check_sentence(ended)
    assert results(files_of(bench.root), command) == results(unharmed(command).files, command)
