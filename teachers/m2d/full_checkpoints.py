"""Full M2D checkpoints, which pre-training goes on from: encoder, predictor and target network as published."""

import re
from pathlib import Path

import torch

from lungsound.errors import InputError
from lungsound.files.atomic import whole_file
from teachers.m2d.checkpoints import checked_state, config_of, encoder_tensors
from teachers.m2d.config import LOGMELS, M2DConfig
from teachers.m2d.duo import Averaged, Duo, DuoConfig, Variant

HEAD_WIDTH = 32
"""Of the predictor's attention, 512 / 16 as published: a file does not tell how many heads there are."""

_BLOCK = re.compile(r"decoder_blocks\.(?:layers\.)?(\d+)\.")
_FREE = ("offline_predictor.", "target_patch_embed.", "target_cls_token")
"""What a file need not hold: these start as a new network's, or from the online encoder."""


def read_duo(path: Path, variant: Variant, averaged: Averaged, offline: int) -> Duo:
    """Read a full checkpoint to pre-train on.

    Parameters
    ----------
    path : Path
        A ``.pth`` file in its published folder.
    variant, averaged, offline
        See :class:`teachers.m2d.duo.DuoConfig`. An offline predictor that the file lacks, or has for another target,
        is drawn; what a full average has beside the published one starts from the online encoder.

    Raises
    ------
    InputError
        If it holds the encoder alone, or see :func:`teachers.m2d.checkpoints.encoder_state`.
    """
    config = config_of(path)
    found = encoder_tensors(path)
    blocks = [int(match[1]) for name in found if (match := _BLOCK.match(name))]
    if not blocks or "decoder_embed.weight" not in found:
        raise InputError(
            f"{path}: holds the encoder alone, as names that end in _enconly say, and pre-training goes on with "
            "predictor and target network; name a full checkpoint"
        )
    if variant != "mae" and "target_norm.weight" not in found:
        raise InputError(f"{path}: has no target network, as a masked autoencoder has none; give --variant mae")
    found = {name.replace("decoder_blocks.layers.", "decoder_blocks."): value for name, value in found.items()}
    width = len(found["decoder_embed.weight"])
    if width % HEAD_WIDTH:
        raise InputError(f"{path}: a predictor of width {width}; it must divide by {HEAD_WIDTH}")
    duo = Duo(DuoConfig(config, (width, max(blocks) + 1, width // HEAD_WIDTH), variant, averaged, offline))
    expected = duo.state_dict()
    free = {name for name in expected if name.startswith(_FREE)}
    kept = {name for name in free if name in found and found[name].shape == expected[name].shape}
    state = checked_state(path, found, {name: expected[name] for name in expected if name not in free - kept})
    started = {name: state[name.removeprefix("target_")] for name in free - kept if name.startswith("target_")}
    duo.load_state_dict(expected | state | started)
    return duo


def published_folder(model: str, size: str, config: M2DConfig, date: str, options: str) -> str:
    """Return a name of the published grammar, such as ``m2d_vit_base-80x608p16x16p16k-221006-mr7``."""
    (mels, frames), (patch_mels, patch_frames) = config.input_size, config.patch_size
    sizes = f"{mels}x{frames}p{patch_mels}x{patch_frames}p{config.sample_rate // 1000}k"
    return "-".join(part for part in (f"{model}_vit_{size}", sizes, date, options) if part)


def write_duo(duo: Duo, folder: Path, epoch: int) -> Path:
    """Write ``checkpoint-EPOCH.pth`` as M2D's own loader reads it: ``model``, with ``norm_stats``, and ``epoch``."""
    path = folder / f"checkpoint-{epoch}.pth"
    with whole_file(path) as temporary:
        state = {name: value.cpu() for name, value in duo.state_dict().items()}
        torch.save({"model": state, "epoch": epoch}, temporary)
    return path


def has_published_layout(logmel: str) -> bool:
    """Tell whether published names have a word for a log-mel."""
    return logmel in LOGMELS.values()
