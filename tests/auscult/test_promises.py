"""What `--help` says of every command's JSON is what it prints: one object on stdout, with these keys."""

import json
from importlib import import_module

import pytest
from promised_keys import broken, promised

from auscult.cli import CONTENTS, load
from firmware_bridge.device.targets import find_target, missing_packages
from lungsound.shards.writing import ShardOptions, write_shards

EXAMPLES = {
    "models": [[]],
    "classify": [["{sound}", "--model", "{bundle}"]],
    "data list": [[]],
    "data check": [["icbhi2017", "--root", "{corpus}"]],
    "data export": [["icbhi2017:{corpus}", "-o", "{new}/table.csv"]],
    "data synthesize": [["{new}/corpus", "--patients", 4]],
    "data shard": [["--data", "icbhi2017:{corpus}", "-o", "{new}/shards"]],
    "data verify": [["{shards}"]],
    "teachers": [[]],
    "recipes": [[]],
    "runs": [["{runs}"]],
    "export": [["{student}", "-o", "{new}/bundle", "--abstain", "0.1"]],
    "check": [["{bundle}"]],
    "evaluate": [
        ["{student}", "--data", "icbhi2017:{corpus}"],
        ["{student}", "{bundle}", "--protocol", "stream", "--data", "icbhi2017:{corpus}"],
    ],
    "verify": [["{student}"], ["{bundle}"]],
    "compare": [["{student}", "{bundle}", "--protocol", "stream", "--data", "icbhi2017:{corpus}"]],
    "firmware": [["{bundle}", "--target", "cortex-m4", "-o", "{new}/firmware"]],
    "plan": [
        ["{bundle}", "--target", "cortex-m4"],
        ["--student", "cnn6", "--width", 1 / 16, "--seconds", 2, "--target", "cortex-m4"],
    ],
    "targets": [[]],
    "cache": [[], ["--clean", "--kind", "leftovers"]],
}
SMALL = ["--data", "icbhi2017:{corpus}", "--protocol", "stream", "--seconds", 2, "--validation", 0.34, "--epochs", 1]
SLOW_EXAMPLES = {
    "classify": [["{sound}", "--model", "{bundle}"]],
    "probe": [[*SMALL, "--hop", 6, "--label", "any", "--from-run", "{student}", "--runs", "{new}/runs"]],
    "finetune": [[*SMALL, "--runs", "{new}/runs"], [*SMALL, "--seeds", 2, "--runs", "{new}/runs"]],
    "pretrain": [
        [
            *["--data", "icbhi2017:{corpus}", "--validation", 0.34, "--size", "tiny", "--frames", 32, "--min-clips", 4],
            *["--batch-size", 4, "--epochs", 1, "--warm-up", 0, "--runs", "{new}/runs"],
        ]
    ],
    "distill": [
        [*SMALL, "--width", 0.0625, "--teacher-run", "{teacher}", "--runs", "{new}/runs"],
        [*SMALL, "--width", 0.0625, "--teacher", "none", "--runs", "{new}/runs"],
    ],
    "bench": [["{bundle}", "--runs", 2], ["{bundle}", "--target", "host"]],
    "demo": [["--runs", "{new}/runs"]],
}


def docstring(name: str) -> str | None:
    """Of a command's function."""
    command, *inner = name.split()
    loaded = getattr(import_module(CONTENTS[command][0]), CONTENTS[command][1])
    if not inner:
        return loaded.__doc__
    (found,) = (one.callback for one in loaded.registered_commands if (one.name or one.callback.__name__) == inner[0])
    return found.__doc__


