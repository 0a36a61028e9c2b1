"""Files and folders that cannot be read or written, and those with names that are odd and nothing else."""

import os
import re
from dataclasses import replace

import numpy as np
import pytest
from verdicts import check_civil, check_sentence
from writing_commands import COMMANDS, SMALL, files_of

from lungsound.files.lock import LOCK_FILE

LONG = "a" * 300

NEVER_WRITTEN = {
    "below a file": "{root}/file/x",
    "in /proc": "/proc/x",
    "in /sys": "/sys/x",
    "a name of 300 characters": "{root}/" + LONG,
    "below a circle of links": "{root}/circle/x",
    "in a read-only folder": "{root}/readonly/x",
    "below a FIFO": "{root}/fifo/x",
}

WRITERS = ("finetune", "distill", "distill --recipe", "firmware", "evaluate", "data synthesize", "data export")
"""An export fails as firmware does, and takes ten times as long."""

WRITTEN = {
    "umlauts": "{root}/Lungengeräusche/größer",
    "spaces": "{root}/two words/and more ",
    "a newline": "{root}/two\nlines/x",
    "a leading dash": "-x",
    "a relative path": "./deep/../x",
    "a link to a folder": "{root}/link/x",
}

ALSO_WRITERS = ("firmware", "evaluate", "data synthesize", "data export", "data shard")

NEVER_READ = (
    "missing",
    "a folder",
    "an empty file",
    "an unreadable file",
    "noise",
    "a FIFO",
    "/dev/zero",
    "a circle of links",
    "a name of 300 characters",
    "below a file",
)

FROM_LABELS = [*SMALL, "--teacher", "none"]

READERS = {
    "recipe": ["auscult", "distill", "--recipe", "{odd}.toml"],
    "corpus": ["auscult", "data", "check", "icbhi2017:{odd}"],
    "table": ["auscult", "data", "check", "table:{odd}.csv"],
    "corpus of a training": ["auscult", "finetune", "--data", "sprsound:{odd}", "--runs", "{work}/runs"],
    "teacher": ["distill", *SMALL, "--teacher-run", "{odd}", "--runs", "{work}/runs"],
    "resumed": ["distill", "--resume", "{odd}"],
    "run": ["auscult", "export", "{odd}", "-o", "{work}/bundle"],
    "runs": ["auscult", "runs", "{odd}"],
    "run or bundle": ["auscult", "evaluate", "{odd}", "--data", "icbhi2017:{corpus}"],
    "bundle": ["auscult", "check", "{odd}"],
    "network": ["auscult", "firmware", "{odd}.tflite", "--target", "cortex-m4", "-o", "{work}/firmware"],
    "weights": ["auscult", "finetune", *SMALL, "--weights", "{odd}.pth", "--runs", "{work}/runs"],
    "student's weights": ["distill", *FROM_LABELS, "--student-weights", "{odd}.pth", "--runs", "{work}/runs"],
    "module": ["auscult", "export", "--module", "{odd}.py:make", "--listening", "{odd}.json", "-o", "{work}/bundle"],
}
"""By what is read; the teacher's and the other folders are wanted as folders, the rest as files with an ending."""

WAY_TO_CORPUS = re.compile(rb"^[^,\n]*/corpus/", re.MULTILINE)
"""In a table the recordings are named from where it lies."""

NOTHING_THERE = {("runs", "a folder")}
"""A folder without runs is an answer, no fault."""

ENDINGS = ("", ".toml", ".csv", ".tflite", ".pth", ".py", ".json")


@pytest.fixture
def odd(bench):
    """A place with everything in it that can stand in the way."""
    root = bench.root
    root.mkdir()
    (root / "file").write_text("a file")
    (root / "circle").symlink_to(root / "circle")
    (root / "readonly").mkdir(mode=0o555)
    (root / "real").mkdir()
    (root / "link").symlink_to(root / "real")
    os.mkfifo(root / "fifo")
    return bench


def to_place(command, place):
    """The words of a command, and where it writes instead."""
    return [*COMMANDS[command][:-1], place + (".csv" if command == "data export" else "")]


@pytest.mark.slow
@pytest.mark.parametrize("place", NEVER_WRITTEN)
def test_what_cannot_be_written_is_told(odd, place):
    before = files_of(odd.root)
    ends = odd.run_in_turn(*(to_place(command, NEVER_WRITTEN[place]) for command in WRITERS))
    assert len(ends) == len(WRITERS)
    for ended in ends:
        check_civil(ended)
        check_sentence(ended)
    left = {name: held for name, held in files_of(odd.root).items() if not name.startswith("cache/")}
    assert left == before


@pytest.mark.slow
@pytest.mark.parametrize("place", WRITTEN)
def test_an_odd_name_is_a_name(odd, unharmed, place):
    commands = [to_place(command, f"{WRITTEN[place]}-{number}") for number, command in enumerate(ALSO_WRITERS)]
    ends = odd.run_in_turn(*commands)
    assert [ended.code for ended in ends] == [0] * len(commands), [ended.err for ended in ends]
    for command, words in zip(ALSO_WRITERS, commands, strict=True):
        written = odd.root.parent / words[-1].format(root=odd.root)
        wanted = [held for name, held in unharmed(command).files.items() if name.startswith("work/")]
        files = (
            [written]
            if written.is_file()
            else [path for path in written.rglob("*") if path.is_file() and path.name != LOCK_FILE]
        )
        found = [WAY_TO_CORPUS.sub(b"corpus/", file.read_bytes()) for file in files]
        assert sorted(found) == sorted(WAY_TO_CORPUS.sub(b"corpus/", held) for held in wanted)


def put(place, path):
    """Put what cannot be read at a path."""
    if place == "a folder":
        path.mkdir()
        (path / "something").touch()
    elif place == "an empty file":
        path.touch()
    elif place == "an unreadable file":
        path.touch(mode=0o000)
    elif place == "noise":
        path.write_bytes(np.random.default_rng(4).bytes(4096))
    elif place == "a FIFO":
        os.mkfifo(path)
    elif place == "/dev/zero":
        path.symlink_to("/dev/zero")
    elif place == "a circle of links":
        path.symlink_to(path)


@pytest.mark.slow
@pytest.mark.parametrize("place", NEVER_READ)
def test_what_cannot_be_read_is_told(odd, place):
    named = {"a name of 300 characters": LONG, "below a file": "file/x"}.get(place, "odd")
    for ending in ENDINGS:
        put(place, odd.root / f"{named}{ending}")
    case = replace(odd, given=odd.given | {"odd": str(odd.root / named)})
    ends = case.run_in_turn(*READERS.values())
    assert len(ends) == len(READERS)
    for reader, ended in zip(READERS, ends, strict=True):
        check_civil(ended)
        assert ended.code or (reader, place) in NOTHING_THERE, reader
    assert [path for path in (odd.root / "work").rglob("*") if path.is_file()] == []
