"""Mean and standard deviation of what a pre-training hears."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lungsound.errors import InputError
from lungsound.terminal import progress
from teachers.pretraining.sound.batches import Crops, View
from teachers.pretraining.sound.hearing import Ear
from teachers.pretraining.sound.mixture import STATISTICS, Epoch

_AT_ONCE = 50


def random_crops(view: View, seed: int, most: int = 5000) -> Iterator[NDArray[np.float32]]:
    """Yield random crops of the clips of corpora, [width, n_mels], for mean and deviation: M2D's code takes 5,000.

    Clips are heard in a random order, again and again where there are fewer than `most`.
    """
    rng = np.random.default_rng([seed, STATISTICS])
    for clip in np.resize(rng.permutation(len(view.clips)), most).tolist():
        start = int(rng.integers(view.clips.starts(clip, view.width)))
        yield view.clips.crop(clip, start, view.width, view.fill)


def streamed_crops(crops: Crops, ear: Ear, epoch: Epoch, most: int = 5000) -> Iterator[NDArray[np.float32]]:
    """Yield as many crops, clips of shards among them, in the order in which the first epoch hears them.

    Raises
    ------
    InputError
        If a clip cannot be read.
    """
    order, alone = epoch.order(crops.seed, 0), replace(crops, noise=None, teacher=None, events=None)
    for first in progress(range(0, most, _AT_ONCE), "measuring crops"):
        positions = range(first, min(first + _AT_ONCE, most))
        batch = alone[[(0, position, int(order[position % len(order)])) for position in positions]]
        if isinstance(batch, str):
            raise InputError(batch)
        yield from ear.log_mels(batch).numpy()


def crop_statistics(crops: Iterable[NDArray[np.float32]]) -> tuple[float, float]:
    """Return mean and standard deviation of all values of crops, summed in float64; one crop is held at a time."""
    origin, total, squares, count = None, 0.0, 0.0, 0
    for crop in crops:
        values = crop.astype(np.float64)
        origin = float(values.mean()) if origin is None else origin  # near the mean, so that squares cancel little
        values -= origin
        total += float(values.sum())
        squares += float(np.square(values).sum())
        count += values.size
    mean = total / count
    return (origin or 0.0) + mean, float(np.sqrt(max(squares / count - mean * mean, 1e-12)))
