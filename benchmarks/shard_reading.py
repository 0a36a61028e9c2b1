"""Clips a second from shards of `auscult data shard`, against WAV files read one at a time in random order.

Clips of noise, 10 s long, are read in an epoch's random order to int16 samples of 16 kHz: from shards, with a checksum
each; from files that are of 16 kHz already, by soundfile; and from files of 44.1 kHz, resampled at every reading, as
shards were when they were written. All take turns over parts of the epoch, so that a machine's drift hits them alike.
Warm, all is in the page cache and seconds are the process's own; cold, they are the clock's, and the kernel was told to
drop the files (POSIX_FADV_DONTNEED: it keeps their names and places, to the advantage of many files).

    python benchmarks/shard_reading.py --clips 1000 --folder /a/disk
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from lungsound.audio import read_pcm
from lungsound.corpora.selection import Selection
from lungsound.corpora.splits import ALL
from lungsound.shards.reading import ShardedClips, ShardOrder
from lungsound.shards.writing import ShardOptions, write_shards

RATE, OTHER_RATE, SECONDS = 16_000, 44_100, 10
A_FOLDER = 1000
"""Files in one folder."""
WAYS = ("shards", "files", "files resampled")
CACHE = {"warm": time.process_time, "cold": time.perf_counter}
"""And the clock of each; a warm one waits for nothing but its core."""


def write_files(folder: Path, clips: int, rate: int) -> list[Path]:
    """Write noise as WAV files."""
    files = [folder / f"{clip // A_FOLDER:03d}" / f"{clip:07d}.wav" for clip in range(clips)]
    rng = np.random.default_rng(0)
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, rng.integers(-(2**12), 2**12, rate * SECONDS, dtype=np.int16), rate, "PCM_16")
    return files


def forget(files: Iterable[Path]) -> None:
    """Drop files from the page cache."""
    os.sync()
    for file in files:
        handle = os.open(file, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def clips_a_second(clips: Iterable[NDArray[np.int16]], clock: Callable[[], float]) -> float:
    """Read clips, every sample."""
    read, started = 0, clock()
    for pcm in clips:
        assert (pcm.shape, pcm.dtype) == ((RATE * SECONDS,), np.int16)
        pcm.sum()
        read += 1
    return read / (clock() - started)


def measure(folder: Path, clips: int, turns: int) -> dict[str, Any]:
    """Return clips a second of all ways, warm and cold, and how many times as many shards give."""
    files, others = (write_files(folder / str(rate), clips, rate) for rate in (RATE, OTHER_RATE))
    data = (f"audio:{folder / str(RATE)}",)
    selection = Selection.open(list(data), drop_shared=False, validation=0.2, seed=0)
    write_shards(selection, ALL, data, folder / "shards", ShardOptions(seconds=SECONDS))
    sharded = ShardedClips(folder / "shards")
    assert len(sharded) == clips
    order = np.random.default_rng(1).permutation(clips)
    found: dict[str, Any] = {"clips": clips, "shards": len(sharded.facts.clips)}
    for state, clock in CACHE.items():
        if state == "cold":
            forget([*files, *others, *(folder / "shards").iterdir()])
        ways = (
            iter(sharded[clip].pcm for clip in ShardOrder(sharded.facts.clips, seed=1, epoch=0)),
            iter(soundfile.read(files[clip], dtype="int16")[0] for clip in order),
            iter(read_pcm(others[clip], RATE) for clip in order),
        )
        part = clips // turns
        rates = [[clips_a_second(islice(way, part), clock) for way in ways] for _ in range(turns)]
        found[state] = {way: statistics.median(turn[index] for turn in rates) for index, way in enumerate(WAYS)}
        found[state]["against files"] = statistics.median(turn[0] / turn[1] for turn in rates)
        found[state]["against files resampled"] = statistics.median(turn[0] / turn[2] for turn in rates)
    return found


def main() -> None:
    """Print a line a state of the cache, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1000, help="1.5 MB of disk each")
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--folder", type=Path, help="on the disk that is measured; emptied afterwards")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=told.folder) as folder:
        found = measure(Path(folder), told.clips, told.turns)
    if told.json:
        print(json.dumps(found, indent=2))
        return
    for state in CACHE:
        row = found[state]
        print(f"{state}: " + ", ".join(f"{way} {row[way]:.0f} clips/s" for way in WAYS), end="; ")
        print(f"shards {row['against files']:.2f}x of files, {row['against files resampled']:.1f}x of files resampled")


if __name__ == "__main__":
    main()