@pytest.fixture
def answer(auscult, place, small_options, small_teacher, small_student, small_bundle, tmp_path):
    """Run an example of a command and return its object."""

    def run(name: str, words: list[object]) -> dict:
        if "host" in words and (packages := missing_packages(find_target("host"))):
            pytest.skip(f"needs {packages}")
        known = {"corpus": place / "corpus", "runs": place / "runs", "new": tmp_path}
        if "{sound}" in words:
            known["sound"] = min((place / "corpus").rglob("*.wav"))
        if "{shards}" in words:
            known["shards"] = tmp_path / "shards"
            write_shards(small_options.select(), "train", small_options.data, known["shards"], ShardOptions())
        known |= {"teacher": small_teacher.path, "student": small_student.path, "bundle": small_bundle.path}
        code, said, complaint = auscult(*name.split(), *(str(word).format(**known) for word in words), "--json")
        assert code == 0, complaint
        found = json.loads(said)
        assert isinstance(found, dict)
        return found

    return run


def held(answer, name: str, examples: list[list[object]]) -> None:
    promise = promised(docstring(name))
    printed = [answer(name, words) for words in examples]
    assert [error for found in printed for error in broken(promise, found)] == []
    missing = promise.names() - {key for found in printed for key in found}
    assert not missing, f"promised, and printed by none of the examples: {missing}"


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_promised_is_printed(answer, name):
    held(answer, name, EXAMPLES[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW_EXAMPLES)
def test_what_is_promised_is_printed_after_longer(answer, name, small_options, small_settings, monkeypatch):
    if name == "demo":
        from auscult import whole_chain as chain

        small = {"data": small_options, "epochs": 1}
        monkeypatch.setattr(chain, "TEACHER", chain.replace(chain.TEACHER, **small))
        monkeypatch.setattr(chain, "STUDENT", chain.replace(small_settings, epochs=2))
    held(answer, name, SLOW_EXAMPLES[name])


def test_every_command_has_an_example_and_json():
    found = set()
    for name in CONTENTS:
        command = load(name)
        for path in [f"{name} {inner}" for inner in getattr(command, "commands", ())] or [name]:
            found.add(path)
            inner = command.commands[path.split()[1]] if " " in path else command
            assert "--json" in [option for parameter in inner.params for option in parameter.opts], path
            promised(docstring(path))
    assert found == set(EXAMPLES) | set(SLOW_EXAMPLES)


def test_help_shows_the_whole_promise(auscult):
    for name in ("targets", "evaluate"):
        said = " ".join(auscult(name, "--help")[1].replace("│", " ").split())
        assert all(key in said for key in promised(docstring(name)).names())


@pytest.mark.parametrize(
    ("help", "value", "wrong"),
    [
        ("a, b", {"a": 1, "b": None}, []),
        ("a, b", {"a": 1}, [".b: promised, not printed"]),
        ("a", {"a": 1, "c": 2}, [".c: printed, not promised"]),
        ("a. With --c: c", {"a": 1, "c": 2}, []),
        ("a. With --c: c", {"a": 1}, []),
        ("a. Instead, with --c: c", {"c": 1}, []),
        ("a. Instead, with --c: c", {"a": 1, "c": 1}, [".c: printed, not promised"]),
        ("a (some words)", {"a": {"x": 1}}, []),
        ("a (it has: x, y (z))", {"a": {"x": 1, "y": 2}}, []),
        ("a (it has: x, y)", {"a": {"x": 1}}, [".a.y: promised, not printed"]),
        ("a (it has: x; at times: y)", {"a": {"x": 1}}, []),
        ("a (a list: x)", {"a": [{"x": 1}, {}]}, [".a[].x: promised, not printed"]),
        ("a (by name: x)", {"a": {"one": {"x": 1}, "two": {}}}, [".a.two.x: promised, not printed"]),
        ("a (by name; at times: x)", {"a": {"one": {"x": 1}, "two": {}}}, []),
    ],
)  # fmt: skip
def test_a_broken_promise_is_noticed(help, value, wrong):
    assert broken(promised(f"Do something.\n\nJSON keys: {help}.\n"), value) == wrong


@pytest.mark.parametrize("help", ["a and b", "a, a", "a (b, c)", "A", "see elsewhere", "a (b"])
def test_what_is_no_promise_is_refused(help):
    with pytest.raises((AssertionError, ValueError, IndexError)):
        promised(f"JSON keys: {help}.")
