"""Progress stays on stderr, shows once, and libraries keep their notes to themselves."""

import io
import os
import sys

import pytest
from rich.console import Console

from lungsound import terminal
from lungsound.terminal import activity, progress, without_notes


@pytest.fixture
def screen(monkeypatch):
    """What stderr would show if it were a terminal."""
    shown = io.StringIO()
    monkeypatch.setattr(terminal, "err", Console(file=shown, force_terminal=True, color_system=None, width=80))
    return shown


def test_progress_shows_what_is_done_and_hands_out_every_item(screen, capsys):
    assert list(progress(range(3), "counting")) == [0, 1, 2]
    assert "counting" in screen.getvalue()
    assert capsys.readouterr().out == ""


def test_progress_within_an_activity_and_within_progress_shares_the_display(screen):
    with activity() as doing:
        doing("the whole")
        for _ in progress(range(2), "outer"):
            assert list(progress("ab", "inner")) == ["a", "b"]
        doing("the end")
    for what in ("the whole", "outer", "inner"):
        assert what in screen.getvalue()
    assert terminal._displays == []


def test_progress_that_is_left_early_takes_its_display_away(screen):
    steps = progress(range(9), "counting")
    next(steps)
    assert terminal._displays
    steps.close()
    assert terminal._displays == []
    with pytest.raises(ZeroDivisionError), activity():
        1 / 0  # noqa: B018
    assert terminal._displays == []


def test_nothing_is_shown_where_stderr_is_no_terminal(capfd):
    with activity() as doing:
        doing("something")
        assert list(progress(range(3), "counting")) == [0, 1, 2]
    assert capfd.readouterr() == ("", "")


def test_notes_are_dropped_and_the_rest_comes_through(capfd):
    with without_notes():
        os.write(2, b"INFO: made a delegate\nERROR: cannot\n")
    assert capfd.readouterr().err == "ERROR: cannot\n"
    with pytest.raises(ZeroDivisionError), without_notes():
        _ = os.write(2, b"WARNING: soon\n") / 0
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "WARNING: soon\nafter\n"
