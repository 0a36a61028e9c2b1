"""The student that a training begins with, where a device's budget chooses it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from auscult.sizing.search import Device, Largest, Member, largest
from firmware_bridge.plan.effort import effort_of, facts_of
from firmware_bridge.plan.footprint import Footprint
from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.terminal import activity, err
from students.registry import families
from students.student import Student, StudentConfig

ALL = "all"


def choose(
    asked: StudentConfig, family: str, heard: Listening, device: Device, *, whole_hop: bool
) -> tuple[StudentConfig, dict[str, Any]]:
    """Return the largest student of a family, or of all, that fits, and what a run keeps of the choice.

    What it takes, and what the next larger would break, is said on stderr.

    Parameters
    ----------
    asked : StudentConfig
        Head and labels; family, width and depth do not count.
    family : str
        Name of a family, or ``all``, of which the one with most parameters is taken.
    heard : Listening
        The window.
    device : Device
        Core and budget.
    whole_hop : bool
        Whether the hop may become what a student's rows need.

    Raises
    ------
    InputError
        If none fits; see :func:`auscult.sizing.search.largest`.
    """

    def hears(config: StudentConfig) -> Listening:
        return replace(heard, hop_seconds=Student(config).whole_hop(heard)) if whole_hop else heard

    asked = replace(asked, classes=len(heard.labels))
    with activity() as doing:
        if family != ALL:
            found = largest(replace(asked, trunk=family, depth=None), hears, device, doing)
        else:
            found = _of_all(asked, hears, device, doing)
    _say(found, device)
    return found.chosen.config, _note(found.chosen.footprint, device)


def _note(footprint: Footprint, device: Device) -> dict[str, Any]:
    return {
        "target": device.target.name,
        "kernels": device.target.kernels,
        "ram_bytes": device.budget.ram,
        "flash_bytes": device.budget.flash,
        "instructions_per_second": device.budget.instructions,
        "overlapping": device.overlapping,
        "planned_ram_bytes": sum(footprint.ram.values()),
        "planned_flash_bytes": sum(footprint.flash.values()),
        "planned_instructions_per_second": facts_of(effort_of(footprint, device.target))["a_second"],
    }


def _of_all(
    asked: StudentConfig, hears: Callable[[StudentConfig], Listening], device: Device, doing: Callable[[str], None]
) -> Largest:
    """Print each family's largest, or why it has none, and return the one with most parameters."""
    fitting = []
    err.print(f"{'':<42}{'RAM':>9}{'flash':>10}{'parameters':>13}{'M MAC/s':>10}{'M instr./s':>12}", highlight=False)
    for name in families():
        try:
            found = largest(replace(asked, trunk=name, depth=None), hears, device, doing)
        except InputError as error:
            err.print(str(error), style="yellow", highlight=False, markup=False)
            continue
        fitting.append(found)
        err.print(_row(found.chosen, device), highlight=False, markup=False)
    if not fitting:
        raise InputError(
            "no student of any family fits; give more --ram, --flash or --instructions-per-second, or a shorter window "
            "(--seconds)"
        )
    return max(fitting, key=lambda found: found.chosen.parameters)


def _row(member: Member, device: Device) -> str:
    ram, flash = (sum(parts.values()) for parts in (member.footprint.ram, member.footprint.flash))
    macs = member.footprint.macs_per_second / 1e6
    effort = effort_of(member.footprint, device.target)
    count = "" if isinstance(effort, str) else f"{sum(effort.a_second.values()) / 1e6:.2f}"
    return f"{member.name:<42}{ram:>9,}{flash:>10,}{member.parameters:>13,}{macs:>10.2f}{count:>12}"


def _say(found: Largest, device: Device) -> None:
    chosen = found.chosen
    ram, flash = (sum(parts.values()) for parts in (chosen.footprint.ram, chosen.footprint.flash))
    err.print(
        f"chosen: {chosen.name}, {chosen.parameters:,} parameters: {ram} bytes of RAM, {flash} of flash, "
        f"{chosen.footprint.macs_per_second / 1e6:.2f} M MAC a second of sound",
        highlight=False,
        markup=False,
    )
    effort = effort_of(chosen.footprint, device.target)
    told = effort if isinstance(effort, str) else effort.text(device.target.name)
    err.print(f"it takes {told}" if told is not effort else told, highlight=False, markup=False)
    if found.larger is None:
        err.print("it is the largest of its family", highlight=False)
        return
    err.print(f"the next larger, {found.larger.name}, {'; it also '.join(found.breaks)}", highlight=False, markup=False)
