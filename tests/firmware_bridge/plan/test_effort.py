"""Instructions that are estimated before anything is built; programs that run in QEMU are the truth."""

from pathlib import Path

import numpy as np
import pytest
from cnn6_tflite import cnn6
from counted import assert_estimated
from exported_families import exported
from exported_student import exported_student

from firmware_bridge.bench_target import bench_target
from firmware_bridge.command import budget_of, instructions_of
from firmware_bridge.device.targets import find_target, targets
from firmware_bridge.plan import effort as estimates
from firmware_bridge.plan.budget import Budget
from firmware_bridge.plan.effort import Effort, costs, effort_of, facts_of
from firmware_bridge.plan.footprint import Footprint
from firmware_bridge.plan.model import Model
from lungsound.errors import InputError

M4 = find_target("cortex-m4")


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Footprint:
    """A network without front end."""
    path = tmp_path_factory.mktemp("bare") / "net.tflite"
    path.write_bytes(cnn6(np.random.default_rng(1), 33, mels=16, width=4, heads=2))
    model = Model.open(path)
    return Footprint(model, model.plan("dsp8", "double"))


def test_there_is_an_estimate_of_each_core_that_counts_and_of_no_other():
    counting = {target.name for target in targets() if target.machine}
    assert set(costs()) == counting
    for name in counting:
        for rounding in ("double", "single"):
            assert estimates.no_estimate(find_target(name), None, rounding) is None
    for target in targets():
        if target.name not in counting:
            assert "as QEMU counts none; there is one for cortex-m0" in str(estimates.no_estimate(target))


def test_a_core_that_counts_nothing_has_reasons_in_place_of_numbers(bare):
    why = effort_of(bare, find_target("host"))
    assert why == estimates.no_estimate(find_target("host"), "dsp8")
    facts = facts_of(why)
    assert facts.pop("why_not") == why
    assert set(facts.values()) == {None}
    assert "with kernels dsp16, double rounding; there is one with dsp8, double" in str(
        estimates.no_estimate(M4, "dsp16")
    )


def test_a_kernel_that_nobody_counted_is_not_guessed(bare, monkeypatch):
    known = costs()
    less = known["cortex-m4"]["dsp8, double rounding"].copy()
    del less["au_softmax"]
    lacking = known | {"cortex-m4": known["cortex-m4"] | {"dsp8, double rounding": less}}
    monkeypatch.setattr(estimates, "costs", lambda: lacking)
    assert effort_of(bare, M4) == "there is no estimate of instructions, as au_softmax was never counted on cortex-m4"


def test_a_network_alone_is_estimated_by_window_and_has_no_second(bare):
    effort = effort_of(bare, M4)
    assert isinstance(effort, Effort)
    assert (effort.front_end, effort.a_second, facts_of(effort)["a_second"]) == (0, {}, None)
    assert effort.network == sum(effort.steps) + effort.engine
    assert effort.text("cortex-m4") == f"about {effort.network:,} instructions a window on cortex-m4, an estimate"
    with pytest.raises(InputError, match=r"says not what it listens to; give --listening FILE.json, or leave"):
        Budget(instructions=1, target=M4).check(bare)


@pytest.mark.parametrize(
    ("said", "count"), [("20000000", 20_000_000), ("20M", 20_000_000), ("2.5 m", 2_500_000), ("0.3G", 300_000_000)]
)
def test_instructions_are_counted_in_tens(said, count):
    assert instructions_of(said) == count
    assert budget_of(None, "1K", said, M4) == Budget(None, 1024, count, M4)


@pytest.mark.parametrize("said", ["", "M", "-3M", "1e6", "20MB", "1/2", "٣", "nan"])
def test_what_is_no_number_of_instructions_is_one_sentence(said):
    with pytest.raises(InputError, match="is no number of instructions; write 20000000, 20M or"):
        instructions_of(said)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("mobilenetv2", "cortex-m4"),
        ("mobilenetv1", "cortex-m55"),
        ("stream", "cortex-m33"),
        ("resnet22", "cortex-m55"),
        ("cnn10", "cortex-m3"),
    ],
)
def test_a_network_that_was_not_fitted_takes_no_more_than_is_estimated(family, name, installed, tmp_path: Path):
    installed(name)
    path = tmp_path / "net.tflite"
    stream = family == "stream"
    path.write_bytes(exported_student(3 / 16, 2, trunk=family, depth=4)[0] if stream else exported(family)[1])
    assert_estimated(bench_target(path, name))
