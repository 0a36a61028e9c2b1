"""How a command ends: whatever happens inside, a sentence and an exit code."""

import errno
import json
import os
import subprocess
import sys
from typing import Annotated

import pytest
import typer

from lungsound.command.console import print_json, run
from lungsound.command.options import number
from lungsound.errors import MOST_CHARACTERS, InputError, on_a_screen
from lungsound.training.settings import EPOCHS, SECONDS


def ended(error: BaseException | None = None, said: str = "") -> int:
    """Run an app that says something and raises an error; return its exit code."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @app.command()
    def command() -> None:
        print(said, end="")
        if error is not None:
            raise error

    with pytest.raises(SystemExit) as stopped:
        run(lambda **mode: app([], **mode))
    return int(stopped.value.code or 0)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUSCULT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InputError("a.wav: cut short; copy it again"), "a.wav: cut short; copy it again"),
        (FileNotFoundError(errno.ENOENT, "", "a.wav"), "a.wav: no such file or folder; check the path"),
        (PermissionError(errno.EACCES, "", "a.wav"), "a.wav: permission denied; mend its permissions"),
        (IsADirectoryError(errno.EISDIR, "", "a.wav"), "a.wav: is a folder; name a file"),
        (NotADirectoryError(errno.ENOTDIR, "", "a.wav"), "a.wav: a part of the path is a file, not a folder"),
        (OSError(errno.ELOOP, "", "a.wav"), "a.wav: a circle of links"),
        (OSError(errno.ENAMETOOLONG, "", "a.wav"), "a.wav: the name is longer than the file system takes"),
        (OSError(errno.ENOSPC, "", "a.wav"), "a.wav: the disk is full; free some space"),
        (OSError(errno.ENOSPC, ""), "the disk is full; free some space"),
        (OSError(errno.EBADMSG, "Bad message", b"a\xff.wav"), "a\\udcff.wav: Bad message; check the path"),
        (ValueError("embedded null byte"), "a path holds a NUL character"),
        (RuntimeError("Symlink loop from '/a/b'"), "'/a/b': a circle of links"),
        (MemoryError(), "the memory of this machine is full"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "the memory of this machine is"),
        (ModuleNotFoundError("", name="lightning.pytorch"), "the package lightning.pytorch is missing; pip"),
    ],
)
def test_what_a_user_can_mend_is_one_sentence(capsys, cache, error, sentence):
    assert ended(error) == 1
    said, told = capsys.readouterr()
    assert said == ""
    assert told.startswith(f"error: {sentence}")
    assert told.count("\n") == 1
    assert not cache.exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--seconds", "0.001"], "'--seconds': 0.001 must be a number from 0.01 to 600"),
        (["--seconds", "nan"], "'--seconds': nan must be a number from 0.01 to 600"),
        (["--seconds", "-inf"], "'--seconds': -inf must be a number from 0.01 to 600"),
        (["--seconds", "long"], "'--seconds': long must be a number from 0.01 to 600"),
        (["--epochs", "1.5"], "'--epochs': 1.5 must be a whole number from 1 to 100000"),
        (["--epochs", "0"], "'--epochs': 0 must be a number from 1 to 100000"),
        (["--seed", "x"], "'--seed': x must be a whole number"),
    ],
)
def test_a_number_that_cannot_be_is_told_with_what_can(capsys, words, sentence):
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @app.command()
    def command(
        seconds: Annotated[float, number(SECONDS, "Length.")] = 4.0,
        epochs: Annotated[int, number(EPOCHS, "Passes.")] = 1,
        seed: int = 0,
    ) -> None:
        raise AssertionError((seconds, epochs, seed))

    with pytest.raises(SystemExit) as stopped:
        run(lambda **mode: app(words, **mode))
    said, told = capsys.readouterr()
    assert (stopped.value.code, said) == (2, "")
    assert sentence in " ".join(told.replace("│", " ").split())


@pytest.mark.parametrize(
    "error", [KeyError("x"), EOFError(), OSError("odd"), ModuleNotFoundError("No module", name="export.nonsense")]
)
def test_what_nobody_expected_is_a_line_and_a_file_with_the_traceback(capsys, cache, error):
    assert ended(error) == 1
    said, told = capsys.readouterr()
    (line,) = told.strip().splitlines()
    (report,) = (cache / "faults").iterdir()
    assert said == ""
    assert line.startswith(f"error: {type(error).__name__}")
    assert f"please report it with {report}" in line
    text = report.read_text()
    assert "Traceback" in text
    assert "in command\n    raise error" in text
    assert '"numpy"' in text


def test_a_cache_that_cannot_be_written_leaves_the_folder_for_passing_files(capsys, cache, tmp_path, monkeypatch):
    cache.write_text("a file where the folder would be")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert ended(KeyError("x")) == 1
    (report,) = tmp_path.glob("auscult-*.txt")
    assert str(report) in capsys.readouterr().err


def test_an_interruption_is_said(capsys):
    assert ended(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_the_end_of_an_answer_and_exit_codes_of_commands_stay(capsys):
    assert ended(said="the answer\n") == 0
    assert ended(typer.Exit(1), "the answer\n") == 1
    assert capsys.readouterr().out == "the answer\nthe answer\n"


def test_wrong_usage_is_told_in_typers_way_but_not_at_any_length(capsys):
    assert ended(typer.BadParameter("wrong \x1b" + "x" * 100_000)) == 2
    told = capsys.readouterr().err
    assert "\x1b" not in told
    assert len(told) < 3 * MOST_CHARACTERS


def test_a_sentence_is_one_line_of_a_screenful_that_keeps_its_file_and_its_fix(capsys):
    assert ended(InputError("a.wav\n\x1b[2J\u202e" + "x" * 5_000_000 + "; copy it again")) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert len(told) < MOST_CHARACTERS + 100
    assert told.startswith("error: a.wav\\n\\x1b[2J\\u202ex")
    assert told.endswith("; copy it again\n")
    assert on_a_screen("Größe, µ, 中文: as they are") == "Größe, µ, 中文: as they are"


PROGRAM = """
import sys
from lungsound.command.console import print_json, run
from lungsound.errors import InputError
from lungsound.terminal import err, out, print_table
from rich.table import Table

