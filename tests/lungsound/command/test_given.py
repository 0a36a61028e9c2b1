"""Options that would be ignored are refused, wherever they come from."""

import sys

import pytest
import typer

from lungsound.command.given import refuse_beside_resume, refuse_ignored
from lungsound.errors import InputError


def app(default_map=None):
    made = typer.Typer(context_settings={"default_map": default_map or {}})

    @made.command()
    def command(
        context: typer.Context,
        many_words: int = 1,
        short: bool = typer.Option(False, "--short", "-s"),
        resume: str = "",
        json_output: bool = typer.Option(False, "--json"),
    ):
        if resume:
            refuse_beside_resume(context)
        refuse_ignored(context, "today", ("many_words", "short"))

    return made


def call(monkeypatch, words, default_map=None):
    monkeypatch.setattr(sys, "argv", ["command", *words])
    with pytest.raises((SystemExit, InputError)) as stopped:
        app(default_map)()
    return stopped.value if isinstance(stopped.value, InputError) else None


def test_defaults_are_not_given(monkeypatch):
    assert call(monkeypatch, []) is None
    assert call(monkeypatch, ["--json"]) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--many-words", "1"], "--many-words: would be ignored today; leave it out"),
        (["-s", "--many-words=2"], "--many-words, --short: would be ignored today; leave them out"),
        (["--resume", "run", "-s"], "--short: would be ignored with --resume"),
    ],
)
def test_what_was_given_is_named_as_it_is_spelt(monkeypatch, words, said):
    assert str(call(monkeypatch, words)).startswith(said)


def test_a_recipe_gives_too(monkeypatch):
    assert str(call(monkeypatch, [], {"many_words": 3})).startswith("--many-words: would be ignored")


def test_resume_alone_and_with_json(monkeypatch):
    assert call(monkeypatch, ["--resume", "run", "--json"]) is None
