"""From settings to the clips that a pre-training hears."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from lungsound import cpu_wheels as cpu_wheels  # isort: skip  # before lightning, which imports torchvision

import lightning
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from lungsound.corpora.registry import open_corpus, parse_data
from lungsound.corpora.selection import Selection
from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.terminal import err
from teachers.m2d.config import M2DConfig
from teachers.pretraining.batches import Batch, Crops, Events, Noise, Steps, crop_statistics, loader
from teachers.pretraining.clips import Clips, clips_of, silence, store
from teachers.pretraining.mixture import epoch_of
from teachers.pretraining.offline import OfflineTeacher
from teachers.pretraining.settings import PretrainSettings, crop_seconds


@dataclass(frozen=True)
class PretrainData:
    """What a pre-training hears.

    Attributes
    ----------
    listening : Listening
        The crop, with the statistics that normalise it.
    selection : Selection
        The corpora and their split.
    train, validation : Crops
        Of the training part, and of the validation part, where one is drawn.
    entries : ndarray of int64
        The training clips of an epoch.
    notes : tuple of str
        See :class:`lungsound.training.runs.Run`.
    """

    listening: Listening
    selection: Selection
    train: Crops
    validation: Crops | None
    entries: NDArray[np.int64]
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
        selection = told.data.select()
        for warning in selection.warnings:
            err.print(f"note: {warning}", style="yellow", markup=False)
        table = self._table(selection, "train")
        sizes = [int((table["source"] == source).sum()) for source in range(len(told.data.data))]
        if 0 in sizes:
            raise InputError(f"{told.data.data[sizes.index(0)]}: no clips in its training part; leave it out")
        entries = epoch_of(sizes, repeat=told.repeat, share=told.share, least=told.min_clips)
        if len(entries) < told.batch_size:
            raise InputError(
                f"{len(entries)} clips in an epoch are less than a step of {told.batch_size}; give a smaller "
                "--batch-size, or --min-clips"
            )
        train = self._crops(selection, table, self.given)
        validation = self._table(selection, "validation")
        held_out = self._crops(selection, validation, train.statistics) if len(validation) else None
        measured = replace(listening, logmel=listening.logmel.with_statistics(*train.statistics))
        notes = (f"{len(table)} clips trained, {len(entries)} in an epoch; {len(validation)} were held out",)
        return PretrainData(measured, selection, train, held_out, entries, notes)

    def _table(self, selection: Selection, part: str) -> pd.DataFrame:
        tables = [
            clips_of(split.part(corpus, part), source, events=self.settings.clips == "events")
            for source, (corpus, split) in enumerate(zip(selection.corpora, selection.splits, strict=True))
        ]
        return pd.concat(tables, ignore_index=True)

    def _crops(self, selection: Selection, table: pd.DataFrame, statistics: tuple[float, float] | None) -> Crops:
        told, logmel = self.settings, self.settings.data.listening().logmel
        width, least = self.encoder.input_size[1], self.encoder.patch_size[1]
        clips = store(table, logmel, least, self.cache)
        fill = silence(logmel) if told.padding == "silence" else 0.0
        statistics = statistics or crop_statistics(clips, width, fill, told.seed)
        return Crops(
            clips,
            width,
            self.encoder.grid[0] * self.encoder.grid[1],
            fill,
            statistics,
            told.seed,
            self._noise,
            self._events(selection, table) if told.offline == "labels" else None,
            self._teacher_clips(table, width),
            self.teacher is not None,
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
        mean, _ = crop_statistics(clips, width, silence(logmel), told.seed)
        return Noise(clips, mean, told.noise_share, told.routing == "paper")

    def _events(self, selection: Selection, table: pd.DataFrame) -> Events:
        labels = self.settings.data.labels
        for corpus in selection.corpora:
            corpus.refuse_unless_annotated(labels)
        events = [corpus.events.assign(source=source) for source, corpus in enumerate(selection.corpora)]
        columns = ["source", "recording", "start", "end", *labels]
        return Events.of(table, pd.concat([part[columns] for part in events], ignore_index=True), labels)

    def _teacher_clips(self, table: pd.DataFrame, width: int) -> tuple[Clips, int] | None:
        """Return the clips on the teacher's own log-mel, where that is another one than M2D's."""
        told, mine = self.settings, self.settings.data.listening().logmel
        if self.teacher is None or self.teacher.logmel.with_statistics(0, 1) == mine:
            return None
        theirs = self.teacher.logmel
        if self._noise is not None and not self._noise.online:
            raise InputError(
                "--routing code: noise is mixed on M2D's log-mel, and the offline teacher hears another one; "
                "give --routing paper"
            )
        clips = store(table, theirs, 1, self.cache)
        frames = theirs.frames(theirs.samples(crop_seconds(told.data.logmel, width)))
        return replace(clips, logmel=theirs), frames


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

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the loader; Lightning asks for it when the processes are connected and the checkpoint is read."""
        told, trainer = self._settings, self.trainer
        steps = Steps(
            self._data.entries,
            epochs=told.epochs,
            batch_size=told.batch_size,
            accumulate=told.accumulate,
            seed=told.seed,
            rank=trainer.global_rank,
            processes=trainer.world_size,
            start=trainer.global_step * told.accumulate,
        )
        return loader(self._data.train, steps, told.workers)
