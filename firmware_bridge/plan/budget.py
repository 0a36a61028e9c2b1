"""What a device can spare, whether an application fits, what it breaks if not, and what would fit."""

from dataclasses import dataclass, replace
from fractions import Fraction

from firmware_bridge.device.targets import Target
from firmware_bridge.plan.effort import Effort, effort_of
from firmware_bridge.plan.footprint import Footprint, listed
from firmware_bridge.plan.network import plan_network, report
from firmware_bridge.plan.scaled import channels_of_widest_layer, scaled, unit_of
from lungsound.errors import InputError

RAM, FLASH, INSTRUCTIONS = "bytes of RAM", "bytes of flash", "instructions a second of sound"


@dataclass(frozen=True)
class Budget:
    """What a device can spare.

    Attributes
    ----------
    ram, flash : int or None
        Bytes; None for any number.
    instructions : int or None
        For each second of sound; None for any number.
    target : Target or None
        The core that runs them; there must be one where they are limited.
    """

    ram: int | None = None
    flash: int | None = None
    instructions: int | None = None
    target: Target | None = None

    def fits(self, footprint: Footprint) -> bool:
        """Return whether all of an application fits.

        Raises
        ------
        InputError
            If instructions are limited and there is no estimate of them.
        """
        return not self._over(footprint)

    def breaks(self, footprint: Footprint) -> list[str]:
        """Return what does not fit: what is needed, what there is, and the layer that takes most of it."""
        broken = []
        for what, parts, there in self._over(footprint):
            layers = report(footprint.network)["layers"]
            shares = self._shares(footprint, what)
            most = max(shares)
            worst = layers[shares.index(most)]
            broken.append(
                f"needs {sum(parts.values())} {what} ({listed(parts)}) and there are {there}; "
                f"{worst['operator']} '{worst['tensor']}' takes most of the network ({most} {what.split()[0]})"
            )
        return broken

    def check(self, footprint: Footprint) -> None:
        """Refuse what does not fit.

        Raises
        ------
        InputError
            Naming what is needed, what there is and the layer that takes most, of RAM, of flash and of instructions,
            and the largest width that would fit; or why there is no estimate of instructions.
        """
        if broken := self.breaks(footprint):
            raise InputError(f"{footprint.model.path}: {'; it also '.join(broken)}; {self._advice(footprint)}")

    def _over(self, footprint: Footprint) -> list[tuple[str, dict[str, int], int]]:
        wanted = [(RAM, footprint.ram, self.ram), (FLASH, footprint.flash, self.flash)]
        if self.instructions is not None:
            wanted.append((INSTRUCTIONS, self._effort(footprint).a_second, self.instructions))
        return [
            (what, parts, there) for what, parts, there in wanted if there is not None and sum(parts.values()) > there
        ]

    def _shares(self, footprint: Footprint, what: str) -> list[int]:
        """Return what each layer takes of it."""
        if what == INSTRUCTIONS:
            return self._effort(footprint).steps_a_second
        layers = report(footprint.network)["layers"]
        if what == RAM:
            return [layer["ring_bytes"] + layer["sums_bytes"] for layer in layers]
        return [layer["constant_bytes"] for layer in layers]

    def _effort(self, footprint: Footprint) -> Effort:
        assert self.target is not None
        path, leave = footprint.model.path, "leave --instructions-per-second out"
        if footprint.model.interface is None:
            raise InputError(f"{path}: says not what it listens to; give --listening FILE.json, or {leave}")
        effort = effort_of(footprint, self.target)
        if isinstance(effort, str):
            raise InputError(f"{path}: {effort}; {leave}")
        return effort

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
