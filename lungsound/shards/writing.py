"""Recordings cut to clips and written as tar files in WebDataset's layout, a shard at a time."""

import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
from numpy.typing import NDArray

from lungsound.audio import read_pcm
from lungsound.corpora.selection import Selection
from lungsound.corpora.splits import ALL
from lungsound.errors import InputError
from lungsound.features import identity
from lungsound.files.atomic import whole_file
from lungsound.files.lock import LOCK_FILE, held
from lungsound.files.record import check_values
from lungsound.parallel import in_parallel
from lungsound.shards.index import FORMAT, Encoding, FolderIndex, ShardIndex, index_file, tar_file
from lungsound.terminal import progress

_WORTH_A_POOL = 4  # shards


@dataclass(frozen=True)
class ShardOptions:
    """How recordings become clips and shards.

    Attributes
    ----------
    sample_rate : int
        Hz.
    seconds : float
        Longest clip; a longer recording is cut into pieces that follow each other.
    least_seconds : float
        A last piece that is shorter is left out, unless it is the whole recording.
    encoding : {"npy", "flac"}
        See :class:`lungsound.shards.index.FolderIndex`.
    shard_seconds : float
        Sound of a shard: it ends with the recording that reaches it.
    seed : int
        Of the order of the recordings.
    leave_out_damaged : bool
        Leave recordings out that cannot be read, instead of refusing.
    """

    sample_rate: int = 16_000
    seconds: float = 10.0
    least_seconds: float = 1.0
    encoding: Encoding = "npy"
    shard_seconds: float = 5_000.0
    seed: int = 0
    leave_out_damaged: bool = False

    def __post_init__(self) -> None:
        check_values(self)


@dataclass(frozen=True)
class _Recording:
    """A recording of a shard: its file, and start, end and digits of its events."""

    name: str
    path: str
    size: int
    changed: int
    events: tuple[tuple[float, float, str], ...]
    labels: int


def write_shards(
    selection: Selection, split: str, data: tuple[str, ...], folder: Path, options: ShardOptions
) -> tuple[FolderIndex, list[str]]:
    """Write the recordings of one part of some corpora as shards; shards that are there already stay.

    The members of a tar file are ``KEY.npy`` or ``KEY.flac`` (the sound) and ``KEY.json`` (recording, start and
    labels), as WebDataset reads them. The order of the recordings is drawn from the seed, the clips of one follow each
    other. A shard stands in the folder whole or not at all, so that what was interrupted goes on where it ended.

    Parameters
    ----------
    selection : Selection
        The corpora.
    split : str
        A part of them, or ``all``.
    data : tuple of str
        How they were named, for the record.
    folder : Path
        Where to write.
    options : ShardOptions
        How.

    Returns
    -------
    FolderIndex
        As written.
    list of str
        Recordings that were left out, a sentence each.

    Raises
    ------
    InputError
        If the part is empty, the folder holds shards of something else, or a recording cannot be read.
    """
    labels = _shared_labels(selection)
    shards = list(_shards(selection, split, labels, options))
    with held(folder / LOCK_FILE, wait=False):
        if tar_file(folder, len(shards)).exists():
            raise InputError(f"{folder}: holds more shards than these recordings fill; name another folder")
        write = partial(_write_shard, folder=folder, options=options)
        written = in_parallel(write, list(enumerate(shards)), worth_a_pool=_WORTH_A_POOL, at_once=1)
        done = list(progress(written, "writing shards", total=len(shards)))
        index = FolderIndex(
            format=FORMAT,
            sample_rate=options.sample_rate,
            seconds=options.seconds,
            encoding=options.encoding,
            seed=options.seed,
            data=data,
            split=split,
            labels=labels,
            synthetic=selection.synthetic,
            clips=tuple(shard.clips for shard in done),
            shortest=tuple(min(shard.samples, default=0) for shard in done),
            digests=tuple(shard.digest for shard in done),
        )
        index.write(folder)
    return index, [sentence for shard in done for sentence in shard.left_out]


def _shared_labels(selection: Selection) -> tuple[str, ...]:
    """Return the labels that all of the corpora have."""
    first, *others = selection.corpora
    return tuple(label for label in first.labels if all(label in other.labels for other in others))


def _shards(
    selection: Selection, split: str, labels: tuple[str, ...], options: ShardOptions
) -> Iterator[tuple[_Recording, ...]]:
    """Yield the recordings of every shard."""
    recordings: list[pd.DataFrame] = []
    events: dict[str, list[tuple[float, float, str]]] = {}
    for corpus, parts in zip(selection.corpora, selection.splits, strict=True):
        chosen = parts.part(corpus, split)
        recordings.append(chosen.recordings.assign(name=f"{chosen.name}/" + chosen.recordings["recording"]))
        digits = chosen.events[list(labels)].to_numpy(dtype=int).tolist()
        where = (chosen.events[key] for key in ("path", "start", "end"))
        for path, start, end, row in zip(*where, digits, strict=True):
            events.setdefault(path, []).append((start, end, "".join(map(str, row))))
    table = pd.concat(recordings, ignore_index=True)
    if table.empty:
        raise InputError(f"no recordings in part {split!r}; name another part, or {ALL!r}")
    gathered: list[_Recording] = []
    seconds = 0.0
    for _, row in table.iloc[np.random.default_rng(options.seed).permutation(len(table))].iterrows():
        gathered.append(
            _Recording(row["name"], *identity(row["path"]), tuple(events.get(row["path"], ())), len(labels))
        )
        seconds += float(row["seconds"])
        if seconds >= options.shard_seconds:
            yield tuple(gathered)
            gathered, seconds = [], 0.0
    if gathered:
        yield tuple(gathered)


