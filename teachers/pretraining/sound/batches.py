"""Batches of crops: everything random in them is a function of the seed, the epoch and a clip's place in it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from lungsound.errors import InputError
from lungsound.logmel import LogMelSpec
from lungsound.networks.logmel import piece
from lungsound.shards.reading import Clip, ShardedClips
from teachers.pretraining.sound.clips import Clips
from teachers.pretraining.sound.mixture import CROP, NOISE, Epoch

Batch = dict[str, torch.Tensor]
Place = tuple[int, int, int]
"""Epoch, place in its order, clip."""

Sample = dict[str, NDArray[np.generic]]


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
        See :func:`teachers.pretraining.sound.noise.mix`.
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
class Shards:
    """Clips of shards among others.

    Attributes
    ----------
    clips : ShardedClips
    first : int
        Number of the first of them.
    labels : tuple of int
        Places of the labels that count among those of the shards.
    """

    clips: ShardedClips
    first: int
    labels: tuple[int, ...] = ()


@dataclass(frozen=True)
class View:
    """A log-mel on which clips are heard.

    Attributes
    ----------
    clips : Clips
        Those of corpora, in the cache.
    width : int
        Frames of a crop.
    fill : float
        Log-mel after the end of a short clip.
    """

    clips: Clips
    width: int
    fill: float

    @property
    def logmel(self) -> LogMelSpec:
        """What it is."""
        return self.clips.logmel

    def starts(self, frames: int) -> int:
        """Return how many crops a clip of so many frames has; 1 where it is shorter than one."""
        return max(1, frames - self.width + 1)


@dataclass(frozen=True)
class Crops(Dataset[Batch | str]):
    """Random crops of clips with their masks and noise: what :class:`teachers.pretraining.sound.hearing.Hearing` takes.

    Attributes
    ----------
    view : View
        What M2D hears.
    patches : int
        Of a crop; a random order of them is drawn.
    seed : int
        Of everything drawn.
    noise : Noise, optional
    events : Events, optional
        For the labels of crops.
    teacher : View, optional
        The same clips as an offline teacher hears them, where that is another log-mel.
    shards : tuple of Shards
        Clips whose numbers follow those of the corpora.
    """

    view: View
    patches: int
    seed: int
    noise: Noise | None = None
    events: Events | None = None
    teacher: View | None = None
    shards: tuple[Shards, ...] = ()

    def __getitem__(self, places: list[Place]) -> Batch | str:
        """Return the crops at some places, or why they cannot be read: a loader would spoil an error's sentence.

        Returns
        -------
        dict of Tensor
            ``order``, int64 [B, patches]; ``crop``, log-mels of the clips of corpora, float32 [C, frames, mels];
            ``sharded``, bool [B], which clips are of shards, and of these ``sound``, int16 or float32 [S, samples]
            (:func:`lungsound.networks.logmel.piece`), and ``frames``, int64 [S], how many are theirs. Where they are
            wanted: ``teacher_crop`` and so on, the same of the teacher's log-mel; ``noise``, float32
            [B, frames, mels]; ``labels``, float32 [B, labels]. A name that has no rows is missing.
        """
        try:
            samples = [self._sample(*place) for place in places]
        except InputError as error:
            return str(error)
        names = sorted({name for sample in samples for name in sample})
        rows = {name: [sample[name] for sample in samples if name in sample] for name in names}
        return {name: torch.from_numpy(np.stack(values)) for name, values in rows.items()}

    def _sample(self, epoch: int, position: int, number: int) -> Sample:
        rng = np.random.default_rng([self.seed, CROP, epoch, position])
        shards = next((shards for shards in reversed(self.shards) if number >= shards.first), None)
        clip = number if shards is None else shards.clips[number - shards.first]
        frames = _frames(clip, self.view)
        start = int(rng.integers(self.view.starts(frames)))
        sample: Sample = {"order": np.argsort(rng.random(self.patches), kind="stable")}
        sample |= _heard(clip, self.view, start, "")
        if self.shards:
            sample["sharded"] = np.array(shards is not None)
        if self.teacher is not None:
            begins = round(start * _frame_seconds(self.view.logmel) / _frame_seconds(self.teacher.logmel))
            begins = min(begins, self.teacher.starts(_frames(clip, self.teacher)) - 1)
            sample |= _heard(clip, self.teacher, begins, "teacher_")
        if self.noise is not None:
            sample["noise"] = self._noise(self.noise, epoch, position, rng)
        if self.events is not None:
            hop = _frame_seconds(self.view.logmel)
            sample["labels"] = (
                self.events.heard(clip, start * hop, (start + self.view.width) * hop)
                if isinstance(clip, int)
                else clip.labels[list(shards.labels if shards else ())]
            )
        return sample

    def _noise(self, noise: Noise, epoch: int, position: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Return a crop of noise: clips of a random order that is drawn anew when all were heard."""
        turn, place = divmod(position, len(noise.clips))
        clip = int(np.random.default_rng([self.seed, NOISE, epoch, turn]).permutation(len(noise.clips))[place])
        width = self.view.width
        return noise.clips.repeated(clip, int(rng.integers(noise.clips.starts(clip, width))), width)


