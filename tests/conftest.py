"""What every test may ask for."""

import os
from pathlib import Path

# Before torch is imported: two threads that wait for each other on a busy machine take ten times as long as one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

# No test judges time; CI repeats the same examples, so that a change is what turns it red.
settings.register_profile("auscult", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("auscult")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference numbers and real recordings, $AUSCULT_SHARED or ../shared."""
    path = Path(os.environ.get("AUSCULT_SHARED", Path(__file__).parents[1].parent / "shared")).resolve()
    if path.is_dir():
        return path
    if os.environ.get("CI"):
        pytest.fail(f"{path} is missing: CI must not skip what it holds")
    pytest.skip(f"{path} is missing: set AUSCULT_SHARED to the folder of reference numbers and recordings")
