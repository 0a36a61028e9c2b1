"""Which clips an epoch is made of: corpora repeated by counts or shares, and short lists doubled."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError


def epoch_of(
    sizes: Sequence[int], *, repeat: Sequence[int] = (), share: Sequence[float] = (), least: int = 0
) -> NDArray[np.int64]:
    """Return the clips of an epoch, before they are shuffled.

    Parameters
    ----------
    sizes : sequence of int
        Clips of each corpus; they are numbered one corpus after the other.
    repeat : sequence of int
        How often each corpus is heard in an epoch, as M2D+Resp repeats its lists.
    share : sequence of float
        Instead, each corpus' part of an epoch. It is the shortest epoch of these shares in which every clip is heard.
    least : int
        An epoch with fewer clips is doubled until it has them, and cut there (``min_ds_size`` of M2D's code).

    Returns
    -------
    ndarray of int64, shape [clips of an epoch]

    Raises
    ------
    InputError
        If there is not one count or share a corpus, or the shares do not add up to 1.
    """
    if repeat and share:
        raise InputError("--repeat and --share both say how often a corpus is heard; give one of them")
    for option, values in (("--repeat", repeat), ("--share", share)):
        if values and len(values) != len(sizes):
            raise InputError(f"{len(values)} values of {option} for {len(sizes)} corpora; give one for each --data")
    counts = np.array(sizes, dtype=np.int64) * (np.array(repeat, dtype=np.int64) if repeat else 1)
    if share:
        if not np.isclose(sum(share), 1) or min(share) <= 0:
            raise InputError(f"--share {', '.join(f'{part:g}' for part in share)}: give parts that add up to 1")
        whole = max(size / part for size, part in zip(sizes, share, strict=True))
        counts = np.array([round(whole * part) for part in share], dtype=np.int64)
    first = np.cumsum(sizes) - np.array(sizes)
    entries = np.concatenate(
        [start + np.arange(count) % size for start, count, size in zip(first, counts, sizes, strict=True)]
    )
    if len(entries) >= least:
        return entries
    return np.resize(entries, least)  # doubled and cut is the same as begun again and again