class Steps(Sampler[list[Place]]):
    """The places of every batch of a whole training, those of one process.

    An optimiser step takes the same clips however many processes and parts share them, and an epoch has whole steps
    alone.

    Parameters
    ----------
    epoch : Epoch
        The clips of an epoch.
    epochs, batch_size, accumulate, seed : int
        See :class:`teachers.pretraining.settings.PretrainSettings`.
    rank, processes : int
        Which process this is, of how many.
    start : int
        Batches that were taken before.
    """

    def __init__(
        self,
        epoch: Epoch,
        *,
        epochs: int,
        batch_size: int,
        accumulate: int,
        seed: int,
        rank: int = 0,
        processes: int = 1,
        start: int = 0,
    ) -> None:
        self._epoch, self._seed, self._epochs, self._start = epoch, seed, epochs, start
        self._step, self._accumulate, self._rank, self._processes = batch_size, accumulate, rank, processes
        self._batch = batch_size // (accumulate * processes)
        self._per_epoch = len(epoch) // batch_size * accumulate

    def __len__(self) -> int:
        return self._epochs * self._per_epoch

    def __iter__(self) -> Iterator[list[Place]]:
        ordered, order = -1, self._epoch.order(self._seed, 0)
        for index in range(self._start, len(self)):
            epoch, batch = divmod(index, self._per_epoch)
            if epoch != ordered:
                ordered, order = epoch, self._epoch.order(self._seed, epoch)
            step, part = divmod(batch, self._accumulate)
            first = step * self._step + (part * self._processes + self._rank) * self._batch
            yield [(epoch, place, int(order[place])) for place in range(first, first + self._batch)]


def loader(crops: Crops, steps: Steps, workers: int) -> DataLoader[Batch | str]:
    """Return a loader of all batches of a training."""
    return DataLoader(crops, batch_size=None, sampler=steps, num_workers=workers, pin_memory=torch.cuda.is_available())


def _frames(clip: int | Clip, view: View) -> int:
    return int(view.clips.lengths[clip]) if isinstance(clip, int) else view.logmel.frames(len(clip.pcm))


def _heard(clip: int | Clip, view: View, start: int, whose: str) -> Sample:
    """Return the crop of a clip of a corpus, or the sound from which the device computes that of a clip of shards."""
    if isinstance(clip, int):
        return {f"{whose}crop": view.clips.crop(clip, start, view.width, view.fill)}
    frames = np.array(min(view.width, _frames(clip, view) - start))
    return {f"{whose}sound": piece(view.logmel, clip.pcm, start, view.width), f"{whose}frames": frames}


def _frame_seconds(logmel: LogMelSpec) -> float:
    return logmel.hop / logmel.sample_rate
