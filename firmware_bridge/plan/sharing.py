"""Whether windows that overlap can share a trunk, what that saves, and why not."""

from dataclasses import dataclass
from typing import Any, Self

from firmware_bridge.plan.network import Network, report, share
from firmware_bridge.sound.listener import listener_bytes, open_windows
from lungsound.listening import Listening


@dataclass(frozen=True)
class Sharing:
    """One network for all windows of a stream, against a network for each.

    Attributes
    ----------
    network : Network or None
        The layout of one for all; None where there is none.
    why_not : str or None
        Why there is none, in words.
    ram_bytes, macs_per_second : int
        Of the listener, and multiply-accumulates for each second of sound, with one for all. Where there is none: of a
        model of the same size that allowed it, but for the rows that its head would look at.
    apart_ram_bytes, apart_macs_per_second : int
        The same with a network for each.
    """

    network: Network | None
    why_not: str | None
    ram_bytes: int
    macs_per_second: int
    apart_ram_bytes: int
    apart_macs_per_second: int

    @classmethod
    def of(cls, window: Network, listening: Listening, *, checked: bool = False) -> Self | None:
        """Find out; None where windows do not overlap.

        Parameters
        ----------
        window : Network
            The layout for one window.
        listening : Listening
            The window, and the hop from one to the next.
        checked : bool
            Whether the signal of every window is checked.
        """
        windows = open_windows(listening)
        if windows == 1:
            return None
        found = _share(window, listening)
        macs = report(window)["macs"]
        signals = windows if checked else 0
        apart_ram = listener_bytes(listening, window.context_bytes, networks=windows, checked=signals)
        apart = apart_ram, round(macs / listening.hop_seconds)
        if isinstance(found, str):
            ram = listener_bytes(listening, window.context_bytes, checked=signals)
            return cls(None, found, ram, round(macs / listening.seconds), *apart)
        ram = listener_bytes(listening, found.context_bytes, checked=signals)
        return cls(found, None, ram, round(report(found)["macs"] / listening.hop_seconds), *apart)

    def facts(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "possible": self.network is not None,
            "why_not": self.why_not,
            "ram_bytes": self.ram_bytes,
            "macs_per_second": self.macs_per_second,
            "apart_ram_bytes": self.apart_ram_bytes,
            "apart_macs_per_second": self.apart_macs_per_second,
        }

    def text(self) -> str:
        """Return the same for people."""
        shared = _costs(self.ram_bytes, self.macs_per_second)
        apart = _costs(self.apart_ram_bytes, self.apart_macs_per_second)
        if self.network is None:
            return (
                f"windows that overlap cannot share a trunk: {self.why_not}; with a trunk each they take {apart}, "
                f"and a model that allowed it would take about {shared}"
            )
        return f"windows that overlap share a trunk and take {shared}; with a trunk each they would take {apart}"


def _costs(ram: int, macs: int) -> str:
    return f"{ram} bytes and {macs / 1e6:.2f} M MAC a second of sound"


def _share(window: Network, listening: Listening) -> Network | str:
    if listening.logmel.padding == "reflect":
        return "its log-mel centres frames, so that those at the ends of a window are the window's own"
    return share(window, listening.hop_frames)
