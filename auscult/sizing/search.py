"""The largest student of a family that fits a device, found by planning it and the next larger one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from auscult.sizing.untrained import parameters_of, untrained, words_of
from firmware_bridge.device.targets import Target
from firmware_bridge.plan.budget import Budget, of_share
from firmware_bridge.plan.footprint import Footprint
from lungsound.errors import InputError
from lungsound.listening import Listening
from students.registry import family
from students.student import Student, StudentConfig

STEPS, MOST = 64, 256
"""Widths are whole numbers of sixty-fourths, so many at most."""
_FIRST = 16
"""Sixty-fourths of the width that a search begins with."""

_GROUP = 16
"""Sixty-fourths beyond a student that runs too many instructions, among which another may run less: where channels make
up whole groups of 4, 8 or 16, faster kernels take them."""

_LARGEST_FLASH = 1 << 28
"""Bytes; see :class:`firmware_bridge.plan.model.Model`."""


@dataclass(frozen=True)
class Device:
    """What firmware is planned for.

    Attributes
    ----------
    target : Target
        The core, with its usual kernels.
    budget : Budget
        What it can spare.
    overlapping : bool
        Whether it decides every hop.
    """

    target: Target
    budget: Budget
    overlapping: bool


@dataclass(frozen=True)
class Member:
    """A student, what it listens to, how many parameters it has, and what it takes."""

    config: StudentConfig
    parameters: int
    footprint: Footprint

    @property
    def name(self) -> str:
        """Its family and what sizes it."""
        return words_of(self.config)


@dataclass(frozen=True)
class Largest:
    """The largest student of a family that fits.

    Attributes
    ----------
    chosen : Member
        It.
    larger : Member or None
        The next larger one; None where the family has none.
    breaks : list of str
        What that one needs and the device has not.
    """

    chosen: Member
    larger: Member | None
    breaks: list[str]


def largest(
    asked: StudentConfig, hears: Callable[[StudentConfig], Listening], device: Device, doing: Callable[[str], None]
) -> Largest:
    """Return the student with most parameters of those that fit, of a family's every width and depth.

    A network of other channels (:func:`firmware_bridge.plan.scaled.scaled`) guesses where the border is; what is
    answered, the chosen student and the next larger one of each depth, is planned as it would be exported.

    Parameters
    ----------
    asked : StudentConfig
        Its family, head and labels; width and depth do not count.
    hears : callable
        What a student listens to.
    device : Device
        Core and budget.
    doing : callable
        Is told what is being planned.

    Raises
    ------
    InputError
        If none fits: what the smallest takes, what there is, and what to change. If none hears the window: why.
    """
    best: Member | None = None
    lines = []
    refusal: InputError | None = None
    for depth in _depths(asked):
        line = _Line(replace(asked, depth=depth), hears, device, doing)
        try:
            line.check()
        except InputError as error:
            refusal = refusal or error
            continue
        lines.append(line)
        best = line.largest_beyond(best) or best
    if not lines:
        assert refusal is not None
        raise refusal
    if best is None:
        smallest = min((line.member(1) for line in lines), key=lambda member: member.parameters)
        raise InputError(f"no {asked.trunk} fits: {_need(smallest, device)}; {_change(asked, device)}")
    larger = _next(lines, best)
    while larger and device.budget.fits(larger.footprint):  # a wider layer may take less where another kernel runs it
        best, larger = larger, _next(lines, larger)
    return Largest(best, larger, device.budget.breaks(larger.footprint) if larger else [])


def _need(smallest: Member, device: Device) -> str:
    return f"the smallest, {smallest.name}, {'; it also '.join(device.budget.breaks(smallest.footprint))}"


def _change(asked: StudentConfig, device: Device) -> str:
    """Say what takes less."""
    less = ["a shorter window (--seconds)", "a log-mel of fewer bands (--logmel)"]
    less += ["--head linear"] if asked.head == "csra" else []
    less += ["no --overlapping"] if device.overlapping else []
    return f"{', '.join(less)} or another family (--student) may take less"


def _depths(asked: StudentConfig) -> list[int | None]:
    """Return the depths of a family, the usual one first."""
    depths = family(asked.trunk).card.depths
    if depths is None:
        return [None]
    return [*sorted(range(depths.least, depths.most + 1), key=lambda depth: abs(depth - depths.usual))]


def _next(lines: list["_Line"], best: Member) -> Member | None:
    """Return the student of next more parameters; None if there is none."""
    steps = ((line, line.first_beyond(best.parameters)) for line in lines)
    beyond = [(line, step) for line, step in steps if step is not None]
    if not beyond:
        return None
    line, step = min(beyond, key=lambda found: found[0].parameters(found[1]))
    return line.member(step)


class _Line:
    """Students of one family and depth, by their width in sixty-fourths."""

    def __init__(
        self,
        asked: StudentConfig,
        hears: Callable[[StudentConfig], Listening],
        device: Device,
        doing: Callable[[str], None],
    ) -> None:
        self.asked, self.hears, self.device, self.doing = asked, hears, device, doing
        self._sizes: dict[int, int] = {}

    def check(self) -> None:
        """Refuse a window that no student of the line hears."""
        config = self.config(1)
        Student(config).check_window(self.hears(config))

    def config(self, step: int) -> StudentConfig:
        return replace(self.asked, width=step / STEPS)

    def member(self, step: int) -> Member:
        """Plan a student as it would be exported."""
        config, device = self.config(step), self.device
        self.doing(f"planning {words_of(config)}")
        model = untrained(config, self.hears(config))
        footprint = Footprint(model, model.plan(device.target.kernels, "double"), device.overlapping)
        return Member(config, self.parameters(step), footprint)

    def parameters(self, step: int) -> int:
        if step not in self._sizes:
            self._sizes[step] = parameters_of(self.config(step))
        return self._sizes[step]

    def first_beyond(self, parameters: int) -> int | None:
        """Return the smallest width of more parameters; None if there is none."""
        return _first(1, MOST, lambda step: self.parameters(step) > parameters)

    def largest_beyond(self, best: Member | None) -> Member | None:
        """Return the largest that fits and has more parameters than `best`; None if there is none."""
        first = self.first_beyond(best.parameters) if best else 1
        if first is None:
            return None
        fits = first - 1
        flash = self.device.budget.flash or _LARGEST_FLASH
        # A parameter takes a byte of flash at least, so what has more need not be planned; but the smallest is.
        breaks = max(2, self.first_beyond(flash) or MOST + 1)
        found: Member | None = None
        step, guessed = first if best else min(_FIRST, breaks - 1), 0
        while breaks - fits > 1:
            tried = self.member(step)
            if self.device.budget.fits(tried.footprint):
                fits, found = step, tried
            else:
                breaks = step
            if fits == guessed:  # it holds: the next larger one is the last to look at
                step = fits + 1
            elif breaks - fits > 1:
                step = guessed = max(fits + 1, self._guess(tried, fits, breaks))
        while wider := self._wider(found):
            found = wider
        return found

    def _wider(self, found: Member | None) -> Member | None:
        """Return one that fits though the next wider one runs too many instructions; None if there is none."""
        if found is None or self.device.budget.instructions is None:
            return None
        now = round(found.config.width * STEPS)
        for step in range(min(now + _GROUP, MOST), now, -1):
            guess = of_share(found.footprint, Fraction(step, now))
            if guess is not None and self.device.budget.fits(guess):
                tried = self.member(step)
                if self.device.budget.fits(tried.footprint):
                    return tried
        return None

    def _guess(self, known: Member, fits: int, breaks: int) -> int:
        """Return the largest width between two that is likely to fit, or the first if none is."""

        def too_large(step: int) -> bool:
            other = of_share(known.footprint, Fraction(step, round(known.config.width * STEPS)))
            return other is not None and not self.device.budget.fits(other)

        return (_first(fits + 1, breaks - 1, too_large) or breaks) - 1


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int | None:
    """Return the first of the numbers from `low` to `high` for which something holds, which does for all behind it."""
    end = high + 1
    while low < end:
        middle = (low + end) // 2
        if holds(middle):
            end = middle
        else:
            low = middle + 1
    return low if low <= high else None
