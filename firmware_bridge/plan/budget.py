"""What a device can spare, whether an application fits, what it breaks if not, and what would fit."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from firmware_bridge.plan.footprint import Footprint, listed
from firmware_bridge.plan.network import plan_network, report
from firmware_bridge.plan.scaled import channels_of_widest_layer, scaled, unit_of
from lungsound.errors import InputError


@dataclass(frozen=True)
class Budget:
    """What a device can spare.

    Attributes
    ----------
    ram, flash : int or None
        Bytes; None for any number.
    """

    ram: int | None = None
    flash: int | None = None

    def fits(self, footprint: Footprint) -> bool:
        """Return whether all of an application fits."""
        return not self._over(footprint)

    def breaks(self, footprint: Footprint) -> list[str]:
        """Return what does not fit: what is needed, what there is, and the layer that takes most of it."""
        broken = []
        for what, parts, there in self._over(footprint):
            layers = report(footprint.network)["layers"]
            worst = max(layers, key=lambda layer: _part(layer, what))
            broken.append(
                f"needs {sum(parts.values())} bytes of {what} ({listed(parts)}) and there are {there}; "
                f"{worst['operator']} '{worst['tensor']}' takes most of the network ({_part(worst, what)} bytes)"
            )
        return broken

    def check(self, footprint: Footprint) -> None:
        """Refuse what does not fit.

        Raises
        ------
        InputError
            Naming what is needed, what there is and the layer that takes most, of RAM and of flash, and the largest
            width that would fit.
        """
        if broken := self.breaks(footprint):
            raise InputError(f"{footprint.model.path}: {'; it also '.join(broken)}; {self._advice(footprint)}")

    def _over(self, footprint: Footprint) -> list[tuple[str, dict[str, int], int]]:
        wanted = ("RAM", footprint.ram, self.ram), ("flash", footprint.flash, self.flash)
        return [
            (what, parts, there) for what, parts, there in wanted if there is not None and sum(parts.values()) > there
        ]

    def _advice(self, footprint: Footprint) -> str:
        share = self._largest_share(footprint)
        if share is None:
            return "which width would fit cannot be told of this model"
        if share == 0:
            return "no width of this model would fit"
        width = footprint.model.width
        if width is not None:
            return f"the largest width that would fit is {float(width * share):.4g} (now {width:.4g})"
        channels = channels_of_widest_layer(footprint.network.graph)
        return (
            f"{channels * share} channels in the widest layer (now {channels}) and the others in proportion would fit"
        )

    def _largest_share(self, footprint: Footprint) -> Fraction | None:
        """Largest share of the channels that fits, 0 for none; each tried is laid out anew, or None if it cannot be."""
        channels = channels_of_widest_layer(footprint.window.graph)
        unit = unit_of(channels)
        fits, too_many = 0, channels // unit
        while too_many - fits > 1:
            tried = (fits + too_many) // 2
            other = of_share(footprint, Fraction(tried * unit, channels))
            if other is None:
                return None
            if self.fits(other):
                fits = tried
            else:
                too_many = tried
        return Fraction(fits * unit, channels) if channels else None


def of_share(footprint: Footprint, share: Fraction) -> Footprint | None:
    """Return what an application takes with a share of the channels; see :func:`firmware_bridge.plan.scaled.scaled`."""
    window = footprint.window
    graph = scaled(window.graph, share)
    if graph is None:
        return None
    return replace(footprint, window=plan_network(graph, window.kernels, window.rounding, window.push_limit))


def _part(layer: dict[str, Any], what: str) -> int:
    """Bytes of RAM or flash that a layer of the report takes."""
    return int(layer["ring_bytes"] + layer["sums_bytes"] if what == "RAM" else layer["constant_bytes"])
