"""What a torch network computes of one window, as torch.export records it."""

import contextlib
import copy
import functools
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from lungsound.errors import InputError, first_line

_KEPT_WHOLE = (torch.ops.aten.hardswish.default, torch.ops.aten.hardsigmoid.default)
"""Operators that stay one although torch would take them apart."""


def recorded(network: nn.Module, *shape: int) -> ExportedProgram:
    """Record what a network in evaluation mode runs on one window.

    Parameters
    ----------
    network : Module
        Maps [1, ...] of that shape to [1, labels]; it stays as it is.
    shape : int
        Size of the window: channels, frames and mels, or samples.

    Raises
    ------
    InputError
        If the network raises, does not give one tensor of logits, or depends on values in its control flow or shapes.
    """
    network = copy.deepcopy(network).float().eval()
    logits_of(network, *shape)
    with torch.no_grad(), _followed():
        return torch.export.export(network, (torch.zeros(1, *shape),))


def core(program: ExportedProgram) -> ExportedProgram:
    """Take a recorded program apart into core operators.

    Raises
    ------
    InputError
        If the network changes its own buffers while it runs.
    """
    with torch.no_grad(), _followed():
        program = program.run_decompositions(_decompositions())
    changed = set(program.graph_signature.buffers_to_mutate.values())
    if changed:
        raise InputError(f"the network changes its buffer {min(changed)} while it runs; make it a constant")
    return program


@contextlib.contextmanager
def _followed() -> Iterator[None]:
    """Tell in a sentence what torch.export cannot follow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Exception as error:  # torch.export raises whatever a network's forward makes it trip over
            raise InputError(
                "torch.export cannot follow the network: "
                f"{_reason(error)}; let its control flow and shapes depend on no values"
            ) from error


@functools.cache
def _decompositions() -> Any:
    """Return what torch takes operators apart with; making the table takes a third of a second."""
    table = torch.export.default_decompositions()
    for operator in _KEPT_WHOLE:
        table.pop(operator)  # type: ignore[no-untyped-call]
    return table.materialize()


def logits_of(network: nn.Module, *shape: int) -> int:
    """Run a network in evaluation mode on one window and return the number of its logits.

    What torch.export would say of a network that does not map a window to logits is hard to read.

    Raises
    ------
    InputError
        If the network raises, or gives anything but one tensor of logits.
    """
    window = torch.zeros(1, *shape)
    size = list(window.shape)
    try:
        with torch.no_grad():
            logits = network(window)
    except InputError:
        raise
    except Exception as error:  # it is somebody else's code
        raise InputError(
            f"the network raises {type(error).__name__} on a window {size}: {_reason(error)}; "
            "it must take one normalised log-mel [1, 1, frames, mels]"
        ) from error
    if not isinstance(logits, torch.Tensor):
        raise InputError(f"the network gives a {type(logits).__name__}; it must give one tensor of logits [1, labels]")
    if logits.ndim != 2 or len(logits) != 1 or not logits.numel():
        raise InputError(f"the network gives {list(logits.shape)} for a window {size}; it must give logits [1, labels]")
    return int(logits.shape[1])


def _reason(error: Exception) -> str:
    return first_line(error)[:200] or type(error).__name__
