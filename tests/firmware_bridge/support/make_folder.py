"""Runs make in a folder that `auscult firmware` wrote."""

import subprocess
from pathlib import Path


def made(folder: Path, *words: str) -> dict[str, int]:
    """Run make; return the lines that the tests printed."""
    done = subprocess.run(["make", "-s", "-C", str(folder), *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    return {name: int(value) for name, value in (line.split() for line in done.stderr.splitlines())}
