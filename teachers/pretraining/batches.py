"""Batches of crops: everything random in them is a function of the seed, the epoch and a clip's place in it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from lungsound.logmel import LogMelSpec
from teachers.pretraining.clips import Clips, silence
from teachers.pretraining.noise import mix

Batch = dict[str, torch.Tensor]
Place = tuple[int, int, int]
"""Epoch, place in its order, clip."""

_ORDER, _CROP, _NOISE, _STATISTICS = range(4)
"""What is drawn; a stream of its own for each."""


@dataclass(frozen=True)
class Noise:
    """Background noise.

    Attributes
    ----------
    clips : Clips
        Of the same log-mel as what it is mixed into.
    mean : float
        Of their crops.
    share : float
        See :func:`teachers.pretraining.noise.mix`.
    online : bool
        Whether M2D hears it and the offline target clean sound, or the other way round.
    """

    clips: Clips
    mean: float
    share: float
    online: bool


@dataclass(frozen=True)
class Events:
    """Annotated events of clips, for the labels of a crop.

    Attributes
    ----------
    spans : list of ndarray of float64, each of shape [events, 2]
        Start and end in seconds from the beginning of each clip.
    labels : list of ndarray of float32, each of shape [events, labels]
        0 or 1.
    """

    spans: list[NDArray[np.float64]]
    labels: list[NDArray[np.float32]]

    @classmethod
    def of(cls, table: pd.DataFrame, events: pd.DataFrame, names: tuple[str, ...]) -> "Events":
        """Gather the events that lie in each clip of a table; `events` has its column ``source``, too."""
        rows = events.groupby(["source", "recording"]).indices
        spans, labels = [], []
        columns = zip(table["source"], table["recording"], table["start"], table["end"], strict=True)
        times, values = events[["start", "end"]].to_numpy(np.float64), events[list(names)].to_numpy(np.float32)
        for source, recording, start, end in columns:
            mine = rows.get((source, recording), np.empty(0, dtype=np.int64))
            mine = mine[(times[mine, 0] < end) & (times[mine, 1] > start)]
            spans.append(times[mine] - start)
            labels.append(values[mine])
        return cls(spans, labels)

    def heard(self, clip: int, start: float, end: float) -> NDArray[np.float32]:
        """Return the labels of whatever sounds between two moments of a clip, float32 [labels]."""
        spans, labels = self.spans[clip], self.labels[clip]
        sounds = (spans[:, 0] < end) & (spans[:, 1] > start)
        return np.asarray(labels[sounds].max(axis=0, initial=0.0))


@dataclass(frozen=True)
class Crops(Dataset[Batch]):
    """Random crops of clips with their masks, noise and what the offline target hears.

    Attributes
    ----------
    clips : Clips
        What is heard.
    width : int
        Frames of a crop.
    patches : int
        Of a crop; a random order of them is drawn.
    fill : float
        Log-mel after the end of a short clip.
    statistics : tuple of float
        Mean and standard deviation.
    seed : int
        Of everything drawn.
    noise : Noise, optional
    events : Events, optional
        For the labels of crops.
    teacher : tuple of Clips and int, optional
        The same clips on the log-mel of an offline teacher that hears another one, and frames of a crop.
    clean : bool
        Whether the offline target hears the same log-mels as M2D, by the routing of the noise.
    """

    clips: Clips
    width: int
    patches: int
    fill: float
    statistics: tuple[float, float]
    seed: int
    noise: Noise | None = None
    events: Events | None = None
    teacher: tuple[Clips, int] | None = None
    clean: bool = False

    def __getitem__(self, places: list[Place]) -> Batch:
        """Return the crops at some places.

        Returns
        -------
        dict of Tensor
            ``x``, what M2D hears, float32 [B, 1, mels, frames]; ``order``, int64 [B, patches]. Where they are wanted:
            ``offline``, what the offline teacher hears, as `x` of its own log-mel; ``labels``, float32 [B, labels].
        """
        samples = [self._sample(*place) for place in places]
        return {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in samples[0]}

    def _sample(self, epoch: int, position: int, clip: int) -> dict[str, NDArray[np.generic]]:
        rng = np.random.default_rng([self.seed, _CROP, epoch, position])
        start = int(rng.integers(self.clips.starts(clip, self.width)))
        order = np.argsort(rng.random(self.patches), kind="stable")
        mean, std = self.statistics
        crop = self.clips.crop(clip, start, self.width, self.fill) - np.float32(mean)
        noisy = crop if self.noise is None else self._noisy(crop, self.noise, epoch, position, rng)
        online, offline = (noisy, crop) if self.noise is None or self.noise.online else (crop, noisy)
        sample: dict[str, NDArray[np.generic]] = {"x": _as_image(online / np.float32(std)), "order": order}
        if self.teacher is not None:
            clips, width = self.teacher
            begins = round(start * _frame_seconds(self.clips.logmel) / _frame_seconds(clips.logmel))
            begins = min(begins, clips.starts(clip, width) - 1)
            mean, std = clips.logmel.mean, clips.logmel.std
            heard = (clips.crop(clip, begins, width, silence(clips.logmel)) - np.float32(mean)) / np.float32(std)
            sample["offline"] = _as_image(heard)
        elif self.clean:
            sample["offline"] = _as_image(offline / np.float32(std))
        if self.events is not None:
            hop = _frame_seconds(self.clips.logmel)
            sample["labels"] = self.events.heard(clip, start * hop, (start + self.width) * hop)
        return sample

    def _noisy(
        self, crop: NDArray[np.float32], noise: Noise, epoch: int, position: int, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Mix noise into a crop: clips of a random order that is drawn anew when all were heard."""
        turn, place = divmod(position, len(noise.clips))
        clip = int(np.random.default_rng([self.seed, _NOISE, epoch, turn]).permutation(len(noise.clips))[place])
        start = int(rng.integers(noise.clips.starts(clip, self.width)))
        heard = noise.clips.repeated(clip, start, self.width) - np.float32(noise.mean)
        return mix(crop, heard, noise.share)


