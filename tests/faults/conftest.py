"""A process that forks the commands, and what they work on: made by the commands themselves."""

import functools
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fork_server import ForkServer
from small_kauh import small_kauh
from writing_commands import COMMANDS, PATIENTS, RECIPE, SEED, Bench, Undisturbed, elsewhere, undisturbed


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[ForkServer]:
    if sys.platform != "linux" or shutil.which("gcc") is None:
        pytest.skip("faults are made by a library that gcc compiles and Linux loads")
    library = tmp_path_factory.mktemp("faults") / "full_disk_and_kill.so"
    source = Path(__file__).parent / "support" / "full_disk_and_kill.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", str(source), "-o", str(library), "-ldl"], check=True)
    running = ForkServer(library)
    yield running
    running.close()


@pytest.fixture(scope="session")
def given(server, tmp_path_factory) -> Bench:
    """Two corpora, the runs of a teacher and a student, a bundle, a recipe; none of them is changed."""
    place = tmp_path_factory.mktemp("given")
    names = ("corpus", "kauh", "teacher", "student", "bundle", "recipe")
    made = Bench(server, place, {name: str(place / name) for name in names} | {"recipe": str(place / "small.toml")})
    (place / "small.toml").write_text(RECIPE)
    small_kauh(place / "kauh")
    steps = [
        (["auscult", "data", "synthesize", "{corpus}", "--patients", PATIENTS, "--seed", SEED], None),
        (COMMANDS["finetune"], "teacher"),
        ([*COMMANDS["distill"], "--epochs", "6", "--seed", "2"], "student"),  # long enough to decide something
        ([*COMMANDS["export"][:3], "-o", "{bundle}"], None),
    ]
    for words, called in steps:
        ended = made.run(*words)
        assert ended.code == 0, ended.err
        if called:
            (run,) = (place / "work" / "runs").iterdir()
            run.rename(place / called)
    return made


@pytest.fixture(scope="session")
def unharmed(given, tmp_path_factory) -> Callable[[str], Undisturbed]:
    """What a command leaves when nothing goes wrong, by its name; tried once."""
    return functools.cache(
        lambda command: undisturbed(elsewhere(given, tmp_path_factory.mktemp("unharmed") / "case"), command)
    )


@pytest.fixture
def bench(given, tmp_path) -> Bench:
    """A place for one case."""
    return elsewhere(given, tmp_path / "case")
