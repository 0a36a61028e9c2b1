"""What every test may ask for."""

import gc
import os
import sys
import tempfile
from pathlib import Path

# Before torch is imported: two threads that wait for each other on a busy machine take ten times as long as one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from made_once import FOLDER, once
from torch_tables import keep_tables

# The collector walked through all that is imported, again and again: a seventh of the time.
gc.set_threshold(50_000, 20, 50)

# No test judges time; CI repeats the same examples, so that a change is what turns it red.
settings.register_profile("auscult", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("auscult")


def pytest_collection_finish() -> None:
    if "export.onnx.models" in sys.modules:
        keep_tables()
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def made_once_folder(tmp_path_factory):
    """Where pytest-xdist's workers find what another one has made."""
    with pytest.MonkeyPatch.context() as patch:
        if "PYTEST_XDIST_WORKER" in os.environ:
            patch.setenv(FOLDER, str(tmp_path_factory.getbasetemp().parent / "made_once"))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference numbers and real recordings, $AUSCULT_SHARED or ../shared."""
    path = Path(os.environ.get("AUSCULT_SHARED", Path(__file__).parents[1].parent / "shared")).resolve()
    if path.is_dir():
        return path
    if os.environ.get("CI"):
        pytest.fail(f"{path} is missing: CI must not skip what it holds")
    pytest.skip(f"{path} is missing: set AUSCULT_SHARED to the folder of reference numbers and recordings")


@pytest.fixture
def unprivileged():
    """A folder of a user whom permissions bind, as they do not bind root; the test runs as that user."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    """A folder for the small chain below, the same for all workers: corpus/, runs/, cache/."""
    return once("chain", lambda: tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="session")
def small_options(place):
    """A small synthetic corpus in the ICBHI layout, heard as a stream of 2 s windows."""
    from lungsound.corpora.synthetic import generate
    from lungsound.training.data import DataOptions

    once("corpus of the chain", lambda: generate(place / "corpus", seed=5, patients=10))
    return DataOptions(data=(f"icbhi2017:{place / 'corpus'}",), protocols=("stream",), seconds=2.0, validation=0.34)


@pytest.fixture(scope="session")
def small_teacher(place, small_options):
    """A finished run of a tiny teacher."""
    from teachers.settings import FinetuneSettings
    from teachers.training import finetuned

    settings = FinetuneSettings(data=small_options, epochs=1, layers=(2, 4))
    return once("small teacher", lambda: finetuned(settings, place / "runs", place / "cache"))


@pytest.fixture(scope="session")
def small_settings(small_teacher, small_options):
    """Settings of the small student's distillation."""
    from distill.settings import DistillSettings
    from students.student import StudentConfig

    student = StudentConfig(width=0.125, heads=2)
    return DistillSettings(str(small_teacher.path), small_options, student, epochs=3, batch_size=32)


@pytest.fixture(scope="session")
def small_student(place, small_settings):
    """A finished run of a small student."""
    from distill.training import distill

    return once("small student", lambda: distill(small_settings, place / "runs" / "student", place / "cache"))


@pytest.fixture(scope="session")
def small_hearer(place, small_settings):
    """A finished run of a small student that learns its front end, too; its teacher hears a log-mel."""
    from dataclasses import replace

    from distill.training import distill
    from lungsound.networks.leaf_config import front_end_named

    front_end = front_end_named("leaf-logtbn", small_settings.data.listening().logmel)
    settings = replace(small_settings, student=replace(small_settings.student, front_end=front_end), epochs=1)
    return once("small hearer", lambda: distill(settings, place / "runs" / "hearer", place / "cache"))
