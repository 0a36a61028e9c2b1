"""An estimate of instructions, held against what QEMU counted."""

from pathlib import Path
from typing import Any

from firmware_bridge.device.targets import find_target
from firmware_bridge.plan.effort import Effort, effort_of
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.model import Model

MOST = 1.5
"""Estimate by count."""


def assert_estimated(found: dict[str, Any], listening: Path | None = None) -> None:
    """Check the estimate of what `bench_target` has measured: no less than was counted, and not much more."""
    model = Model.open(Path(found["path"]), listening, overlapping=found["overlapping"])
    footprint = Footprint(model, model.plan(found["kernels"], found["rounding"]), found["overlapping"])
    effort = effort_of(footprint, find_target(found["target"]))
    assert isinstance(effort, Effort), effort
    counted = found["front_end_instructions"], found["network_instructions"], found["instructions_per_second"]
    a_second = sum(effort.a_second.values()) if effort.seconds else None
    estimated = effort.front_end, effort.network, a_second
    pairs = list(zip(counted, estimated, strict=True))
    # Of windows that overlap the listener is counted as a whole, and what its front end takes is known from elsewhere.
    for count, estimate in pairs[2:] if found["overlapping"] else pairs:
        assert (count is None) == (estimate is None)
        assert count is None or count <= estimate <= MOST * count, pairs
