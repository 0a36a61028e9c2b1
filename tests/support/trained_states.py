"""Weights of pre-trainings that went different ways, side by side."""

import multiprocessing

import torch

from lungsound.training.checkpoints import read_training_checkpoint

FORK = multiprocessing.get_context("fork")


def state_of(folder):
    state = read_training_checkpoint(folder / "checkpoints" / "last.ckpt")["state_dict"]
    return {name: value for name, value in state.items() if name.startswith("duo.")}


def same(got, wanted, **tolerance):
    assert got.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(got[name], value, **tolerance, msg=lambda text, name=name: f"{name}: {text}")


def in_a_child(work):
    """Run in a process of its own that has imported all already; return how it ended."""
    child = FORK.Process(target=work)
    child.start()
    return child
