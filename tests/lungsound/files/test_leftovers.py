"""What killed writers left goes when it is old and nobody's; nothing else does."""

import os
import signal
import subprocess
import sys
import time

import pytest

from lungsound.files.atomic import whole_file, whole_folder
from lungsound.files.leftovers import age, leftovers, sweep
from lungsound.files.use import in_use, is_used

TWO_DAYS = 2 * 24 * 3600
KILLED = """
import os, sys, signal
from pathlib import Path
from lungsound.files.atomic import {whole}
with {whole}(Path(sys.argv[1])) as temporary:
    {write}
    print("ready", flush=True)
    signal.pause()
"""
WRITERS = {"whole_file": "temporary.write_text('half')", "whole_folder": "(temporary / 'half').write_text('half')"}


def made_older(path):
    then = time.time() - TWO_DAYS
    for one in (path, *path.rglob("*")):
        os.utime(one, (then, then))


@pytest.fixture(params=WRITERS)
def writer(request, tmp_path):
    """A process that has begun to write `tmp_path / "out"`."""
    code = KILLED.format(whole=request.param, write=WRITERS[request.param])
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "out")], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.kill()


def test_what_a_killed_writer_left_is_swept_when_it_is_old(writer, tmp_path):
    (left,) = tmp_path.iterdir()
    made_older(left)
    assert leftovers(tmp_path) == []  # its writer lives
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    os.utime(left)
    assert leftovers(tmp_path) == []  # it is young
    assert leftovers(tmp_path, 0) == [left]
    made_older(left)
    assert leftovers(tmp_path) == [left]
    with whole_file(tmp_path / "another") as temporary:
        temporary.touch()
    assert [path.name for path in tmp_path.iterdir()] == ["another"]


@pytest.mark.parametrize(
    "name", [".bashrc", ".out.original", ".out.12345678", "out.12345678.auscult", ".1234567.auscult"]
)
def test_what_is_not_ours_stays(tmp_path, name):
    (tmp_path / name).write_text("mine")
    made_older(tmp_path / name)
    sweep(tmp_path)
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_that_was_being_replaced_stays_until_its_place_is_taken(tmp_path):
    aside = tmp_path / ".bundle.abcd_123.auscult-earlier"
    (aside / "bundle").mkdir(parents=True)
    made_older(aside)
    sweep(tmp_path)
    assert aside.is_dir()
    with whole_folder(tmp_path / "bundle"):
        pass
    sweep(tmp_path)
    assert not aside.exists()


def test_a_folder_is_as_young_as_what_lies_in_it(tmp_path):
    (tmp_path / "deep").mkdir()
    made_older(tmp_path)
    assert age(tmp_path) == pytest.approx(TWO_DAYS, abs=60)
    (tmp_path / "deep" / "file").touch()
    made_older(tmp_path / "deep")
    os.utime(tmp_path / "deep" / "file")
    assert age(tmp_path) < 60


def test_a_folder_is_used_with_anything_in_it(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").touch()
    assert not is_used(tmp_path)
    for used in (tmp_path, tmp_path / "deep" / "file"):
        with in_use(used), in_use(used):
            assert is_used(tmp_path)
        assert not is_used(tmp_path)


def test_links_and_pipes_are_not_followed(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert not is_used(tmp_path)