class Steps(Sampler[list[Place]]):
    """The places of every batch of a whole training, those of one process.

    An optimiser step takes the same clips however many processes and parts share them, and an epoch has whole steps
    alone.

    Parameters
    ----------
    entries : ndarray of int64
        The clips of an epoch, see :func:`teachers.pretraining.mixture.epoch_of`.
    epochs, batch_size, accumulate, seed : int
        See :class:`teachers.pretraining.settings.PretrainSettings`.
    rank, processes : int
        Which process this is, of how many.
    start : int
        Batches that were taken before.
    """

    def __init__(
        self,
        entries: NDArray[np.int64],
        *,
        epochs: int,
        batch_size: int,
        accumulate: int,
        seed: int,
        rank: int = 0,
        processes: int = 1,
        start: int = 0,
    ) -> None:
        self._entries, self._seed, self._epochs, self._start = entries, seed, epochs, start
        self._step, self._accumulate, self._rank, self._processes = batch_size, accumulate, rank, processes
        self._batch = batch_size // (accumulate * processes)
        self._per_epoch = len(entries) // batch_size * accumulate

    def __len__(self) -> int:
        return self._epochs * self._per_epoch

    def __iter__(self) -> Iterator[list[Place]]:
        epoch_of_order, order = -1, self._entries
        for index in range(self._start, len(self)):
            epoch, batch = divmod(index, self._per_epoch)
            if epoch != epoch_of_order:
                rng = np.random.default_rng([self._seed, _ORDER, epoch])
                epoch_of_order, order = epoch, rng.permutation(self._entries)
            step, part = divmod(batch, self._accumulate)
            first = step * self._step + (part * self._processes + self._rank) * self._batch
            yield [(epoch, place, int(order[place])) for place in range(first, first + self._batch)]


def loader(crops: Crops, steps: Steps, workers: int) -> DataLoader[Batch]:
    """Return a loader of all batches of a training."""
    return DataLoader(crops, batch_size=None, sampler=steps, num_workers=workers, pin_memory=torch.cuda.is_available())


def crop_statistics(clips: Clips, width: int, fill: float, seed: int, most: int = 5000) -> tuple[float, float]:
    """Return mean and standard deviation over random crops of clips: M2D's code takes 5,000.

    Clips are heard in a random order, again and again where there are fewer than `most`.
    """
    rng = np.random.default_rng([seed, _STATISTICS])
    order = np.resize(rng.permutation(len(clips)), most)
    origin = float(clips.frames[: min(len(clips.frames), 10_000)].mean(dtype=np.float64))
    total = squares = 0.0
    for clip in order.tolist():
        start = int(rng.integers(clips.starts(clip, width)))
        values = clips.crop(clip, start, width, fill).astype(np.float64) - origin
        total += float(values.sum())
        squares += float(np.square(values).sum())
    count = most * width * clips.logmel.n_mels
    mean = total / count
    return origin + mean, float(np.sqrt(max(squares / count - mean * mean, 1e-12)))


def _as_image(crop: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.ascontiguousarray(crop.T, dtype=np.float32)[None]


def _frame_seconds(logmel: LogMelSpec) -> float:
    return logmel.hop / logmel.sample_rate
