"""Which clips an epoch is made of, and their order: corpora repeated by counts or shares, and short lists doubled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError
from lungsound.shards.reading import ShardOrder

ORDER, CROP, NOISE, STATISTICS, MIXTURE = range(5)
"""What is drawn in a pre-training; a stream of random numbers for each."""

_BLOCK = 4096
"""Places of an epoch among which corpora and shards are shuffled."""


@dataclass(frozen=True)
class ShardedPart:
    """What shards give to an epoch.

    Attributes
    ----------
    clips : tuple of int
        Of every shard.
    first : int
        Number of the first clip.
    heard : int
        How many clips of an epoch are theirs: all of them in their order, again and again.
    """

    clips: tuple[int, ...]
    first: int
    heard: int

    def order(self, seed: int, epoch: int) -> Sequence[int]:
        """Return the numbers of its clips as an epoch hears them."""
        return _Passes(self, seed, epoch)


@dataclass(frozen=True)
class Epoch:
    """The clips of an epoch. Those of corpora come first and are held; of shards, only how many they are.

    Attributes
    ----------
    entries : ndarray of int64
        Clips of corpora, before they are shuffled.
    sharded : tuple of ShardedPart
    """

    entries: NDArray[np.int64]
    sharded: tuple[ShardedPart, ...] = ()

    @classmethod
    def of(
        cls,
        sizes: Sequence[int],
        shards: Mapping[int, tuple[int, ...]] | None = None,
        *,
        repeat: Sequence[int] = (),
        share: Sequence[float] = (),
        least: int = 0,
    ) -> Self:
        """Mix an epoch.

        Parameters
        ----------
        sizes : sequence of int
            Clips of each corpus; those of corpora are numbered one after the other, and then those of shards.
        shards : mapping of int to tuple of int, optional
            Which of these are shards, and the clips of every shard.
        repeat : sequence of int
            How often each corpus is heard in an epoch, as M2D+Resp repeats its lists.
        share : sequence of float
            Instead, each corpus' part of an epoch. It is the shortest epoch of these shares in which every clip is
            heard.
        least : int
            An epoch with fewer clips is doubled until it has them, and cut there (``min_ds_size`` of M2D's code).

        Raises
        ------
        InputError
            If there is not one count or share a corpus, or the shares do not add up to 1.
        """
        shards = shards or {}
        counts = _counts(sizes, repeat, share)
        if counts.sum() < least:  # what is doubled and cut keeps the share of every corpus
            ends = np.cumsum(counts) * least // counts.sum()
            more = np.diff(ends, prepend=0)
        else:
            more = counts
        held = [source for source in range(len(sizes)) if source not in shards]
        firsts = np.cumsum([0, *(sizes[source] for source in held), *(sizes[source] for source in shards)])
        entries = [
            first + np.arange(counts[source]) % sizes[source] for source, first in zip(held, firsts, strict=False)
        ]
        sharded = (
            ShardedPart(tuple(clips), int(first), int(more[source]))
            for (source, clips), first in zip(shards.items(), firsts[len(held) :], strict=False)
        )
        whole = np.concatenate(entries) if entries else np.empty(0, dtype=np.int64)
        return cls(np.resize(whole, int(more[held].sum())), tuple(sharded))

    def __len__(self) -> int:
        """Return the number of its clips."""
        return len(self.entries) + sum(part.heard for part in self.sharded)

    def order(self, seed: int, epoch: int) -> Sequence[int]:
        """Return the numbers of the clips in the order of one epoch, a function of seed and epoch."""
        entries: Sequence[int] = np.random.default_rng([seed, ORDER, epoch]).permutation(self.entries)  # type: ignore[assignment]
        if not self.sharded:
            return entries
        return _Interleaved([entries, *(part.order(seed, epoch) for part in self.sharded)], seed, epoch)


def _counts(sizes: Sequence[int], repeat: Sequence[int], share: Sequence[float]) -> NDArray[np.int64]:
    if repeat and share:
        raise InputError("--repeat and --share both say how often a corpus is heard; give one of them")
    for option, values in (("--repeat", repeat), ("--share", share)):
        if values and len(values) != len(sizes):
            raise InputError(f"{len(values)} values of {option} for {len(sizes)} corpora; give one for each --data")
    if not share:
        return np.array(sizes, dtype=np.int64) * (np.array(repeat, dtype=np.int64) if repeat else 1)
    if not np.isclose(sum(share), 1) or min(share) <= 0:
        raise InputError(f"--share {', '.join(f'{part:g}' for part in share)}: give parts that add up to 1")
    whole = max(size / part for size, part in zip(sizes, share, strict=True))
    return np.array([round(whole * part) for part in share], dtype=np.int64)


class _Passes(Sequence[int]):
    """The clips of shards, pass after pass, each in an order of its own."""

    def __init__(self, part: ShardedPart, seed: int, epoch: int) -> None:
        self._part, self._size = part, sum(part.clips)
        first = epoch * -(-part.heard // self._size)
        self._order = lru_cache(2)(lambda turn: ShardOrder(part.clips, seed, first + turn))

    def __len__(self) -> int:
        return self._part.heard

    def __getitem__(self, position: int) -> int:  # type: ignore[override]
        turn, place = divmod(position, self._size)
        return self._part.first + self._order(turn)[place]


class _Interleaved(Sequence[int]):
    """Several orders as one: each keeps its own, and gives every block of places its share of them.

    One block is held, and a place is found without those before it.
    """

    def __init__(self, orders: Sequence[Sequence[int]], seed: int, epoch: int) -> None:
        self._orders, self._seed = orders, [seed, MIXTURE, epoch]
        self._lengths = np.array([len(order) for order in orders], dtype=np.int64)
        self._blocks = max(1, -(-len(self) // _BLOCK))
        self._drawn = lru_cache(2)(self._draw)

    def __len__(self) -> int:
        return int(self._lengths.sum())

    def __getitem__(self, position: int) -> int:  # type: ignore[override]
        block = position * self._blocks // len(self)  # or the next, as shares are rounded down
        first, whose, places = self._drawn(block)
        if position - first >= len(whose):
            first, whose, places = self._drawn(block + 1)
        return int(self._orders[whose[position - first]][places[position - first]])

    def _draw(self, block: int) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
        """Return where a block begins, and of each of its places whose it is, and which of theirs."""
        begin, end = (self._lengths * place // self._blocks for place in (block, block + 1))
        rng = np.random.default_rng([*self._seed, block])
        whose = rng.permutation(np.repeat(np.arange(len(self._orders)), end - begin))
        places = np.empty_like(whose)
        for order in range(len(self._orders)):
            places[whose == order] = np.arange(begin[order], end[order])
        return int(begin.sum()), whose, places
