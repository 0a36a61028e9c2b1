"""Mutated .tflite files through the reader and the planner, where only InputError may come out.

The tests of the reader take a few thousand; this many by hand, files of one's own among the seeds:

    python tests/firmware_bridge/support/mutate_tflite.py --files 1000000 ../shared/data/mlperf_tiny/*.tflite
"""

import argparse
import collections
import random
import re
import resource
import signal
import struct
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from cnn6_tflite import cnn6
from one_op_tflite import build
from operator_cases import CASES

from firmware_bridge.device.targets import KERNELS
from firmware_bridge.plan.network import ROUNDINGS, plan_network
from firmware_bridge.tflite.reader import parse_tflite
from lungsound.errors import InputError

SECONDS = 5.0
"""That one file may take."""
MEMORY = 1 << 30
"""Bytes that one file may take."""

_EXTREMES = [
    *(struct.pack("<i", value) for value in (0, 1, 2, 3, 4, 7, 8, 16, 64, 255, 1024, 65535, 65536, 1 << 24, 1 << 28)),
    *(struct.pack("<i", value) for value in (-1, -2, -128, (1 << 31) - 1, -(1 << 31))),
    *(struct.pack("<f", value) for value in (float("nan"), float("inf"), 1e-45, 1e-30, 1e-9, 0.5, 1e9, 3e38, -1.0)),
]


@dataclass(frozen=True)
class Seed:
    """A file to mutate, and where its structure lies: most bytes of a model are weights, whose values break nothing."""

    content: bytes
    structure: list[int]

    @classmethod
    def of(cls, content: bytes) -> "Seed":
        weights: set[int] = set()
        for tensor in parse_tflite("seed", content).tensors:
            if tensor.data is not None and tensor.data.nbytes > 32:
                start = content.find(tensor.data.tobytes())
                weights |= set(range(start, start + tensor.data.nbytes))
        return cls(content, [place for place in range(len(content)) if place not in weights])


def made_up_seeds() -> list[Seed]:
    """Return every operator three times, and three small students."""
    operators = [case(np.random.default_rng(number)) for case in CASES.values() for number in range(3)]
    students = [cnn6(np.random.default_rng(heads), 33, mels=16, width=2, heads=heads) for heads in (0, 1, 2)]
    return [Seed.of(content) for content in [*map(build, operators), *students]]


def mutations(seeds: list[Seed], count: int, seed: int) -> Iterator[tuple[int, bytes]]:
    """Yield (number, content) of `count` mutated files; a number and a seed always give the same file."""
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        yield number, _mutated(rng.choice(seeds), rng.choice(seeds), rng)


def _mutated(seed: Seed, other: Seed, rng: random.Random) -> bytes:
    changed = bytearray(seed.content)
    for _ in range(rng.choice([1, 1, 1, 2, 4, 16])):
        place = rng.choice(seed.structure) if rng.random() < 0.95 else rng.randrange(len(changed))
        if len(changed) < 8:
            break
        place = min(place, len(changed) - 1)
        word = min(place & ~3, len(changed) - 4)
        match rng.choice(["bit", "byte", "near", "word", "word", "swap", "splice", "shift", "cut"]):
            case "bit":
                changed[place] ^= 1 << rng.randrange(8)
            case "byte":
                changed[place] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
            case "near":
                changed[place] = (changed[place] + rng.choice([-2, -1, 1, 2])) % 256
            case "word":
                changed[word : word + 4] = rng.choice(_EXTREMES)
            case "swap":
                away = min(rng.choice(seed.structure) & ~3, len(changed) - 4)
                changed[word : word + 4], changed[away : away + 4] = changed[away : away + 4], changed[word : word + 4]
            case "splice":
                start, length = rng.choice(other.structure), rng.choice([4, 8, 16, 64, 256])
                piece = other.content[start : start + length]
                changed[place : place + len(piece)] = piece
            case "shift":
                changed[place:place] = bytes(rng.choice([1, 4, 8])) if rng.random() < 0.5 else b""
                del changed[place : place + rng.choice([1, 4, 8])]
            case "cut" if rng.random() < 0.2:
                del changed[max(place, 1) :]
    return bytes(changed)


def fate(content: bytes, number: int) -> str:
    """Return how far a file came: "not read", "not planned" or "planned"; anything but InputError escapes."""
    try:
        graph = parse_tflite("m.tflite", content)
    except InputError as error:
        _check_sentence(error)
        return "not read"
    try:
        plan_network(graph, KERNELS[number % len(KERNELS)], ROUNDINGS[number % 3 % 2])
    except InputError as error:
        _check_sentence(error)
        return "not planned"
    return "planned"


def _check_sentence(error: InputError) -> None:
    text = str(error)
    assert text.startswith("m.tflite: "), text
    assert "\n" not in text, text


@dataclass
class _Findings:
    fates: collections.Counter[str] = field(default_factory=collections.Counter)
    escaped: collections.Counter[str] = field(default_factory=collections.Counter)
    slowest: float = 0.0


def _out_of_time(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS:g} s")


def _hunt(seeds: list[Seed], count: int, seed: int, keep: Path) -> _Findings:
    found, began = _Findings(), time.monotonic()
    signal.signal(signal.SIGALRM, _out_of_time)
    for number, content in mutations(seeds, count, seed):
        started = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            found.fates[fate(content, number)] += 1
        except Exception as error:  # whatever escapes is what is hunted
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}: {str(error)[:200]!r}"
            if not found.escaped[kind]:
                (keep / f"{number}.tflite").write_bytes(content)
            found.escaped[kind] += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        found.slowest = max(found.slowest, time.monotonic() - started)
        if (number + 1) % 10_000 == 0:
            rate = (number + 1) / (time.monotonic() - began)
            print(f"{number + 1} files, {rate:.0f}/s, {dict(found.fates)}, escaped {dict(found.escaped)}", flush=True)
    return found


def main() -> int:
    """Print what became of the files; exit status 1 if anything but InputError escaped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seeds", nargs="*", type=Path, help="more files to mutate")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path(), help="folder for a file of each kind that escapes [.]")
    arguments = parser.parse_args()
    # Own files as often as all made-up ones together: they are larger and have more to break.
    own, made_up = [Seed.of(path.read_bytes()) for path in arguments.seeds], made_up_seeds()
    seeds = made_up + own * (len(made_up) // len(own) if own else 0)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
    found = _hunt(seeds, arguments.files, arguments.seed, arguments.keep)
    # The kernel's own figure: getrusage's starts at the parent's.
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(f"{arguments.files} files: {dict(found.fates)}; slowest {found.slowest:.2f} s, peak {int(peak) >> 10} MiB")
    for kind, count in found.escaped.items():
        print(f"escaped {count} times: {kind}")
    return 1 if found.escaped else 0


if __name__ == "__main__":
    sys.exit(main())
