"""`distill --student all --target`: the largest of every family, and of these the one of most parameters."""

import pytest
from torch import nn

from auscult.sizing import search
from auscult.sizing.choice import ALL, choose
from auscult.sizing.search import Device
from auscult.sizing.untrained import parameters_of
from firmware_bridge.device.targets import find_target
from firmware_bridge.plan.budget import Budget
from lungsound.errors import InputError
from lungsound.listening import Listening
from lungsound.logmel import SPECS
from students import registry
from students.registry import StudentCard, family
from students.student import StudentConfig

pytestmark = pytest.mark.slow

HEARS = Listening.with_whole_hop(SPECS["device_4k_16ms"], 0.25, 0.256)


class Toy(nn.Sequential):
    """One convolution, quick to export."""

    def __init__(self, channels: int, width: float) -> None:
        made = int(channels * width)
        super().__init__(nn.Conv2d(1, made, 3, stride=2))
        self.channels = made


@pytest.fixture(autouse=True)
def families(monkeypatch):
    """Let there be a wide and a narrow family, and one that does not hear the window."""
    toys = {"narrow": 256, "wide": 4096, "between": 512}
    known = {
        name: registry.Family(StudentCard(name, "", "", "", "", ""), lambda width, dropout, most=most: Toy(most, width))
        for name, most in toys.items()
    }
    monkeypatch.setattr(registry, "_FAMILIES", {"stream": family("stream")} | known)
    monkeypatch.setattr(search, "MOST", 2)


def chosen(budget: Budget):
    device = Device(find_target("cortex-m4"), budget, False)
    asked = StudentConfig("stream", head="linear")
    return choose(asked, ALL, HEARS, device, whole_hop=True)


def test_the_one_of_most_parameters_is_taken_of_those_that_fit(capsys):
    config, note = chosen(Budget(1 << 20, None))
    assert (config.trunk, config.width, config.head) == ("wide", 2 / 64, "linear")
    told = " ".join(capsys.readouterr().err.split())
    assert "frames are too few for stream" in told
    assert f"chosen: wide of width 0.03125, {parameters_of(config):,} parameters: {note['planned_ram_bytes']} " in told
    assert "it is the largest of its family" in told

    ram = 1800
    assert note["planned_ram_bytes"] > ram
    config, note = chosen(Budget(ram, None))
    assert (config.trunk, config.width) == ("between", 2 / 64)
    assert note["planned_ram_bytes"] <= ram == note["ram_bytes"]
    told = " ".join(capsys.readouterr().err.split())
    assert "no wide fits: the smallest, wide of width 0.015625, needs" in told
    sizes = [told.index(f"{name} of width 0.03125") for name in ("between", "narrow")]
    assert sizes == sorted(sizes)


def test_where_nothing_fits_every_family_says_why(capsys):
    with pytest.raises(InputError, match="no student of any family fits; give more --ram, --flash or --instr"):
        chosen(Budget(64, None))
    told = " ".join(capsys.readouterr().err.split())
    assert all(f"no {name} fits: the smallest, {name} of width 0.015625" in told for name in ("narrow", "wide"))