def _write_shard(numbered: tuple[int, tuple[_Recording, ...]], folder: Path, options: ShardOptions) -> ShardIndex:
    """Write one shard and its index, unless they are there."""
    shard, recordings = numbered
    plan = hashlib.sha256(json.dumps([FORMAT, asdict(options), [asdict(r) for r in recordings]]).encode()).hexdigest()
    file, beside = tar_file(folder, shard), index_file(folder, shard)
    if (there := _whole_shard(file, beside, plan)) is not None:
        return there
    left_out: list[str] = []
    with whole_file(file) as temporary:
        clips = _write_tar(temporary, shard, recordings, options, left_out)
        index = _indexed(temporary, plan, clips, options.encoding, left_out)
    index.write(beside)
    return index


def _whole_shard(file: Path, beside: Path, plan: str) -> ShardIndex | None:
    """Return the index of a shard that was written before; None where it was not finished."""
    if not (beside.is_file() and file.is_file()):
        return None
    there = ShardIndex.read(beside)
    if there.plan != plan:
        raise InputError(f"{beside}: of other recordings or options; name another folder, or remove this one")
    return there if there.bytes == file.stat().st_size else None


def _write_tar(
    file: Path, shard: int, recordings: tuple[_Recording, ...], options: ShardOptions, left_out: list[str]
) -> list[dict[str, Any]]:
    """Write the clips and return what is known of each; add the recordings that cannot be read to `left_out`."""
    import webdataset

    told: list[dict[str, Any]] = []
    with file.open("wb") as handle, webdataset.TarWriter(handle, mtime=0.0, user="", group="") as tar:
        for recording in recordings:
            try:
                pcm = read_pcm(recording.path, options.sample_rate)
            except InputError as error:
                if not options.leave_out_damaged:
                    raise
                left_out.append(str(error))
                continue
            for start, clip in _clips(pcm, options):
                labels = _labels(recording, start, start + len(clip) / options.sample_rate)
                told.append({"recording": recording.name, "start": start, "labels": labels})
                sound, text = _encoded(clip, options), json.dumps(told[-1]).encode()
                told[-1] |= {"samples": len(clip)}
                tar.write({"__key__": f"{shard:06d}-{len(told) - 1:06d}", options.encoding: sound, "json": text})
    return told


def _clips(pcm: NDArray[np.int16], options: ShardOptions) -> Iterator[tuple[float, NDArray[np.int16]]]:
    """Yield the pieces of a recording, and where each begins in seconds."""
    length, least = (round(seconds * options.sample_rate) for seconds in (options.seconds, options.least_seconds))
    for first in range(0, len(pcm), length):
        clip = pcm[first : first + length]
        if first == 0 or len(clip) >= least:
            yield first / options.sample_rate, clip


def _labels(recording: _Recording, start: float, end: float) -> str:
    """Return a digit for each label: 1 where an event that lies partly in the clip has it."""
    inside = [digits for begins, ends, digits in recording.events if begins < end and ends > start]
    return "".join(max(column) for column in zip(*inside, strict=True)) if inside else "0" * recording.labels


def _encoded(clip: NDArray[np.int16], options: ShardOptions) -> bytes:
    stream = io.BytesIO()
    if options.encoding == "npy":
        np.save(stream, clip, allow_pickle=False)
    else:
        soundfile.write(stream, clip, options.sample_rate, format="FLAC", subtype="PCM_16")
    return stream.getvalue()


def _indexed(file: Path, plan: str, clips: list[dict[str, Any]], encoding: str, left_out: list[str]) -> ShardIndex:
    """Return the index of a tar file, read from itself."""
    with tarfile.open(file) as tar, file.open("rb") as handle:
        members = [member for member in tar if member.name.endswith(f".{encoding}")]
        sums = []
        for member in members:
            handle.seek(member.offset_data)
            sums.append(zlib.crc32(handle.read(member.size)))
        handle.seek(0)
        whole = hashlib.file_digest(handle, "sha256").hexdigest()
    return ShardIndex(
        plan=plan,
        clips=len(clips),
        bytes=file.stat().st_size,
        digest=whole,
        offsets=tuple(member.offset_data for member in members),
        sizes=tuple(member.size for member in members),
        crcs=tuple(sums),
        samples=tuple(clip["samples"] for clip in clips),
        recordings=tuple(clip["recording"] for clip in clips),
        starts=tuple(clip["start"] for clip in clips),
        labels=tuple(clip["labels"] for clip in clips),
        left_out=tuple(left_out),
    )
