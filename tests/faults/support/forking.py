"""The process of `fork_server.py`.

It reads a list of jobs, a line of JSON, runs them at the same time, and answers how their processes ended.
"""

import ctypes
import hashlib
import json
import os
import pkgutil
import resource
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from fork_server import CODES, Job
from torch_tables import keep_tables
from warm_process import LIBRARIES

SILENCE = 20.0
"""Seconds of a clock without any work, or of work, after which a command hangs."""


PACKAGES = ("lungsound", "teachers", "students", "distill", "export", "firmware_bridge", "auscult")


class _Moment(ctypes.Structure):
    _fields_ = (("calls", ctypes.c_long), ("bytes", ctypes.c_long))


def serve(library: Path) -> None:
    """Answer until the input ends."""
    kernel = ctypes.CDLL(str(library))
    kernel.arm.restype = ctypes.POINTER(_Moment)
    import_everything()
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a process with threads cannot be forked"
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        jobs = [Job(**values) for values in json.loads(line)]
        moments, children = [], {}
        for job in jobs:
            moments.append(kernel.arm(job.watched.encode(), ctypes.c_long(job.kill_at), ctypes.c_long(job.room)))
            (Path(job.told) / CODES).write_text("")
            child = os.fork()
            if child == 0:
                run(job)
            children[child] = job
        ends = await_all(children)
        for found, moment in zip(ends, moments, strict=True):
            found |= {"calls": moment.contents.calls, "bytes": moment.contents.bytes}
            found["memory"] = max(0, found["memory"] - base)
        kernel.disarm()
        answers.write(json.dumps(ends) + "\n")
        answers.flush()


def import_everything() -> None:
    """Import what commands import when they run, as far as it starts no threads, and make what torch may keep."""
    from torch.onnx._constants import ONNX_DEFAULT_OPSET

    for package in map(import_module, PACKAGES):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    for name in LIBRARIES:
        import_module(name)
    keep_tables()(opset_version=ONNX_DEFAULT_OPSET)


def run(job: Job) -> None:
    """Be the commands; never returns."""
    try:
        os.setpgid(0, 0)
        drop_powers()
        os.chdir(job.cwd)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ["AUSCULT_CACHE"] = job.cache
        folder = Path(job.told)
        codes = os.open(folder / CODES, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for place, words in enumerate(job.words):
            for descriptor, name in ((1, "out"), (2, "err")):
                opened = os.open(folder / f"{place}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
                os.dup2(opened, descriptor)
                os.close(opened)
            sys.argv = words
            code = main(words[0])
            os.write(codes, b"%d\n" % code)
        os._exit(0)
    finally:
        os._exit(70)


def drop_powers() -> None:
    """Let the modes of files count for root, too."""
    words = ctypes.c_uint32 * 6
    ctypes.CDLL(None).capset(ctypes.byref(words(0x20080522, 0)), ctypes.byref(words()))


def main(command: str) -> int:
    """Run a command's own main and return the exit code that Python would end with."""
    import atexit
    import traceback

    from auscult import cli, distill

    mains = {"auscult": cli.main, "distill": distill.main, "read checkpoint": read_checkpoint, "read array": read_array}
    try:
        mains[command]()
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def read_checkpoint() -> None:
    """Read a checkpoint as a resumed training does, and print what it holds as a hash."""
    from lungsound.command.console import run
    from lungsound.training.checkpoints import read_training_checkpoint

    def read(**_: Any) -> None:
        held: list[bytes] = []
        _flatten(read_training_checkpoint(Path(sys.argv[1])), held)
        print(hashlib.sha256(b"\n".join(held)).hexdigest())

    run(read)


def _flatten(value: Any, held: list[bytes]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            held.append(repr(key).encode())
            _flatten(item, held)
    elif isinstance(value, list | tuple):
        for item in value:
            _flatten(item, held)
    else:
        held.append(value.numpy().tobytes() if hasattr(value, "numpy") else repr(value).encode())


def read_array() -> None:
    """Read a stored array as a training does, and print its values as a hash; it is made again where it is damaged."""
    from lungsound.command.console import run
    from lungsound.errors import InputError
    from lungsound.files.arrays import open_array

    def read(**_: Any) -> None:
        found = open_array(Path(sys.argv[1]), (None, None))
        if found is None:
            raise InputError("damaged")
        print(hashlib.sha256(found.tobytes()).hexdigest())

    run(read)


def await_all(jobs: dict[int, Job]) -> list[dict[str, Any]]:
    """Wait for the processes of jobs, ending those that hang."""
    found: dict[int, dict[str, Any]] = {}
    watches = {child: Watch(child, Path(job.told) / CODES) for child, job in jobs.items()}
    while len(found) < len(jobs):
        for child, watch in watches.items():
            if child in found:
                continue
            ended, status, used = os.wait4(child, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                found[child] = {"code": code, "memory": used.ru_maxrss * 1024, "hung": watch.hung}
            elif watch.hangs():
                os.killpg(child, signal.SIGKILL)
        time.sleep(0.02)
    return [found[child] for child in jobs]


class Watch:
    """Tells whether a process hangs: without any work, or at work and no end of one command.

    Parameters
    ----------
    process : int
        Its number.
    codes : Path
        File that grows with every command that ends.
    """

    def __init__(self, process: int, codes: Path) -> None:
        self._process, self._codes = process, codes
        self._since, self._worked = time.monotonic(), 0.0
        self._done, self._worked_before = 0, 0.0
        self.hung = False

    def hangs(self) -> bool:
        """Look again."""
        worked, done = _processor_seconds(self._process), self._codes.stat().st_size if self._codes.exists() else 0
        if worked > self._worked:
            self._since, self._worked = time.monotonic(), worked
        if done > self._done:
            self._done, self._worked_before = done, worked
        self.hung = time.monotonic() - self._since > SILENCE or worked - self._worked_before > SILENCE
        return self.hung


def _processor_seconds(process: int) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
