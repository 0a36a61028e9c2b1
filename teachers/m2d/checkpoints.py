"""Published M2D checkpoints: full, encoder alone, saved runtime, fine-tuned."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from lungsound.errors import InputError
from lungsound.training.weights import read_checkpoint
from teachers.m2d.config import M2DConfig
from teachers.m2d.names import M2DName

PREFIXES = ("module.ar.runtime.backbone.", "backbone.")
"""What EVAR's fine-tuning and a saved runtime put before the encoder's names."""


def config_of(path: Path) -> M2DConfig:
    """Return the encoder's configuration that the name of a published checkpoint tells.

    Parameters
    ----------
    path : Path
        A ``.pth`` file in its published folder, whose name tells size, patch and sample rate; the file's own
        stem is read where the folder's name says nothing.

    Raises
    ------
    InputError
        If neither name can be parsed.
    """
    try:
        return M2DName.parse(published_name(path)).config
    except InputError as error:
        raise InputError(f"{path}: {error}, and neither is its folder; keep the published folder name") from error


def published_name(path: Path) -> str:
    """Return the name of a checkpoint's folder, or the file's own stem where the folder's name says nothing."""
    folder = path.absolute().parent.name
    try:
        M2DName.parse(folder)
    except InputError:
        return path.stem
    return folder


def encoder_state(path: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read the encoder's tensors of a published checkpoint; nothing in the file is executed.

    Parameters
    ----------
    path : Path
        The file.
    expected : mapping of str to Tensor
        State of a new encoder. Tensors of the file that it does not have (predictor, target network, heads) are
        left out; where the file has no ``norm_stats``, these stay.

    Raises
    ------
    InputError
        If the file is missing, damaged or no checkpoint, or a tensor is missing, of another shape than
        `expected`, or not finite.
    """
    return checked_state(path, encoder_tensors(path), expected)


def checked_state(path: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return those of the tensors found in a file that a network has, held against its own.

    Parameters and errors are those of :func:`encoder_state`.
    """
    state = {"norm_stats": expected["norm_stats"]} | {name: found[name] for name in expected if name in found}
    for name, wanted in expected.items():
        if name not in state:
            raise InputError(f"{path}: {name} is missing; this is no M2D encoder, name another file")
        value = state[name]
        if value.shape != wanted.shape or not value.is_floating_point() or value.layout != torch.strided:
            raise InputError(
                f"{path}: {name} is {value.dtype} {list(value.shape)}, but the name of the checkpoint asks for "
                f"{list(wanted.shape)}; keep the published folder name"
            )
        if not torch.isfinite(value).all():
            raise InputError(f"{path}: {name} holds a value that is not finite; download the file again")
    if not state["norm_stats"][1] > 0:
        raise InputError(f"{path}: norm_stats holds a standard deviation of {state['norm_stats'][1]:g}; it must be > 0")
    return state


def encoder_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a published checkpoint by the names that they have in the network, unchecked."""
    content = read_checkpoint(path)
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        content = content["model"]
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__} instead of weights; name an M2D checkpoint")
    state = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    for prefix in PREFIXES:
        stripped = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        if stripped:
            return stripped
    return state
