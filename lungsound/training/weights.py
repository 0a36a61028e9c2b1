"""A network's weights on disk: ours as safetensors, published ones as pickles that are not trusted."""

import argparse
import hashlib
import pickle
import re
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import nn

from lungsound.errors import InputError
from lungsound.files.atomic import whole_file
from lungsound.files.seal import UNSEALED, is_sealed, sealed

_SEAL = "sha256"
_OBJECT = re.compile(r"GLOBAL ([\w.]+)")

UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    pickle.UnpicklingError,
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What torch's reader of untrusted pickles is known to raise on files that are cut, mutated or of another kind."""


def save_weights(module: nn.Module, path: Path) -> None:
    """Write parameters and buffers as safetensors; ``sha256`` in its metadata is that of the file (`files.seal`)."""
    state = {name: value.contiguous() for name, value in module.state_dict().items()}
    with whole_file(path) as temporary:
        temporary.write_bytes(sealed(save(state, {_SEAL: UNSEALED})))


def load_weights(module: nn.Module, path: Path, but: tuple[str, ...] = ()) -> None:
    """Read what :func:`save_weights` wrote into a module of the same shape.

    Parameters
    ----------
    module : nn.Module
        Gets the weights.
    path : Path
        The file.
    but : tuple of str
        What the names of those tensors begin with that are left as they are.

    Raises
    ------
    InputError
        If the file is missing, damaged, of another shape, or holds a value that is not finite.
    """
    if not path.is_file():
        raise InputError(f"{path}: missing; restore the file or train again")
    try:
        state = {name: value for name, value in _read_sealed(path).items() if not name.startswith(but)}
    except SafetensorError as error:
        raise InputError(f"{path}: not a safetensors file ({error}); restore it or train again") from error
    expected = {name: value for name, value in module.state_dict().items() if not name.startswith(but)}
    for name in sorted(expected.keys() | state.keys()):
        if name not in state or name not in expected or state[name].shape != expected[name].shape:
            raise InputError(f"{path}: {name} does not fit; use the run it was trained in")
        if not torch.isfinite(state[name]).all():
            raise InputError(f"{path}: {name} holds a value that is not finite; train again")
    module.load_state_dict(state, strict=False)  # what is missing was asked for


def _read_sealed(path: Path) -> dict[str, torch.Tensor]:
    """Read a file whose seal is whole; one of an earlier state has none."""
    with safe_open(path, "pt") as file:
        seal = (file.metadata() or {}).get(_SEAL)
    content = path.read_bytes()
    if seal is not None and not is_sealed(content, seal):
        raise InputError(f"{path}: damaged, its sha256 is another; restore it or train again")
    state: dict[str, torch.Tensor] = load(content)
    return state


def refuse_damaged_weights(path: Path) -> bool:
    """Hold what :func:`save_weights` wrote against its seal; return whether it has one.

    Raises
    ------
    InputError
        If the file is damaged or no safetensors file.
    """
    try:
        _read_sealed(path)
        with safe_open(path, "pt") as file:
            return _SEAL in (file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a safetensors file ({error}); restore it or train again") from error


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file of any size, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_records(path: Path) -> None:
    """Hold the records of a torch file against their CRC-32, which torch writes and does not read.

    Files of torch before 1.6 are no zip archives and have none.

    Raises
    ------
    ValueError
        If one is damaged, or is not as torch writes it.
    zipfile.BadZipFile, OSError, RuntimeError
        If the archive is damaged.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for record in archive.infolist():
            # Torch would inflate the first without limit, and read nothing, and say nothing, of the second.
            if record.compress_type != zipfile.ZIP_STORED or record.external_attr:
                raise ValueError(f"{record.filename[:40]} is packed or a folder")
        if broken := archive.testzip():
            raise ValueError(f"{broken[:40]} does not have its checksum")


def read_checkpoint(path: Path) -> Any:
    """Read a published ``.pth`` file; nothing in it is executed.

    Raises
    ------
    InputError
        If the file is missing, damaged, or holds more than tensors and plain values.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; name the published .pth file")
    try:
        check_records(path)
        # Full checkpoints carry the options of their training; a Namespace only holds attributes.
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's words to those who wrote the file
            return torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise InputError(
            f"{path}: damaged, or not a file of tensors alone ({_reason(path, error)}); download the checkpoint again"
        ) from error


def _reason(path: Path, error: Exception) -> str:
    """Return in a few words why torch does not read a file."""
    with path.open("rb") as file:
        begins = file.read(2)
    if not begins:
        return "it is empty"
    # is_zipfile raises BadZipFile of its own for some damage, which then is the error.
    if begins == b"PK" and not isinstance(error, zipfile.BadZipFile) and not zipfile.is_zipfile(path):
        return "its end is missing"
    if named := _OBJECT.search(str(error)):
        return f"it holds {named[1]}, which would run code"
    if isinstance(error, pickle.UnpicklingError | LookupError):
        return "it is no pickle of tensors"
    return str(error).strip().split("\n")[0][:120] or type(error).__name__
