"""What tests of generated C may ask for."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from cnn6_tflite import cnn6

from auscult.plan import plan_command
from firmware_bridge.command import firmware_command, targets_command
from firmware_bridge.device.targets import Target, find_target, missing_packages
from lungsound.command.console import run

_CCACHE = Path("/usr/lib/ccache")
"""Where Debian's ccache stands in for every compiler."""


@pytest.fixture(scope="session", autouse=True)
def nothing_to_leak():
    """Spare checked programs the search for leaks, half of their time: generated C has no heap, as a test proves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASAN_OPTIONS", "detect_leaks=0")
        yield


@pytest.fixture(scope="session", autouse=True)
def compile_cache(tmp_path_factory):
    """Where ccache is installed, a kernel is compiled once for each core and not in every test."""
    if not _CCACHE.is_dir():
        yield
        return
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "ccache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(_CCACHE), prepend=os.pathsep)
        patch.setenv("CCACHE_DIR", str(folder))
        # Each test has a folder of its own: neither its name nor that of debugging information may count.
        patch.setenv("CCACHE_BASEDIR", "/")
        patch.setenv("CCACHE_NOHASHDIR", "1")
        # Headers are as young as the test that wrote them.
        patch.setenv("CCACHE_SLOPPINESS", "include_file_mtime,include_file_ctime")
        yield


@pytest.fixture(scope="session")
def installed() -> Callable[[str], Target]:
    """A function from a target's name to the target; skips the test where its tools are missing, never in CI."""

    def find(name: str) -> Target:
        target = find_target(name)
        packages = missing_packages(target)
        if packages:
            complain = pytest.fail if os.environ.get("CI") else pytest.skip
            complain(f"target {name} needs: apt-get install {packages}")
        return target

    return find


@pytest.fixture(scope="session")
def needs() -> Callable[[str], None]:
    """A function that skips the test where a program of the package of its name is missing, never in CI."""

    def check(program: str) -> None:
        if shutil.which(program) is None:
            complain = pytest.fail if os.environ.get("CI") else pytest.skip
            complain(f"{program} is missing: apt-get install {program}")

    return check


@pytest.fixture
def auscult(monkeypatch, capsys):
    """Run a command in this process; returns exit code, stdout and stderr."""
    app = typer.Typer(pretty_exceptions_enable=False)
    for name, command in (("firmware", firmware_command), ("plan", plan_command), ("targets", targets_command)):
        app.command(name)(command)

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["auscult", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            run(app)
        written = capsys.readouterr()
        return int(stopped.value.code or 0), written.out, written.err

    return call


@pytest.fixture
def refused(auscult):
    """A function that runs a command and wants one sentence, exit code 1 and nothing else."""

    def check(*words: object, sentence: str) -> None:
        code, said, complaint = auscult(*words)
        assert (code, said) == (1, "")
        assert sentence in complaint
        assert len([line for line in complaint.splitlines() if line.startswith("error: ")]) == 1

    return check


@pytest.fixture
def tflite(tmp_path):
    """The file of a small network."""
    path = tmp_path / "net.tflite"
    path.write_bytes(cnn6(np.random.default_rng(1), 33, mels=16, width=4, heads=2))
    return path
