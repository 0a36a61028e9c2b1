"""What a machine has room for, in other words than a linker's."""

import re
from typing import Self

from firmware_bridge.device.targets import Machine, Target
from lungsound.errors import InputError

_OVERFLOW = re.compile(r"region `(CODE|RAM|LARGE)' overflowed by (\d+) bytes")  # of templates/board.ld.j2
_WORDS = {"CODE": "flash", "RAM": "RAM", "LARGE": "external flash"}


class DoesNotFit(InputError):
    """A program that is too large for the machine of its target.

    Parameters
    ----------
    target : Target
        With a machine.
    over : dict of str to int
        Bytes too many, by region of the linker script.
    """

    def __init__(self, target: Target, over: dict[str, int]) -> None:
        assert target.machine is not None
        sizes = _sizes(target.machine)
        self._due = {region: sizes[region] + more for region, more in over.items()}
        parts = [f"{more} bytes of {_WORDS[region]} beyond its {sizes[region]}" for region, more in over.items()]
        super().__init__(
            f"needs {' and '.join(parts)} on {target.machine.name}, the machine of QEMU that stands for {target.core}"
        )

    @classmethod
    def of_linker(cls, said: str, target: Target) -> Self | None:
        """Return it if that is what a linker complained of."""
        over = {region: int(more) for region, more in _OVERFLOW.findall(said)}
        return cls(target, over) if target.machine and over else None

    def fits(self, other: Target) -> bool:
        """Return whether the machine of another target has as much as was lacking."""
        if other.machine is None:
            return False
        sizes = _sizes(other.machine)
        # Weights that its flash cannot hold go to an external one.
        sizes["CODE"] = max(sizes["CODE"], sizes["LARGE"])
        return all(sizes[region] >= due for region, due in self._due.items())


def _sizes(machine: Machine) -> dict[str, int]:
    return {"CODE": machine.code.size, "RAM": machine.ram.size, "LARGE": machine.large.size if machine.large else 0}
