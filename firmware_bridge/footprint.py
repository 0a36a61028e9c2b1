"""What a whole application takes of a device before anything is built, and whether it fits."""

from dataclasses import dataclass
from typing import Any

from firmware_bridge.frontend import frontend_table_bytes
from firmware_bridge.listener import listener_bytes, open_windows
from firmware_bridge.model import Model
from firmware_bridge.plan import Network, report
from lungsound.errors import InputError

# Rounded up from what gcc -O2 makes of the C files on the cores of `targets`.
_STACK_BYTES = 1280
_CODE_OF_FRONT_END = 5120
_CODE_OF_A_SOURCE = 1280
_CODE_OF_A_STEP = 72
_CODE_OF_NET = 512


@dataclass(frozen=True)
class Footprint:
    """RAM and flash of a network, with its front end if it has one.

    Attributes
    ----------
    model : Model
        What runs.
    network : Network
        Its layout.
    overlapping : bool
        Whether windows are decided every hop, each with its own network while it is open.
    """

    model: Model
    network: Network
    overlapping: bool = False

    @property
    def windows(self) -> int:
        """How many windows are open at once."""
        hearing = self.model.hearing
        return open_windows(hearing.listening) if hearing and self.overlapping else 1

    @property
    def ram(self) -> dict[str, int]:
        """Bytes by part; the stack is an estimate from above."""
        networks = self.windows * self.network.context_bytes
        if self.model.hearing is None:
            return {"networks": networks, "stack": _STACK_BYTES}
        listening = self.model.hearing.listening
        whole = listener_bytes(listening, self.network.context_bytes, overlapping=self.overlapping)
        return {"networks": networks, "front_end": whole - networks, "stack": _STACK_BYTES}

    @property
    def flash(self) -> dict[str, int]:
        """Bytes by part; code is an estimate from above."""
        program = self.network.program
        sources = 1 + len({step.source for step in program.steps})
        code = _CODE_OF_NET + _CODE_OF_A_SOURCE * sources + _CODE_OF_A_STEP * len(program.steps)
        parts = {"weights": self.network.constant_bytes, "network_code": code}
        hearing = self.model.hearing
        if hearing is None:
            return parts
        tables = frontend_table_bytes(hearing.listening.logmel, hearing.input.scale, hearing.input.zero_point)
        return parts | {"front_end_tables": tables, "front_end_code": _CODE_OF_FRONT_END}

    def facts(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "windows": self.windows,
            "ram_bytes": sum(self.ram.values()),
            "ram": self.ram,
            "flash_bytes": sum(self.flash.values()),
            "flash": self.flash,
        }

    def text(self) -> str:
        """Return the same for people."""
        at_once = f"{self.windows} windows open at once" if self.windows > 1 else "one window at a time"
        lines = [f"RAM {sum(self.ram.values())} bytes, {at_once}: {_listed(self.ram)}"]
        lines.append(f"flash {sum(self.flash.values())} bytes: {_listed(self.flash)}")
        return "\n".join([*lines, "Stack and code are estimates from above; `auscult bench --target` measures them."])

    def check_budget(self, ram: int | None, flash: int | None) -> None:
        """Refuse what does not fit.

        Parameters
        ----------
        ram, flash : int or None
            Bytes that the device can spare; None for any number.

        Raises
        ------
        InputError
            Naming what is needed, what there is, the layer that takes most, and the largest width that would fit.
        """
        for what, parts, budget in (("RAM", self.ram, ram), ("flash", self.flash, flash)):
            need = sum(parts.values())
            if budget is None or need <= budget:
                continue
            layers = report(self.network)["layers"]
            worst = max(layers, key=lambda layer: _part(layer, what))
            raise InputError(
                f"{self.model.path}: needs {need} bytes of {what} ({_listed(parts)}) and there are {budget}; "
                f"{worst['operator']} '{worst['tensor']}' takes most of the network ({_part(worst, what)} bytes); "
                f"{self._advice(ram, flash)}"
            )

    def _advice(self, ram: int | None, flash: int | None) -> str:
        share = self._largest_share(ram, flash)
        if share == 0:
            return "no width of this model would fit"
        width = self.model.width
        if width is not None:
            return f"the largest width that would fit is about {share * width:.3g} (now {width:.3g})"
        return f"about {share:.0%} of its channels would fit"

    def _largest_share(self, ram: int | None, flash: int | None) -> float:
        """Largest share of the channels that fits: rings grow with the channels, weights with their square, the input
        and everything else with neither.
        """
        network = self.network
        rings = network.memory.total - network.memory.ring_bytes[network.program.input]
        # Channels that are no multiple of four may need the plain convolution and pool beside those of the core.
        most_flash = sum(self.flash.values()) + 2 * _CODE_OF_A_SOURCE
        for percent in range(99, 0, -1):
            share = percent / 100
            less_ram = self.windows * rings * (1 - share)
            less_flash = network.constant_bytes * (1 - share**2)
            fits_ram = ram is None or sum(self.ram.values()) - less_ram <= ram
            if fits_ram and (flash is None or most_flash - less_flash <= flash):
                return share
        return 0.0


def _part(layer: dict[str, Any], what: str) -> int:
    """Bytes of RAM or flash that a layer of the report takes."""
    return int(layer["ring_bytes"] + layer["sums_bytes"] if what == "RAM" else layer["constant_bytes"])


def _listed(parts: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {size}" for name, size in parts.items())
