"""How the sums of a layer become values, decided for each of its channels.

Most are scaled down and some up, and au_rescale.h does either in a few instructions. Some cannot move: a channel that
training has left dead has a scale so small that every sum gives the zero point. The rest, whose sums are large, or
whose zero point before the shift is, goes through au_requantize() as in plain C; the products of such a channel are
those of all others.
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
# Added to shifts (au_rescale.h).
_OTHERWISE, _LEFT = 64, 128


@dataclass(frozen=True)
class Channels:
    """What is known of the channels of a layer, an integer each.

    Parameters
    ----------
    bias, multiplier : [n] of int
        As in plain C; both are 0 for a channel that cannot move.
    offset : [n] of int
        What is added before the shift: half a step and the zero point, or the zero point alone where it is to the left.
    how : [n] of int
        Shift to the right, 1 to 31; or to the left, 0 to 30, and 128; or, for au_requantize(), to the right, -30 to 31,
        and 64.
    reach : [n] of int
        The largest magnitude of a sum.
    """

    bias: Integers
    multiplier: Integers
    offset: Integers
    how: Integers
    reach: Integers

    @classmethod
    def of(cls, step: Step) -> Self:
        """Decide for every channel of a convolution."""
        bias, multiplier, shift = (step.array(name) for name in ("bias", "multiplier", "shift"))
        still = _reach(step, bias) * (multiplier * 2.0 ** (shift - 31)) < _STILL
        bias, multiplier, right = (
            np.where(still, value, of) for value, of in ((0, bias), (0, multiplier), (1, -shift))
        )
        reach, zero = _reach(step, bias), step.number("out_zero")
        offset = (1 << right.clip(1) >> 1) + (zero << right.clip(1))
        down = (right > 0) & (reach < _MOST_SUM) & (np.abs(offset) + reach < _MOST)
        up = (right <= 0) & (reach << (-right).clip(0) < _MOST_SUM)
        how = np.select([down, up], [right, _LEFT - right], _OTHERWISE + right)
        return cls(bias, multiplier, np.select([down, up], [offset, zero], 0), how, reach)

    @property
    def note(self) -> str:
        """How many channels go through au_requantize(), in words; "" if none."""
        slow = int(goes_anyhow(self.how).sum())
        return f"{slow} of {len(self.how)} channels are scaled in plain C" if slow else ""

    def in_multiples(self, of: int) -> tuple[Integers, Integers, Integers, Integers]:
        """Return bias, multiplier, offset and how [n / of, of], filled up with zeros."""
        every = (self.bias, self.multiplier, self.offset, self.how)
        bias, multiplier, offset, how = (np.pad(known, (0, -len(known) % of)).reshape(-1, of) for known in every)
        return bias, multiplier, offset, how


def scaling(step: Step, how: Integers) -> Integers:
    """Return how each two channels are scaled, `how` [n, 2], in the halves of a word; what is clamped to less than int8
    goes through au_requantize().
    """
    clamped = (step.number("low"), step.number("high")) != (-128, 127)
    simply = np.where(how < _LEFT, how, _LEFT - how) + _OTHERWISE
    both: Integers = (np.where(clamped & ~goes_anyhow(how), simply, how) << np.array([0, 16])).sum(axis=1)
    return both


def goes_anyhow(how: Integers) -> npt.NDArray[np.bool_]:
    """Return which channels go through au_requantize()."""
    return np.asarray((how > _OTHERWISE // 2) & (how < _LEFT))


def words(values: Integers) -> CArray:
    """Return `values` modulo 2^32 as a table."""
    return CArray("int32_t", (values & 0xFFFFFFFF).astype(np.uint32).view(np.int32).reshape(-1))


def _reach(step: Step, bias: Integers) -> Integers:
    """Return the largest magnitude of each channel's sum: proven, for an input of any int8 values."""
    weights = step.array("weights")
    count = len(bias)
    of_channel = weights.reshape(-1, count).T if step.kernel == "au_depthwise" else weights.reshape(count, -1)
    above, below = of_channel.clip(min=0).sum(axis=1), of_channel.clip(max=0).sum(axis=1)
    lowest, highest = bias - 128 * above + 127 * below, bias + 127 * above - 128 * below
    reach: Integers = np.maximum(np.abs(lowest), np.abs(highest))
    return reach
