"""A network's weights on disk, as safetensors."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from lungsound.atomic import whole_file
from lungsound.errors import InputError


def save_weights(module: nn.Module, path: Path) -> None:
    """Write parameters and buffers."""
    with whole_file(path) as temporary:
        save_file({name: value.contiguous() for name, value in module.state_dict().items()}, temporary)


def load_weights(module: nn.Module, path: Path) -> None:
    """Read what :func:`save_weights` wrote into a module of the same shape.

    Raises
    ------
    InputError
        If the file is missing, damaged, of another shape, or holds a value that is not finite.
    """
    if not path.is_file():
        raise InputError(f"{path}: missing; restore the file or train again")
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: not a safetensors file ({error}); restore it or train again") from error
    expected = module.state_dict()
    for name in sorted(expected.keys() | state.keys()):
        if name not in state or name not in expected or state[name].shape != expected[name].shape:
            raise InputError(f"{path}: {name} does not fit; use the run it was trained in")
        if not torch.isfinite(state[name]).all():
            raise InputError(f"{path}: {name} holds a value that is not finite; train again")
    module.load_state_dict(state)
