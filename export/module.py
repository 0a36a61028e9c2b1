"""A network that somebody else wrote: made by their Python file, with weights from a file of tensors."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from lungsound import cpu_wheels as cpu_wheels  # before a file that imports torchvision or torchaudio
from lungsound.errors import InputError, first_line
from lungsound.training.weights import read_checkpoint

_MOST_NAMED = 3


def load_module(place: str, weights: Path | None = None) -> nn.Module:
    """Run a Python file, call what it names, and load weights into the network that comes of it.

    Parameters
    ----------
    place : str
        ``FILE.py:make_model``: a file, which is executed, and a function or class in it, called without arguments.
    weights : Path, optional
        Safetensors, or a ``.pth`` file of tensors alone (a state, or a dictionary with one under ``model`` or
        ``state_dict``), nothing of which is executed. Without it the network keeps the weights it was made with.

    Returns
    -------
    Module
        In float32, in evaluation mode.

    Raises
    ------
    InputError
        If the file is missing or raises, what it names does not make a torch network, or the weights do not fit.
    """
    file, _, name = place.rpartition(":")
    if not file or not name.isidentifier():
        raise InputError(f"--module {place!r}: write FILE.py:NAME, a Python file and what makes the network in it")
    made = _made(Path(file), name)
    if not isinstance(made, nn.Module):
        raise InputError(f"{place}: gives a {type(made).__name__}; it must return a torch.nn.Module")
    made = made.float().eval()
    if weights is not None:
        _load(made, weights)
    return made


def _made(file: Path, name: str) -> Any:
    if not file.is_file():
        raise InputError(f"{file}: no such file; name the Python file that makes the network")
    found = getattr(_executed(file), name, None)
    if not callable(found):
        raise InputError(f"{file}: has no function or class {name!r}; name what makes the network")
    try:
        return found()
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # it is somebody else's code
        raise InputError(
            f"{file}: {name}() raises {_said(error)}; it must make the network without arguments"
        ) from error


def _executed(file: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"_network_of_{file.stem}", file.resolve())
    if specification is None or specification.loader is None:
        raise InputError(f"{file}: is no Python file; name one that ends in .py")
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look their module up
    folder = str(file.resolve().parent)
    sys.path.insert(0, folder)  # what stands beside the file can be imported by it, as if it were run
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # it is somebody else's code
        del sys.modules[specification.name]
        raise InputError(f"{file}: raises {_said(error)} when it is run; mend it") from error
    finally:
        sys.path.remove(folder)
    return module


def _load(network: nn.Module, weights: Path) -> None:
    state, expected = _state(weights), network.state_dict()
    for what, names in (("lacks", expected.keys() - state.keys()), ("has unknown", state.keys() - expected.keys())):
        if names:
            listed = ", ".join(sorted(names)[:_MOST_NAMED]) + (" and more" if len(names) > _MOST_NAMED else "")
            raise InputError(f"{weights}: {what} {listed}; give the weights of this very network")
    for name, value in sorted(state.items()):
        if value.shape != expected[name].shape:
            found = f"{list(value.shape)} where the network has {list(expected[name].shape)}"
            raise InputError(f"{weights}: {name} is {found}; give the weights of this very network")
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise InputError(f"{weights}: {name} holds a value that is not finite; train the network again")
    network.load_state_dict(state)


def _state(weights: Path) -> dict[str, Tensor]:
    if not weights.is_file():
        raise InputError(f"{weights}: no such file; name the network's weights")
    if weights.suffix == ".safetensors":
        try:
            state: Any = load_file(weights)
        except (SafetensorError, OSError) as error:
            raise InputError(f"{weights}: not a safetensors file ({first_line(error)}); save it again") from error
    else:
        state = read_checkpoint(weights)
        for key in ("state_dict", "model"):
            state = state[key] if isinstance(state, dict) and isinstance(state.get(key), dict) else state
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise InputError(f"{weights}: holds no state of tensors by name; save `model.state_dict()`")
    return state


def _said(error: BaseException) -> str:
    return f"{type(error).__name__} ({first_line(error)})" if str(error) else type(error).__name__
