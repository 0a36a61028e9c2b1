"""A bundle: the folder that holds a student's models and everything needed to run them."""

import errno
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Self

from export.bundle.golden import Golden
from export.bundle.manifest import GOLDEN_FILE, MANIFEST_FILE, TFLITE_FILE, FileFacts, Manifest
from export.bundle.runtimes import RUNTIMES, Runtime, load_runtime
from lungsound.errors import InputError

_LARGEST_MANIFEST = 2**20


class Int8Format(StrEnum):
    """What an int8 model is written as."""

    TFLITE = "tflite"
    ONNX = "onnx"


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files were read once and held against their hashes.

    Attributes
    ----------
    path : Path
        The folder.
    manifest : Manifest
        What it says of itself.
    contents : dict of str to bytes
        By file name; what was verified is what runs.
    """

    path: Path
    manifest: Manifest
    contents: dict[str, bytes]

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a bundle and verify the size and sha256 of every file.

        Raises
        ------
        InputError
            If it is no bundle, a file is missing, or any byte of any file was changed.
        """
        manifest = _read_manifest(path)
        contents = {name: _read_verified(path / name, facts) for name, facts in manifest.files.items()}
        return cls(path, manifest, contents)

    @property
    def runtimes(self) -> tuple[str, ...]:
        """Names of the runtimes whose model the bundle holds."""
        return tuple(name for name, kind in RUNTIMES.items() if kind.file in self.contents)

    @cached_property
    def golden(self) -> Golden:
        """The golden vectors."""
        try:
            return Golden.from_bytes(self.contents[GOLDEN_FILE], self.manifest)
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from error

    def load(self, runtime: str, threads: int = 1) -> Runtime:
        """Load one of the bundle's models into a runtime of `RUNTIMES`.

        Raises
        ------
        InputError
            If the bundle lacks the model, or the runtime is missing or refuses it.
        """
        file = RUNTIMES[runtime].file
        if file not in self.contents:
            kind = Int8Format.TFLITE if file == TFLITE_FILE else Int8Format.ONNX
            raise InputError(f"{self.path}: holds no {file}; export the run again with --int8 {kind}")
        try:
            return load_runtime(runtime, self.contents[file], self.manifest, threads)
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from error


def _read_manifest(path: Path) -> Manifest:
    file = path / MANIFEST_FILE
    if not file.is_file():
        raise InputError(f"{path}: no bundle here ({MANIFEST_FILE} is missing); name a folder that `export` wrote")
    if file.stat().st_size > _LARGEST_MANIFEST:
        raise InputError(f"{file}: larger than any manifest; restore the file or export the run again")
    try:
        return Manifest.from_json(_read(file).decode())
    except (InputError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: {error}; restore the file or export the run again") from error


def _read_verified(file: Path, facts: FileFacts) -> bytes:
    if not file.is_file():
        raise InputError(f"{file}: missing; restore the file or export the run again")
    size = file.stat().st_size
    if size != facts.size:
        raise InputError(f"{file}: {size} bytes where the manifest has {facts.size}; restore it or export again")
    content = _read(file)
    if FileFacts.of(content) != facts:
        raise InputError(f"{file}: does not have the sha256 of the manifest; restore it or export the run again")
    return content


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: not readable ({errno.errorcode.get(error.errno or 0, error)})") from error
