"""A training in several processes: which one this is, what each may do, and the folder that they share."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lungsound.errors import InputError
from lungsound.training.runs import new_run_folder

_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
_TORCHRUN = "TORCHELASTIC_RUN_ID"
_FOLDER = "AUSCULT_RUN_FOLDER"
"""Where processes that Lightning starts find the folder of the one that began."""


def rank() -> int:
    """Return which of the processes this is; 0 where it is alone."""
    return next((int(os.environ[name]) for name in _RANKS if name in os.environ), 0)


def refuse_unless_started(processes: int) -> None:
    """Refuse a training of another number of processes than torchrun has started.

    Raises
    ------
    InputError
        Naming both.
    """
    started = int(os.environ.get("WORLD_SIZE", processes))
    if _TORCHRUN in os.environ and started != processes:
        raise InputError(f"torchrun started {started} processes, --devices times --nodes are {processes}; give as many")


@contextmanager
def shared_run_folder(folder: Path, name: str) -> Iterator[Path]:
    """Make a new run folder (:func:`lungsound.training.runs.new_run_folder`) that all processes of a training know.

    The first process makes it. Those that torchrun started beside it are told; those that Lightning starts later
    find it in their environment.
    """
    given = os.environ.get(_FOLDER)
    if given is not None:
        yield Path(given)
        return
    with ExitStack() as stack:
        place = [""]
        if rank() == 0:
            place = [str(stack.enter_context(new_run_folder(folder, name)))]
        if _TORCHRUN in os.environ:
            _tell_all(place)
        os.environ[_FOLDER] = place[0]
        stack.callback(os.environ.pop, _FOLDER, None)
        yield Path(place[0])


def _tell_all(place: list[str]) -> None:
    import torch

    if not torch.distributed.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        torch.distributed.init_process_group(backend)
    torch.distributed.broadcast_object_list(place)
