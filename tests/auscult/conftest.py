"""What tests of the commands may ask for."""

import sys

import pytest

from auscult.cli import main
from export.bundle.opening import Bundle
from export.command import export_run


@pytest.fixture(scope="session")
def small_bundle(small_student, tmp_path_factory) -> Bundle:
    """The bundle of the small student."""
    return export_run(small_student, tmp_path_factory.mktemp("export") / "bundle")


@pytest.fixture
def auscult(monkeypatch, capsys, place):
    """Run a command in this process; returns exit code, stdout and stderr."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setenv("AUSCULT_CACHE", str(place / "cache"))
        monkeypatch.setattr(sys, "argv", ["auscult", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        written = capsys.readouterr()
        return int(stopped.value.code or 0), written.out, written.err

    return call