def app(standalone_mode):
    name = "Gr\\u00f6\\u00dfe \\u2265 1 \\udcff"
    if "json" in sys.argv:
        print_json({"path": name, "many": list(range(100_000))})
        return
    table = Table("recording", title=name)
    table.add_row(name)
    print_table(table)
    out.print(f"out {name}")
    err.print(f"note {name}")
    for _ in range(10_000 if "long" in sys.argv else 1):
        print("line")
    raise InputError(f"{name}: cut short; copy it again")

run(app)
"""


@pytest.mark.parametrize(
    "terminal", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}, {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"}, {}]
)
def test_any_encoding_of_a_terminal_takes_any_name(terminal):
    environment = os.environ | {"PYTHONUTF8": "0"} | terminal
    told = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True)
    assert told.returncode == 1
    assert told.stdout.count(b"\\udcff") == 3
    assert told.stderr.count(b"\\udcff") == 2
    assert told.stderr.endswith(b"cut short; copy it again\n")
    answer = subprocess.run([sys.executable, "-c", PROGRAM, "json"], env=environment, capture_output=True, check=True)
    assert json.loads(answer.stdout)["path"] == "Größe ≥ 1 \udcff"


@pytest.mark.parametrize("words", ["long", "json"])
def test_a_reader_who_has_enough_is_not_complained_about(words):
    told = subprocess.run(
        ["bash", "-c", '"$0" -c "$1" $2 | head -c 1 >/dev/null', sys.executable, PROGRAM, words], capture_output=True
    )
    assert told.stdout == b""
    assert [line for line in told.stderr.splitlines() if not line.startswith(b"note ")] == []


@pytest.mark.parametrize(("where", "said"), [(">/dev/full", b"error: the disk is full; free"), (">&-", b"")])
def test_an_answer_that_nothing_takes(where, said):
    told = subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" json {where}', sys.executable, PROGRAM], capture_output=True, check=False
    )
    assert told.stderr.startswith(said)
    assert told.stderr.count(b"\n") == bool(said)
    assert told.returncode == bool(said)


def test_json_is_one_object(capsys):
    print_json({"a": float("nan")})
    assert json.loads(capsys.readouterr().out) == {"a": None}
