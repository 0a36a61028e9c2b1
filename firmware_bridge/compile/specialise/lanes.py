"""What vectors of four lanes are told of channels: any of them is scaled in the same few instructions."""

import numpy as np

from firmware_bridge.compile.program import CArray, Step
from firmware_bridge.compile.specialise.channels import Integers, words


def fours(step: Step, channels: Integers) -> CArray:
    """Scales and biases of `channels`, four by four, as au_finish_mve.h reads them; -1 is none."""
    bias, multiplier, shift = (
        np.where(channels < 0, 0, step.array(name)[channels]).reshape(-1, 4) for name in ("bias", "multiplier", "shift")
    )
    bytes_of = np.array([0, 8, 16, 24])
    right, left = (((by & 0xFF) << bytes_of).sum(axis=1, keepdims=True) for by in (shift.clip(max=0), shift.clip(0)))
    known = np.concatenate([multiplier, right, left, bias], axis=1)
    return words(np.concatenate([[1 + int(np.sign(step.array("shift").max()))], known.reshape(-1)]))


def lanes(channels: int, of: int) -> Integers:
    """Channels [n / of, of], filled up with -1."""
    return np.pad(np.arange(channels), (0, -channels % of), constant_values=-1).reshape(-1, of)
