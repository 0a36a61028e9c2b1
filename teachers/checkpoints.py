"""Published M2D checkpoints: full, encoder alone, saved runtime, fine-tuned."""

from pathlib import Path

import torch
from torch import Tensor

from lungsound.errors import InputError
from lungsound.training.weights import read_checkpoint
from teachers.m2d import M2DEncoder
from teachers.m2d_names import M2DName

PREFIXES = ("module.ar.runtime.backbone.", "backbone.")
"""What EVAR's fine-tuning and a saved runtime put before the encoder's names."""


def load_m2d(path: Path) -> M2DEncoder:
    """Load the encoder of a published M2D checkpoint.

    Parameters
    ----------
    path : Path
        A ``.pth`` file in its published folder, whose name tells size, patch and sample rate; the file's own
        stem is read where the folder's name says nothing. Nothing in the file is executed.

    Returns
    -------
    M2DEncoder
        On the CPU. Tensors of the file that the encoder does not have (predictor, target network, heads) are
        left out; where the file has no ``norm_stats``, those of AudioSet stay.

    Raises
    ------
    InputError
        If the file is missing, damaged or no checkpoint, its name cannot be parsed, or a tensor is missing, of
        another shape than the name says, or not finite.
    """
    encoder = M2DEncoder(_name_of(path).config)
    expected = encoder.state_dict()
    state = {name: value for name, value in _encoder_state(path).items() if name in expected}
    state = {"norm_stats": encoder.norm_stats} | state
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
    encoder.load_state_dict(state)
    return encoder


def _name_of(path: Path) -> M2DName:
    try:
        return M2DName.parse(path.absolute().parent.name)
    except InputError:
        pass
    try:
        return M2DName.parse(path.stem)
    except InputError as error:
        raise InputError(f"{path}: {error}, and neither is its folder; keep the published folder name") from error


def _encoder_state(path: Path) -> dict[str, Tensor]:
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
