"""One flipped bit in each kind of stored file: refused, or made again, never another result."""

import os
import shutil
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from verdicts import check_civil, check_sentence
from writing_commands import COMMANDS, DISTILL, elsewhere, files_of, results

READ_BY = {
    "features": ("distill", "cache/features/*.npy"),
    "teacher's logits": ("distill", "cache/teacher_outputs/*/logits.npy"),
    "teacher's embeddings": ("distill", "cache/teacher_outputs/*/embedding.npy"),
    "teacher's weights": ("distill", "teacher/weights.safetensors"),
    "teacher's run.json": ("distill", "teacher/run.json"),
    "last.ckpt": ("resume", "work/runs/*/checkpoints/last.ckpt"),
    "best.ckpt": ("resume", "work/runs/*/checkpoints/best.ckpt"),
    "settings.json": ("resume", "work/runs/*/settings.json"),
    "student's weights": ("evaluate", "student/weights.safetensors"),
    "student's run.json": ("evaluate", "student/run.json"),
    "bundle's manifest": ("check", "bundle/manifest.json"),
    "bundle's int8 .tflite": ("check", "bundle/model_int8.tflite"),
    "bundle's int8 .onnx": ("check", "bundle/model_int8.onnx"),
    "bundle's float .onnx": ("check", "bundle/model_float.onnx"),
    "bundle's golden vectors": ("check", "bundle/golden.npz"),
    "bundle's card": ("check", "bundle/README.md"),
    "firmware's model": ("firmware", "bundle/model_int8.tflite"),
}
"""Kind of file: what reads it, and where it lies in a case's place."""

FLIPS = 1
CASES = [(kind, place) for kind in READ_BY for place in range(FLIPS)]

READERS = {
    "resume": ["distill", "--resume", "{run}"],
    "check": ["auscult", "check", "{bundle}", "--json"],
    "distill": DISTILL,
    "evaluate": COMMANDS["evaluate"],
    "firmware": COMMANDS["firmware"],
}


@contextmanager
def flipped(path, rng):
    """Flip one bit of a file until the block ends; its times stay, as they do when a disk fails."""
    held, times = path.read_bytes(), path.stat()
    changed = bytearray(held)
    changed[rng.integers(len(held))] ^= 1 << int(rng.integers(8))
    path.write_bytes(changed)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    try:
        yield
    finally:
        if path.exists():
            path.write_bytes(held)


@pytest.fixture(scope="session")
def interrupted(given, unharmed, tmp_path_factory):
    """A place in which a training was killed after its first epoch."""
    place = elsewhere(given, tmp_path_factory.mktemp("interrupted") / "case")
    place.run(*DISTILL, kill_at=unharmed("distill").calls - 9)
    return place.root


@pytest.fixture
def prepared(bench, given, interrupted):
    """Put what a reader reads into the case's place."""

    def prepare(reader):
        if reader == "resume":
            shutil.copytree(interrupted, bench.root, dirs_exist_ok=True)
            (run,) = (bench.root / "work" / "runs").iterdir()
            return replace(bench, given=bench.given | {"run": str(run)})
        shutil.copytree(given.cache, bench.cache)
        return bench

    return prepare


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "place"), CASES)
def test_a_flipped_bit_changes_no_result(prepared, unharmed, given, kind, place):
    reader, pattern = READ_BY[kind]
    case = prepared(reader)
    files = [*sorted(case.root.glob(pattern)), *sorted(given.root.glob(pattern))]
    with flipped(files[0], np.random.default_rng([3, list(READ_BY).index(kind), place])):
        ended = case.run(*READERS[reader])
    check_civil(ended)
    if ended.code:
        check_sentence(ended)
        assert files[0].name in ended.err
    elif reader == "check":
        assert ended.out == given.run(*READERS[reader]).out
    else:
        command = "distill" if reader == "resume" else reader
        left, wanted = results(files_of(case.root), command), results(unharmed(command).files, command)
        assert {name: held for name, held in left.items() if name in wanted} == wanted
