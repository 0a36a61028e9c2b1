"""Commands run by a process that has imported everything once, and forks a child for each job."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from warm_process import NO_THREADS

MEMORY = 2**30
"""Bytes that a command may take beyond what its imports take."""


CODES = "codes"
"""File of exit codes in the folder of what is printed."""


@dataclass(frozen=True)
class Job:
    """Commands to run: their words, where, and which moment of the work goes wrong.

    Attributes
    ----------
    words : list of list of str
        With the name of the command; several are run one after the other in one process.
    cwd, cache, told : str
        Working folder, AUSCULT_CACHE, and a folder for what they print.
    watched : str
        The folder below which calls and bytes are counted, and faults happen.
    kill_at, room : int
        Of `arm` in full_disk_and_kill.c.
    """

    words: list[list[str]]
    cwd: str
    cache: str
    told: str
    watched: str
    kill_at: int = -1
    room: int = -1


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes
    ----------
    code : int
        Exit code; negative: the signal that ended the process.
    hung : bool
        Whether it had to be ended.
    memory : int
        Bytes beyond what its imports take, the largest of all commands of its process.
    calls, bytes : int
        That changed files below the watched folder, of all commands of its process.
    out, err : str
        What it printed.
    """

    code: int
    hung: bool
    memory: int
    calls: int
    bytes: int
    out: str
    err: str


class ForkServer:
    """The process, see `forking.py`, with the library of faults loaded before everything else."""

    def __init__(self, library: Path) -> None:
        environment = os.environ | {"LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1", "COLUMNS": "200"} | NO_THREADS
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        words = [sys.executable, str(Path(__file__).with_name("forking.py")), str(library)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )

    def run(self, *jobs: Job) -> list[list[Ended]]:
        """Run jobs at the same time, and return how each of their commands ended."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([asdict(job) for job in jobs]) + "\n")
        self._process.stdin.flush()
        found = json.loads(self._process.stdout.readline())
        return [list(_ends(job, values)) for job, values in zip(jobs, found, strict=True)]

    def close(self) -> None:
        """End the process, which has nothing to tidy up."""
        self._process.kill()
        self._process.communicate()


def _ends(job: Job, values: dict[str, Any]) -> Iterator[Ended]:
    """Yield how commands ended, up to the one that ended the process."""
    folder = Path(job.told)
    codes = [int(code) for code in (folder / CODES).read_text().split()]
    if len(codes) < len(job.words):
        codes.append(values["code"])
    for place, code in enumerate(codes):
        printed = [(folder / f"{place}.{name}").read_text(errors="surrogateescape") for name in ("out", "err")]
        yield Ended(code, values["hung"], values["memory"], values["calls"], values["bytes"], *printed)
