"""The losses of a pre-trained network on the recordings that were held out."""

from pathlib import Path

import torch

from teachers.m2d.duo import Duo
from teachers.pretraining.module import FIGURES, PretrainModule
from teachers.pretraining.offline import OfflineTeacher
from teachers.pretraining.settings import PretrainSettings
from teachers.pretraining.sound.data import PretrainData

_BATCH = 32


@torch.inference_mode()
def held_out_figures(
    duo: Duo, settings: PretrainSettings, data: PretrainData, teacher: OfflineTeacher | None
) -> dict[str, float | None]:
    """Return the mean figures of one crop of every clip held out, masked as in training; nothing is chosen by them.

    Returns
    -------
    dict
        Those of :data:`teachers.pretraining.module.FIGURES` that the training has, and ``n``, the clips; empty where
        no clip was held out.
    """
    crops = data.validation
    if crops is None:
        return {}
    module = PretrainModule(duo, settings, 1, Path(), teacher)
    places = [(0, clip, clip) for clip in range(len(crops.view.clips))]
    total = torch.zeros(len(FIGURES), dtype=torch.float64)
    for first in range(0, len(places), _BATCH):
        some = places[first : first + _BATCH]
        total += len(some) * module.figures_of(data.hearing(crops[some]))[1].double()
    means = dict(zip(FIGURES, (total / len(places)).tolist(), strict=True))
    return {"n": float(len(places))} | means
