"""Weights under the names of M2D's releases, drawn, of the published depth and few features."""

import torch

from teachers.m2d import config, names
from teachers.m2d.encoder import M2DEncoder

NARROW = (8, 12, 1)
"""Width, blocks and heads in the place of M2D-base's."""


def make_base_narrow(monkeypatch):
    """Let `base` in the name of a release mean a narrow encoder."""
    monkeypatch.setitem(config.SIZES, "base", NARROW)


def published_m2d(folder, name):
    """Write the encoder of a release, as small as :func:`make_base_narrow` has made it; return the file."""
    torch.manual_seed(0)
    path = folder / name / "checkpoint-300.pth"
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": M2DEncoder(names.M2DName.parse(name).config).state_dict()}, path)
    return path
