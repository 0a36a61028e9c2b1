"""The largest student that fits, against every student there is."""

from itertools import pairwise

import pytest
from torch import nn

from auscult.sizing import search
from auscult.sizing.search import Device, largest
from auscult.sizing.untrained import parameters_of, untrained
from firmware_bridge.device.targets import find_target
from firmware_bridge.plan.budget import Budget
from firmware_bridge.plan.effort import effort_of
from firmware_bridge.plan.footprint import Footprint
from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from students import registry
from students.registry import Depths, StudentCard
from students.student import StudentConfig

HEARS = Listening.with_whole_hop(SPECS["device_4k_16ms"], 1.0, 0.512)
STEPS = (1, 2, 3, 4, 5, 6)
"""Sixty-fourths of the widths of the small grid."""
M4 = find_target("cortex-m4")
CARD = StudentCard("toy", "", "", "", "", "", depths=Depths(1, 2, usual=1))


class Toy(nn.Sequential):
    """One convolution or two, quick to export; 512 channels are of width 1."""

    def __init__(self, width: float, dropout: float, depth: int) -> None:
        widths = [1, *(int(channels * width) for channels in (512, 768)[:depth])]
        super().__init__(*(nn.Conv2d(*sides, 3, stride=2) for sides in pairwise(widths)))
        self.channels = widths[-1]


def toy_config(width: float = 1.0, depth: int = 1) -> StudentConfig:
    return StudentConfig("toy", width, heads=2, depth=depth)


def planned(config: StudentConfig, device: Device) -> Footprint:
    model = untrained(config, HEARS)
    return Footprint(model, model.plan("dsp8", "double"), device.overlapping)


def found(config, device):
    return largest(config, lambda _: HEARS, device, lambda _: None)


@pytest.fixture(scope="module", autouse=True)
def toy():
    """Let there be a family, and a grid, that are planned in seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._FAMILIES, "toy", registry.Family(CARD, Toy))
        yield


@pytest.fixture(scope="module")
def grid(toy):
    """What toys of a small grid take that decide every hop: RAM, flash, instructions a second, parameters."""
    members = {}
    for depth in (1, 2):
        for step in STEPS:
            config = toy_config(step / 64, depth)
            footprint = planned(config, Device(M4, Budget(), True))
            parts = footprint.ram, footprint.flash, effort_of(footprint, M4).a_second
            members[config] = *(sum(part.values()) for part in parts), parameters_of(config)
    return members


@pytest.fixture
def small(monkeypatch):
    """Let a search know the small grid alone."""
    monkeypatch.setattr(search, "MOST", STEPS[-1])


@pytest.mark.parametrize("share", [0.0, 0.35, 0.7, 1.0])
def test_it_is_the_largest_of_all(grid, small, share):
    needs = list(zip(*grid.values(), strict=True))[:3]
    ram, flash, runs = (int(min(sizes) + share * (max(sizes) - min(sizes))) for sizes in needs)
    for limits in ((ram, None, None), (None, flash, None), (None, None, runs), (ram, flash, runs)):

        def fits(needed: tuple[int, ...], limits: tuple[int | None, ...] = limits) -> bool:
            return all(there is None or need <= there for need, there in zip(needed, limits, strict=False))

        fitting = [config for config, needed in grid.items() if fits(needed)]
        device = Device(M4, Budget(*limits, M4), True)
        if not fitting:
            with pytest.raises(InputError, match="no toy fits: the smallest, toy of width"):
                found(toy_config(), device)
            continue
        answer = found(toy_config(), device)
        assert answer.chosen.parameters == max(grid[config][-1] for config in fitting)
        assert answer.chosen.config in fitting
        more = [needed[-1] for needed in grid.values() if needed[-1] > answer.chosen.parameters]
        assert (answer.larger.parameters if answer.larger else None) == min(more, default=None)
        if answer.larger:
            needed = grid[answer.larger.config]
            assert not fits(needed)
            assert any(str(need) in " ".join(answer.breaks) for need in needed[:3])


def test_a_window_that_no_student_hears_is_said_so():
    device = Device(M4, Budget(1 << 20, None), False)
    tiny = Listening.with_whole_hop(SPECS["device_4k"], 0.5, 0.256)
    with pytest.raises(InputError, match="14 frames are too few for stream"):
        largest(StudentConfig("stream"), lambda _: tiny, device, lambda _: None)


def test_a_budget_that_nothing_fits_names_the_smallest_and_what_may_be_changed():
    device = Device(M4, Budget(1000, None), True)
    with pytest.raises(InputError, match=r"no toy fits: the smallest, toy of width 0.015625 and depth 1, ") as said:
        found(toy_config(), device)
    assert "bytes of RAM (networks " in str(said.value)
    assert "and there are 1000" in str(said.value)
    assert "--head linear, no --overlapping or another family" in str(said.value)
