"""Locks between real processes."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest

from lungsound.errors import InputError
from lungsound.files.lock import LOCK_FILE, held

HOLD = """
import sys
from pathlib import Path
from lungsound.files.lock import held
with held(Path(sys.argv[1]), wait=sys.argv[2] == "wait"):
    print("held", flush=True)
    sys.stdin.read()
"""


def started(path, wait="refuse"):
    """A process that holds the lock until its stdin is closed."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", HOLD, str(path), wait], text=True, **pipes)


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of a folder."""
    process = started(tmp_path / "run" / LOCK_FILE)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_lock_that_is_taken_is_refused_with_process_and_host(holder, tmp_path):
    words = rf"^{tmp_path}/run: in use by process {holder.pid} on {socket.gethostname()} since \d{{4}}-.*; wait until"
    for _ in range(2):  # whoever is refused leaves the holder's word as it is
        with pytest.raises(InputError, match=words), held(tmp_path / "run" / LOCK_FILE, wait=False):
            pytest.fail("two hold it")
    holder.communicate("")
    with held(tmp_path / "run" / LOCK_FILE, wait=False):
        said = json.loads((tmp_path / "run" / LOCK_FILE).read_text())
    assert said["pid"] != holder.pid


def test_a_killed_holder_holds_nothing(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with held(tmp_path / "run" / LOCK_FILE, wait=False):
        pass


def test_who_waits_says_for_whom_and_has_it_then(holder, tmp_path):
    waiting = started(tmp_path / "run" / LOCK_FILE, "wait")
    assert waiting.stderr.readline().startswith(f"waiting for process {holder.pid} on ")
    assert waiting.poll() is None
    holder.communicate("")
    assert waiting.stdout.readline() == "held\n"
    waiting.communicate("")
    assert waiting.returncode == 0


def test_one_holds_it_at_a_time(tmp_path):
    adding = f"""
import sys, time
from pathlib import Path
from lungsound.files.lock import held
count = Path({str(tmp_path / "count")!r})
for _ in range(10):
    with held(Path({str(tmp_path / "lock")!r}), wait=True):
        before = int(count.read_text())
        time.sleep(0.001)
        count.write_text(str(before + 1))
"""
    (tmp_path / "count").write_text("0")
    with ExitStack() as stack:
        for process in [stack.enter_context(subprocess.Popen([sys.executable, "-c", adding])) for _ in range(3)]:
            assert process.wait() == 0
    assert (tmp_path / "count").read_text() == "30"


def test_in_one_process_too_the_second_is_refused(tmp_path):
    lock = tmp_path / "lock"
    with held(lock, wait=False), pytest.raises(InputError, match="in use by process"), held(lock, wait=False):
        pytest.fail("held twice")
    with held(lock, wait=False):
        pass


@pytest.mark.parametrize("content", ["", "[" * 5000, '{"pid": "x"}', "[]", "\xff"])
def test_a_holder_that_says_nothing_is_another_process(tmp_path, content):
    with held(tmp_path / "lock", wait=False):
        (tmp_path / "lock").write_text(content, encoding="latin-1")
        with pytest.raises(InputError, match="in use by another process"), held(tmp_path / "lock", wait=False):
            pytest.fail("held twice")


def test_what_cannot_be_locked_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path / "file" / "lock", tmp_path / "loop", tmp_path):
        with pytest.raises(InputError, match="cannot be locked"), held(path, wait=False):
            pytest.fail("held")
