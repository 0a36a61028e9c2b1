"""Clips of a folder of shards by their number, and the order in which training hears them."""

import io
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from lungsound.errors import InputError, os_sentence
from lungsound.files.untrusted import open_regular
from lungsound.shards.index import FolderIndex, ShardIndex, index_file, tar_file
from lungsound.terminal import progress

_INDICES = 64
"""Shards whose offsets are kept: memory does not grow with the corpus."""


@dataclass(frozen=True)
class Clip:
    """Sound of a shard and what is known of it.

    Attributes
    ----------
    pcm : ndarray of int16, shape [samples]
    recording : str
        ``corpus/recording``.
    start : float
        Seconds.
    labels : ndarray of float32, shape [labels]
        In the order of the folder's.
    """

    pcm: NDArray[np.int16]
    recording: str
    start: float
    labels: NDArray[np.float32]


class ShardedClips(Sequence[Clip]):
    """The clips of a folder of shards; what is read is held against its checksum.

    A clip is one read at a known place: nothing before it in its tar file is touched. Processes that were forked or
    spawned with it open files of their own.

    Parameters
    ----------
    folder : Path
        As :func:`lungsound.shards.writing.write_shards` wrote it.

    Raises
    ------
    InputError
        If it holds no finished shards; later, when a clip is damaged or a shard is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = FolderIndex.read(folder)
        self._ends = list(accumulate(self.facts.clips))
        self._opened = lru_cache(_INDICES)(self._open)

    def __len__(self) -> int:
        """Return the number of clips."""
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, number: int) -> Clip:  # type: ignore[override]
        """Return a clip; numbers follow the shards."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        shard = bisect_right(self._ends, number)
        place = number - (self._ends[shard] - self.facts.clips[shard])
        found = self._opened(shard)
        sound = self._read(shard, found.offsets[place], found.sizes[place])
        if zlib.crc32(sound) != found.crcs[place]:
            raise self._damaged(shard, f"clip {place} is not what was written")
        labels = np.array([digit == "1" for digit in found.labels[place]], dtype=np.float32)
        return Clip(self._decoded(sound), found.recordings[place], found.starts[place], labels)

    def shortest(self) -> tuple[str, float, int]:
        """Return recording, start in seconds and samples of the shortest clip; its shard's index alone is read."""
        held = [shard for shard, clips in enumerate(self.facts.clips) if clips]
        found = self._opened(min(held, key=lambda shard: self.facts.shortest[shard]))
        place = min(range(found.clips), key=lambda clip: found.samples[clip])
        return found.recordings[place], found.starts[place], found.samples[place]

    def __getstate__(self) -> dict[str, object]:
        """Return what another process needs."""
        return {"folder": self.folder}

    def __setstate__(self, state: dict[str, Path]) -> None:
        """Open the folder anew."""
        self.__init__(state["folder"])  # type: ignore[misc]

    def verify(self) -> None:
        """Read every shard whole.

        Raises
        ------
        InputError
            If one is missing, or its SHA-256 is not what was written.
        """
        import hashlib

        for shard in progress(range(len(self.facts.clips)), "reading shards", total=len(self.facts.clips)):
            open_regular(tar_file(self.folder, shard)).close()  # no pipe, no folder
            with tar_file(self.folder, shard).open("rb") as handle:
                found = hashlib.file_digest(handle, "sha256").hexdigest()
            if found != self.facts.digests[shard]:
                raise self._damaged(shard, "is not what was written")

    def _open(self, shard: int) -> ShardIndex:
        found = ShardIndex.read(index_file(self.folder, shard))
        if found.clips != self.facts.clips[shard] or found.digest != self.facts.digests[shard]:
            raise self._damaged(shard, "its index is another shard's")
        return found

    def _read(self, shard: int, offset: int, size: int) -> bytearray:
        sound = bytearray(size)  # not bytes: their samples could not be changed in place
        try:
            with open_regular(tar_file(self.folder, shard)) as handle:
                handle.seek(offset)
                handle.readinto(sound)  # type: ignore[attr-defined]
        except OSError as error:
            raise InputError(os_sentence(error, tar_file(self.folder, shard))) from error
        return sound

    def _decoded(self, sound: bytearray) -> NDArray[np.int16]:
        if self.facts.encoding == "npy":
            # NumPy's format 1.0: bytes 8 and 9 are the header's length; np.load would copy the samples twice.
            return np.frombuffer(sound, "<i2", offset=10 + int.from_bytes(sound[8:10], "little"))
        return np.asarray(soundfile.read(io.BytesIO(sound), dtype="int16")[0])

    def _damaged(self, shard: int, what: str) -> InputError:
        return InputError(
            f"{tar_file(self.folder, shard)}: damaged, {what}; remove it and run auscult data shard again"
        )


class ShardOrder(Sequence[int]):
    """The order of one epoch: shards shuffled, and clips shuffled among a few shards that follow each other.

    It is the same for any number of processes: who takes positions r, r + ranks, ... hears no clip that another one
    hears, and a training goes on at any position. Files are read nearly in order, a few at a time. Only the shards'
    order and that of one group of clips are held.

    Parameters
    ----------
    clips : sequence of int
        Of every shard.
    seed, epoch : int
        Of the draw.
    group : int
        Shards whose clips are mixed.
    """

    def __init__(self, clips: Sequence[int], seed: int, epoch: int, group: int = 4) -> None:
        self._seed = (seed, epoch)
        starts = np.concatenate([[0], np.cumsum(clips, dtype=np.int64)])
        shards = np.random.default_rng((*self._seed, 0)).permutation(len(clips))
        self._groups = [
            [(int(starts[shard]), int(clips[shard])) for shard in shards[first : first + group]]
            for first in range(0, len(shards), group)
        ]
        self._ends = list(accumulate(sum(count for _, count in members) for members in self._groups))
        self._drawn = lru_cache(2)(self._draw)

    def __len__(self) -> int:
        """Return the number of clips."""
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, position: int) -> int:  # type: ignore[override]
        """Return the number of the clip at a position."""
        if not 0 <= position < len(self):
            raise IndexError(position)
        group = bisect_right(self._ends, position)
        begins = self._ends[group - 1] if group else 0
        return int(self._drawn(group)[position - begins])

    def __iter__(self) -> Iterator[int]:
        """Yield the numbers in order."""
        return (self[position] for position in range(len(self)))

    def _draw(self, group: int) -> NDArray[np.int64]:
        numbers = np.concatenate([np.arange(first, first + count) for first, count in self._groups[group]])
        return np.random.default_rng((*self._seed, 1 + group)).permutation(numbers)
