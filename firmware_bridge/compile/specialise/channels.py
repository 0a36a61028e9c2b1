"""How the sums of a layer become values, decided for each of its channels.

Most are scaled down, and au_rescale() (au_dsp.h) does it in a few instructions. Some cannot move: a channel that
training has left dead has a scale so small that every sum gives the zero point. The rest, which is scaled up, or whose
sums are large, or whose zero point before the shift is, goes through au_requantize() as in plain C; the products of
such a channel are those of all others.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from firmware_bridge.compile.program import CArray, Step

Integers = npt.NDArray[np.int64]

_MOST_SUM = 1 << 30
_MOST = (1 << 31) - 1
# Below half a step every rounding gives 0; float64 and the roundings on the way are far finer than the rest.
_STILL = 0.49
_OTHERWISE = 64
"""Added to the shift of a channel that au_rescale() is not for: AU_OTHERWISE in au_dsp.h."""


@dataclass(frozen=True)
class Channels:
    """What is known of the channels of a layer, an integer each.

    Parameters
    ----------
    bias, multiplier : [n] of int
        As in plain C; the multiplier of a channel that cannot move is 0.
    shift : [n] of int
        To the right: 1 to 31 for au_rescale(); 64 more, 34 to 95, for au_requantize().
    offset : [n] of int
        What au_rescale() adds: half a step and the zero point, before the shift.
    """

    bias: Integers
    multiplier: Integers
    shift: Integers
    offset: Integers

    @classmethod
    def of(cls, step: Step) -> Self:
        """Decide for every channel of a convolution."""
        bias, multiplier, shift = (step.array(name) for name in ("bias", "multiplier", "shift"))
        reach = _reach(step)
        still = reach * (multiplier * 2.0 ** (shift - 31)) < _STILL
        multiplier, right = np.where(still, 0, multiplier), np.where(still, 1, -shift)
        positive = right.clip(1)
        offset = (1 << positive >> 1) + (step.number("out_zero") << positive)
        usual = (right > 0) & (reach < _MOST_SUM) & (np.abs(offset) + reach < _MOST)
        return cls(bias, multiplier, np.where(usual, right, _OTHERWISE + right), np.where(usual, offset, 0))

    @property
    def note(self) -> str:
        """How many channels go through au_requantize(), in words; "" if none."""
        slow = int((self.shift >= _OTHERWISE // 2).sum())
        return f"{slow} of {len(self.shift)} channels are scaled in plain C" if slow else ""

    def in_multiples(self, of: int) -> tuple[Integers, Integers, Integers, Integers]:
        """Return bias, multiplier, shift and offset [n / of, of], filled up with zeros."""
        every = (self.bias, self.multiplier, self.shift, self.offset)
        bias, multiplier, shift, offset = (np.pad(known, (0, -len(known) % of)).reshape(-1, of) for known in every)
        return bias, multiplier, shift, offset


def words(values: Integers) -> CArray:
    """Return `values` modulo 2^32 as a table."""
    return CArray("int32_t", (values & 0xFFFFFFFF).astype(np.uint32).view(np.int32).reshape(-1))


def _reach(step: Step) -> Integers:
    """Return the largest magnitude of each channel's sum: proven, for an input of any int8 values."""
    weights, bias = step.array("weights"), step.array("bias")
    count = len(bias)
    of_channel = weights.reshape(-1, count).T if step.kernel == "au_depthwise" else weights.reshape(count, -1)
    above, below = of_channel.clip(min=0).sum(axis=1), of_channel.clip(max=0).sum(axis=1)
    lowest, highest = bias - 128 * above + 127 * below, bias + 127 * above - 128 * below
    reach: Integers = np.maximum(np.abs(lowest), np.abs(highest))
    return reach
