"""What a whole application takes of a device before anything is built."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from firmware_bridge.device.targets import Machine
from firmware_bridge.plan.model import Model
from firmware_bridge.plan.network import ROUNDINGS, Network, report
from firmware_bridge.plan.sharing import Sharing
from firmware_bridge.sound.frontend import frontend_table_bytes
from firmware_bridge.sound.listener import listener_bytes, open_windows
from firmware_bridge.sound.quality import CODE as QUALITY_CODE

# Rounded up from what gcc -O2 makes of the C files on the cores of `targets`.
_STACK_BYTES = 1024  # beside what one step reads
_CODE_OF_FRONT_END = 9728
_CODE_OF_SOURCES = {  # in double and in single rounding
    "au_conv_c99": (1536, 2432),
    "au_conv_gathered": (2240, 2880),
    "au_conv_mve": (1472, 1152),
    "au_conv_paired": (2240, 2752),
    "au_conv_patched": (2048, 2688),
    "au_conv_pointwise": (2176, 2176),
    "au_depthwise_c99": (1088, 2112),
    "au_depthwise_fours": (1152, 1792),
    "au_depthwise_mve": (4288, 1792),
    "au_depthwise_threes": (4800, 1984),
    "au_elementwise_c99": (896, 1728),
    "au_elementwise_dsp": (256, 256),
    "au_fully_connected_c99": (512, 1408),
    "au_fully_connected_dsp": (576, 1856),
    "au_fully_connected_mve": (256, 768),
    "au_layout_c99": (640, 640),
    "au_matmul_c99": (448, 1600),
    "au_pool_c99": (1408, 1408),
    "au_reduce_c99": (512, 3136),
    "au_softmax_c99": (832, 832),
    "au_stream": (1024, 1024),
}
_CODE_OF_A_STEP = 72
_CODE_OF_NET = 512
_RAM_OF_SELF_TESTS = 256  # beside contexts, a row and outputs
_FLASH_OF_SELF_TESTS = 32 << 10  # golden vectors, and what starts and ends a program


def code_of(source: str, rounding: str) -> int:
    """Return the bytes of a C file of the network, its name without the ending, from above for every core.

    A file that nobody has measured counts as the largest of those that were.
    """
    place = ROUNDINGS.index(rounding)
    largest = max(sizes[place] for sizes in _CODE_OF_SOURCES.values())
    return _CODE_OF_SOURCES[source][place] if source in _CODE_OF_SOURCES else largest


@dataclass(frozen=True)
class Footprint:
    """RAM and flash of a network, with its front end if it has one.

    Attributes
    ----------
    model : Model
        What runs.
    window : Network
        Its layout for one window.
    overlapping : bool
        Whether windows are decided every hop, with one network for all of them or a network each while it is open.
    """

    model: Model
    window: Network
    overlapping: bool = False

    @cached_property
    def sharing(self) -> Sharing | None:
        """What windows would share if they overlap; None for a model whose windows do not."""
        interface = self.model.interface
        if interface is None:
            return None
        return Sharing.of(self.window, interface.listening, checked=interface.abstention is not None)

    @property
    def network(self) -> Network:
        """The layout of what runs."""
        shared = self.sharing.network if self.overlapping and self.sharing else None
        return shared or self.window

    @property
    def windows(self) -> int:
        """How many windows are open at once."""
        interface = self.model.interface
        return open_windows(interface.listening) if interface and self.overlapping else 1

    @property
    def networks(self) -> int:
        """How many networks run side by side."""
        return 1 if self.network.split else self.windows

    @property
    def ram(self) -> dict[str, int]:
        """Bytes by part; the stack is an estimate from above."""
        networks = self.networks * self.network.context_bytes
        if self.model.interface is None:
            return {"networks": networks, "stack": self._stack}
        listening = self.model.interface.listening
        context = self.network.context_bytes
        plain = listener_bytes(listening, context, networks=self.networks)
        parts = {"networks": networks, "front_end": plain - networks}
        if self.model.interface.abstention:
            whole = listener_bytes(listening, context, networks=self.networks, checked=self.windows)
            parts["signal_check"] = whole - plain
        return parts | {"stack": self._stack}

    @property
    def _stack(self) -> int:
        return _STACK_BYTES + self.network.stack_bytes

    @property
    def flash(self) -> dict[str, int]:
        """Bytes by part; code is an estimate from above."""
        program = self.network.program
        sources = {"au_stream"} | {step.source for step in program.steps}
        code = _CODE_OF_NET + sum(code_of(source, self.network.rounding) for source in sources)
        code += _CODE_OF_A_STEP * len(program.steps)
        parts = {"weights": self.network.constant_bytes, "network_code": code}
        interface = self.model.interface
        if interface is None:
            return parts
        tables = frontend_table_bytes(interface.listening.logmel, interface.input.scale, interface.input.zero_point)
        check = {"signal_check": QUALITY_CODE} if interface.abstention else {}
        return parts | {"front_end_tables": tables, "front_end_code": _CODE_OF_FRONT_END} | check

    @property
    def macs_per_second(self) -> int:
        """Multiply-accumulates for each second of sound, 0 of a network without front end."""
        if self.model.interface is None:
            return 0
        listening = self.model.interface.listening
        seconds = listening.hop_seconds if self.overlapping else listening.seconds
        return round(int(report(self.network)["macs"]) / seconds)

    @property
    def listener(self) -> dict[str, int] | None:
        """sizeof(auscult_t) of windows that follow each other and of windows that overlap; None without front end."""
        interface = self.model.interface
        if interface is None:
            return None
        both = (replace(self, overlapping=overlapping) for overlapping in (False, True))
        sizes = (sum(plan.ram.values()) - plan.ram["stack"] for plan in both)
        return dict(zip(("one_window", "overlapping"), sizes, strict=True))

    def facts(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "windows": self.windows,
            "ram_bytes": sum(self.ram.values()),
            "ram": self.ram,
            "flash_bytes": sum(self.flash.values()),
            "flash": self.flash,
            "sharing": self.sharing.facts() if self.sharing else None,
        }

    def text(self) -> str:
        """Return the same for people."""
        at_once = f"{self.windows} windows open at once" if self.windows > 1 else "one window at a time"
        at_once += ", which share a trunk" if self.network.split else ""
        lines = [f"RAM {sum(self.ram.values())} bytes, {at_once}: {listed(self.ram)}"]
        for_all = self.listener
        if for_all is not None and self.model.interface is not None:
            one, more = for_all["one_window"], for_all["overlapping"]
            every = f"every {self.model.interface.listening.hop_seconds:g} s"
            lines.append(f"the listener alone: {one} bytes one window at a time, {more} with a decision {every}")
        lines += [self.sharing.text()] if self.sharing else []
        lines.append(f"flash {sum(self.flash.values())} bytes: {listed(self.flash)}")
        return "\n".join([*lines, "Stack and code are estimates from above; `auscult bench --target` measures them."])

    def testable_on(self, machine: Machine | None) -> bool:
        """Whether the self-tests fit an emulated machine, which may have less memory than a device; None fits all."""
        if machine is None:
            return True
        network = self.network.program
        source, made = (network.streams[index] for index in (network.input, network.output))
        contexts = sum(self.ram.values()) - self.ram["stack"]
        ram = contexts + source.width + 2 * made.rows * made.width + _RAM_OF_SELF_TESTS + machine.stack_bytes
        flash = sum(self.flash.values()) + _FLASH_OF_SELF_TESTS
        return ram <= machine.ram.size and (machine.large is not None or flash <= machine.code.size)


def listed(parts: dict[str, int]) -> str:
    """Return bytes by part in words."""
    return ", ".join(f"{name.replace('_', ' ')} {size}" for name, size in parts.items())
