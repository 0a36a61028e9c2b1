"""What a folder of shards says of itself: one file for the folder, one for each shard."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from lungsound.errors import InputError
from lungsound.files.record import Range, check_values, read_object, read_values, write_object

FOLDER_FILE = "shards.json"
"""Written last: a folder without it is not whole."""

FORMAT = 1

Encoding = Literal["npy", "flac"]

_Count = Annotated[int, Range(0, 2**40)]


@dataclass(frozen=True)
class ShardIndex:
    """What one tar file holds, so that a clip is read without reading those before it.

    Attributes
    ----------
    plan : str
        Hash of the recordings and the options that it was written from.
    clips : int
        How many there are.
    bytes : int
        Size of the tar file.
    digest : str
        SHA-256 of the tar file.
    offsets, sizes, crcs, samples : tuple of int
        Of every clip's sound: first byte in the tar file, bytes, CRC-32, and samples.
    recordings : tuple of str
        Of every clip: ``corpus/recording``.
    starts : tuple of float
        Of every clip, in seconds of its recording.
    labels : tuple of str
        Of every clip: a digit for each label of the folder, 1 where any event that it holds a part of has it.
    left_out : tuple of str
        Recordings that could not be read, a sentence each.
    """

    plan: str
    clips: _Count
    bytes: _Count
    digest: str
    offsets: tuple[_Count, ...]
    sizes: tuple[_Count, ...]
    crcs: tuple[_Count, ...]
    samples: tuple[_Count, ...]
    recordings: tuple[str, ...]
    starts: tuple[float, ...]
    labels: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_values(self)
        columns = (self.offsets, self.sizes, self.crcs, self.samples, self.recordings, self.starts, self.labels)
        if any(len(column) != self.clips for column in columns):
            raise InputError(f"does not describe {self.clips} clips")
        if any(offset + size > self.bytes for offset, size in zip(self.offsets, self.sizes, strict=True)):
            raise InputError(f"names clips behind its {self.bytes} bytes")

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a shard's index.

        Raises
        ------
        InputError
            If it is missing, was changed, or describes no shard.
        """
        try:
            return read_values(cls, read_object(file))
        except InputError as error:
            raise InputError(f"{file}: {error}; remove it and run auscult data shard again") from error

    def write(self, file: Path) -> None:
        """Write it, whole or not at all."""
        write_object(file, asdict(self))


@dataclass(frozen=True)
class FolderIndex:
    """What a whole folder of shards holds.

    Attributes
    ----------
    format : int
        Of the folder; `FORMAT`.
    sample_rate : int
        Hz.
    seconds : float
        Longest clip.
    encoding : {"npy", "flac"}
        Of the sound: int16 samples as NumPy's arrays, or FLAC.
    seed : int
        Of the order of the recordings.
    data : tuple of str
        Corpora, as ``name:root``.
    split : str
        Part of them.
    labels : tuple of str
        Names, in the order of the digits of `ShardIndex.labels`.
    synthetic : bool
        Whether figures from any of the corpora must be called synthetic.
    clips : tuple of int
        Of every shard.
    shortest : tuple of int
        Samples of every shard's shortest clip.
    digests : tuple of str
        SHA-256 of every shard's tar file.
    """

    format: int
    sample_rate: Annotated[int, Range(1, 768_000)]
    seconds: Annotated[float, Range(0.01, 86_400)]
    encoding: Encoding
    seed: int
    data: tuple[str, ...]
    split: str
    labels: tuple[str, ...]
    synthetic: bool
    clips: tuple[_Count, ...]
    shortest: tuple[_Count, ...]
    digests: tuple[str, ...]

    def __post_init__(self) -> None:
        check_values(self)
        if self.format != FORMAT:
            raise InputError(f"shards of format {self.format}, this version reads {FORMAT}")
        if not len(self.clips) == len(self.shortest) == len(self.digests):
            raise InputError("does not say of every shard how many clips it has, the shortest and the checksum")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the index of a folder.

        Raises
        ------
        InputError
            If the folder holds no finished shards, or its index was changed.
        """
        file = folder / FOLDER_FILE
        if not file.is_file():
            raise InputError(f"{folder}: no finished shards ({FOLDER_FILE} is missing); run auscult data shard")
        try:
            return read_values(cls, read_object(file))
        except InputError as error:
            raise InputError(f"{file}: {error}; run auscult data shard again") from error

    def write(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        write_object(folder / FOLDER_FILE, asdict(self))


def tar_file(folder: Path, shard: int) -> Path:
    """Return where a shard lies."""
    return folder / f"shard-{shard:06d}.tar"


def index_file(folder: Path, shard: int) -> Path:
    """Return where a shard's index lies."""
    return tar_file(folder, shard).with_suffix(".json")
