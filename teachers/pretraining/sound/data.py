"""From settings to the clips that a pre-training hears."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before lightning, which imports torchvision

import lightning
import pandas as pd
from torch.utils.data import DataLoader

from lungsound.corpora.registry import open_corpus, parse_data
from lungsound.corpora.selection import Selection
from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.shards.reading import ShardedClips
from lungsound.terminal import err
from teachers.m2d.config import M2DConfig
from teachers.pretraining.offline import OfflineTeacher
from teachers.pretraining.settings import PretrainSettings, crop_seconds
from teachers.pretraining.sound.batches import Batch, Crops, Events, Noise, Shards, Steps, View, loader
from teachers.pretraining.sound.clips import CLIP_COLUMNS, Clips, clips_of, silence, store
from teachers.pretraining.sound.hearing import Ear, Hearing
from teachers.pretraining.sound.mixture import Epoch
from teachers.pretraining.sound.sharded import labels_of, note_of, opened_shards, refuse_unheard, selection_with
from teachers.pretraining.sound.statistics import crop_statistics, random_crops, streamed_crops


@dataclass(frozen=True)
class PretrainData:
    """What a pre-training hears.

    Attributes
    ----------
    listening : Listening
        The crop, with the statistics that normalise it.
    selection : Selection
        The corpora and their split, shards among them.
    train, validation : Crops
        Of the training part, and of the validation part, where one is drawn.
    hearing : Hearing
        What makes of their batches what the networks hear.
    epoch : Epoch
        The training clips of an epoch.
    notes : tuple of str
        See :class:`lungsound.training.runs.Run`.
    """

    listening: Listening
    selection: Selection
    train: Crops
    validation: Crops | None
    hearing: Hearing
    epoch: Epoch
    notes: tuple[str, ...] = ()


def prepare_pretraining(
    settings: PretrainSettings,
    encoder: M2DConfig,
    statistics: tuple[float, float] | None,
    teacher: OfflineTeacher | None,
    cache: Path,
) -> PretrainData:
    """Read, cut and transform everything a pre-training hears; only training parts are heard.

    Parameters
    ----------
    settings : PretrainSettings
        What to do.
    encoder : M2DConfig
        Of the encoder; gives crop and patches.
    statistics : tuple of float, optional
        Mean and standard deviation; else those of the clips.
    teacher : OfflineTeacher, optional
        Of the offline branch.
    cache : Path
        Where log-mels are stored.

    Raises
    ------
    InputError
        If a corpus cannot be read, has no training part or clips shorter than a patch, the log-mel has another number
        of bands than the encoder, or an epoch is smaller than a step.
    """
    return _Preparation(settings, encoder, statistics, teacher, cache).data()


@dataclass(frozen=True)
class _Preparation:
    settings: PretrainSettings
    encoder: M2DConfig
    given: tuple[float, float] | None
    teacher: OfflineTeacher | None
    cache: Path

    def data(self) -> PretrainData:
        told, listening = self.settings, self.settings.data.listening()
        if listening.logmel.n_mels != self.encoder.input_size[0]:
            raise InputError(
                f"the encoder hears {self.encoder.input_size[0]} mels, --logmel {told.data.logmel} has "
                f"{listening.logmel.n_mels}; give another"
            )
        for warning in self._selection.warnings:
            err.print(f"note: {warning}", style="yellow", markup=False)
        table = self._table("train")
        epoch, view = self._epoch(table), self._view(table)
        shards = self._shards(len(view.clips))
        train = self._crops("train", view, shards)
        ear = Ear(listening.logmel, view.fill)
        statistics = self.given or crop_statistics(
            streamed_crops(train, ear, epoch) if shards else random_crops(view, told.seed)
        )
        measured = replace(listening, logmel=listening.logmel.with_statistics(*statistics))
        hearing = Hearing(Ear(measured.logmel, view.fill), self._noise, self.teacher is not None, self._teacher_ear)
        held_out = self._table("validation")
        validation = self._crops("validation", self._view(held_out)) if len(held_out) else None
        heard = len(view.clips) + sum(map(len, self._sharded.values()))
        notes = [f"{heard} clips trained, {len(epoch)} in an epoch; {len(held_out)} were held out"]
        notes += [note for clips in self._sharded.values() if (note := note_of(clips))]
        for note in notes[1:]:
            err.print(f"note: {note}", style="yellow", markup=False)
        selection = selection_with(self._selection, self._sharded)
        return PretrainData(measured, selection, train, validation, hearing, epoch, tuple(notes))

    @cached_property
    def _sharded(self) -> dict[int, ShardedClips]:
        """Those of the corpora that are shards, by their places."""
        sharded = opened_shards(self.settings.data.data)
        if len(sharded) == len(self.settings.data.data) and self.settings.clips == "events":
            raise InputError("--clips events cuts corpora, and shards hold clips; leave it out")
        heard = [self.settings.data.listening().logmel, *([self._teacher_ear.logmel] if self._teacher_ear else [])]
        for clips in sharded.values():
            for logmel, least in zip(heard, (self.encoder.patch_size[1], 1), strict=False):
                refuse_unheard(clips, logmel, least)
        return sharded

    @cached_property
    def _selection(self) -> Selection:
        """The corpora that are no shards."""
        told = self.settings.data
        data = [text for source, text in enumerate(told.data) if source not in self._sharded]
        return replace(told, data=tuple(data)).select() if data else Selection((), ())

    @cached_property
    def _places(self) -> list[int]:
        """The places of these among all."""
        return [source for source in range(len(self.settings.data.data)) if source not in self._sharded]

    def _epoch(self, table: pd.DataFrame) -> Epoch:
        told = self.settings
        sizes = [
            len(self._sharded[source]) if source in self._sharded else int((table["source"] == source).sum())
            for source in range(len(told.data.data))
        ]
        if 0 in sizes:
            raise InputError(f"{told.data.data[sizes.index(0)]}: no clips in its training part; leave it out")
        shards = {source: clips.facts.clips for source, clips in self._sharded.items()}
        epoch = Epoch.of(sizes, shards, repeat=told.repeat, share=told.share, least=told.min_clips)
        if len(epoch) < told.batch_size:
            raise InputError(
                f"{len(epoch)} clips in an epoch are less than a step of {told.batch_size}; give a smaller "
                "--batch-size, or --min-clips"
            )
        return epoch

    def _table(self, part: str) -> pd.DataFrame:
        tables = [
            clips_of(split.part(corpus, part), source, events=self.settings.clips == "events")
            for source, corpus, split in zip(self._places, self._selection.corpora, self._selection.splits, strict=True)
        ]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=CLIP_COLUMNS)

    def _shards(self, first: int) -> tuple[Shards, ...]:
        """Return the shards, their clips numbered from `first` on."""
        firsts = accumulate((len(clips) for clips in self._sharded.values()), initial=first)
        wanted = self.settings.data.labels if self.settings.offline == "labels" else ()
        return tuple(
            Shards(clips, number, labels_of(clips, wanted))
            for clips, number in zip(self._sharded.values(), firsts, strict=False)
        )

    def _view(self, table: pd.DataFrame) -> View:
        """Return the clips of a table as M2D hears them."""
        told, logmel = self.settings, self.settings.data.listening().logmel
        clips = store(table, logmel, self.encoder.patch_size[1], self.cache) if len(table) else Clips.none(logmel)
        return View(clips, self.encoder.input_size[1], silence(logmel) if told.padding == "silence" else 0.0)

    def _crops(self, part: str, view: View, shards: tuple[Shards, ...] = ()) -> Crops:
        return Crops(
            view,
            self.encoder.grid[0] * self.encoder.grid[1],
            self.settings.seed,
            self._noise,
            self._events(view.clips.table) if self.settings.offline == "labels" else None,
            self._teacher_view(view.clips.table),
            shards,
        )

    @cached_property
    def _noise(self) -> Noise | None:
        told = self.settings
        if not told.noise:
            return None
        corpora = [open_corpus(*parse_data(text)).with_audio() for text in told.noise]
        table = pd.concat([clips_of(corpus, source) for source, corpus in enumerate(corpora)], ignore_index=True)
        logmel, width = told.data.listening().logmel, self.encoder.input_size[1]
        if logmel.log != "ln":
            raise InputError(
                f"--noise: is mixed as powers of e, and the log-mel {told.data.logmel} is in dB; give another"
            )
        clips = store(table, logmel, 1, self.cache)
        mean, _ = crop_statistics(random_crops(View(clips, width, silence(logmel)), told.seed))
        return Noise(clips, mean, told.noise_share, told.routing == "paper")

    def _events(self, table: pd.DataFrame) -> Events:
        labels = self.settings.data.labels
        events = []
        for source, corpus in zip(self._places, self._selection.corpora, strict=True):
            corpus.refuse_unless_annotated(labels)
            events.append(corpus.events.assign(source=source)[["source", "recording", "start", "end", *labels]])
        return Events.of(table, pd.concat(events, ignore_index=True), labels) if events else Events([], [])

    @cached_property
    def _teacher_ear(self) -> Ear | None:
        """The log-mel of the offline teacher, where that is another one than M2D's."""
        if self.teacher is None or self.teacher.logmel.with_statistics(0, 1) == self.settings.data.listening().logmel:
            return None
        if self._noise is not None and not self._noise.online:
            raise InputError(
                "--routing code: noise is mixed on M2D's log-mel, and the offline teacher hears another one; "
                "give --routing paper"
            )
        return Ear(self.teacher.logmel, silence(self.teacher.logmel))

    def _teacher_view(self, table: pd.DataFrame) -> View | None:
        """Return the clips of a table as that teacher hears them."""
        if self._teacher_ear is None:
            return None
        theirs = self._teacher_ear.logmel
        clips = store(table, theirs, 1, self.cache) if len(table) else Clips.none(theirs)
        frames = theirs.frames(theirs.samples(crop_seconds(self.settings.data.logmel, self.encoder.input_size[1])))
        return View(clips, frames, silence(theirs))


class PretrainLoader(lightning.LightningDataModule):
    """The batches of a pre-training: those of this process, from the step on that the checkpoint has done.

    Parameters
    ----------
    data : PretrainData
        What is heard.
    settings : PretrainSettings
        What the training is told.
    """

    def __init__(self, data: PretrainData, settings: PretrainSettings) -> None:
        super().__init__()
        self._data, self._settings = data, settings

    def train_dataloader(self) -> DataLoader[Batch | str]:
        """Return the loader; Lightning asks for it when the processes are connected and the checkpoint is read."""
        told, trainer = self._settings, self.trainer
        steps = Steps(
            self._data.epoch,
            epochs=told.epochs,
            batch_size=told.batch_size,
            accumulate=told.accumulate,
            seed=told.seed,
            rank=trainer.global_rank,
            processes=trainer.world_size,
            start=trainer.global_step * told.accumulate,
        )
        return loader(self._data.train, steps, told.workers)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Batch:
        """Return what the networks hear of a batch, which lies on their device."""
        return self._data.hearing(batch)
