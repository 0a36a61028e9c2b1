"""The schedule against what a kernel's reach says it must keep."""

import numpy as np
import pytest
from cnn6_tflite import cnn6
from hypothesis import given
from hypothesis import strategies as st
from layered_models import layered
from one_op_tflite import build

from firmware_bridge.compile.memory import Memory, lay_out
from firmware_bridge.compile.program import CStruct, Fold, Program, Step, Stream, Tap
from firmware_bridge.compile.schedule import Schedule, simulate
from firmware_bridge.device.targets import KERNELS
from firmware_bridge.plan.network import plan_network
from firmware_bridge.tflite.reader import parse_tflite

_OP = CStruct("none_t", {})


def _chain(*windows: tuple[int, int, int], rows: int = 40) -> Program:
    """VALID windows (kernel, stride, dilation) one after another, rows of one value."""
    streams, steps = [Stream("input", 0, rows, 1)], []
    for index, (kernel, stride, dilation) in enumerate(windows):
        rows = (rows - (kernel - 1) * dilation - 1) // stride + 1
        streams.append(Stream(f"s{index}", index + 1, rows, 1))
        steps.append(Step("CONV_2D", "k", "k", _OP, (Tap(index, kernel, stride, dilation),), index + 1, 1, rows, 10))
    return Program("m", tuple(streams), tuple(steps), 0, len(steps))


@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3))
def test_a_ring_holds_the_reach_of_its_kernel(kernel: int, stride: int, dilation: int):
    program = _chain((kernel, stride, dilation), (1, 1, 1))
    schedule = simulate(program)
    assert schedule.slots[0] == (kernel - 1) * dilation + 1
    assert schedule.slots[1] == 1
    assert sum(schedule.push_macs) == sum(step.runs * step.macs for step in program.steps)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 2), st.just(1)), min_size=1, max_size=4), st.integers(1, 45)
)
def test_a_limited_push_costs_no_more_and_everything_is_done(windows: list[tuple[int, int, int]], limit: int):
    program = _chain(*windows, rows=80)
    free, limited = simulate(program), simulate(program, limit)
    assert max(limited.push_macs) <= max(limit, 10)
    assert sum(limited.push_macs) == sum(free.push_macs)
    assert all(more >= less for more, less in zip(limited.slots, free.slots, strict=True))


def test_a_late_branch_makes_the_early_one_wait():
    streams = tuple(Stream(name, index, 20, 1) for index, name in enumerate("abc"))
    steps = (
        Step("CONV_2D", "k", "k", _OP, (Tap(0, 7, 1, 1, 3, 0),), 1, 1, 20, 1),
        Step("ADD", "k", "k", _OP, (Tap(0, 1), Tap(1, 1)), 2, 1, 20, 1),
    )
    schedule = simulate(Program("m", streams, steps, 0, 2))
    assert schedule.slots == (7, 1, 20)
    assert max(schedule.push_macs) == 2 * 4


def test_a_whole_tap_keeps_everything():
    streams = (Stream("a", 0, 9, 2), Stream("b", 1, 3, 6))
    steps = (Step("TRANSPOSE", "k", "k", _OP, (Tap(0, 0),), 1, 3, 1, 0),)
    assert simulate(Program("m", streams, steps, 0, 1)).slots == (9, 3)


def test_a_fold_keeps_one_row_and_its_sums_while_a_window_is_open():
    streams = (Stream("a", 0, 6, 4), Stream("b", 1, 2, 4))
    steps = (Step("AVERAGE_POOL_2D", "k", "k", _OP, (Tap(0, 1),), 1, 1, 6, 0, Fold(2, 3, 0, 8)),)
    schedule = simulate(Program("m", streams, steps, 0, 1))
    assert schedule.slots == (1, 2)
    ran = schedule.alive[2][1::2]
    assert ran.all()
    pushed = schedule.alive[2][0::2]
    assert pushed.tolist() == [False, True, False, False, True, False]


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 2), st.just(1)), min_size=1, max_size=4))
def test_blocks_alive_together_never_overlap(windows: list[tuple[int, int, int]]):
    program = _chain(*windows, rows=80)
    schedule = simulate(program)
    _check_apart(lay_out(program, schedule), schedule)


@pytest.mark.parametrize("push_limit", [0, 3000])
@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("seed", range(5))
def test_rings_and_sums_of_branches_never_overlap(seed: int, kernels: str, push_limit: int):
    for content in (build(layered(seed)), cnn6(np.random.default_rng(seed), 33, mels=16, width=2, heads=2)):
        network = plan_network(parse_tflite("model.tflite", content), kernels, push_limit=push_limit)
        _check_apart(network.memory, network.schedule)


def _check_apart(memory: Memory, schedule: Schedule) -> None:
    """Blocks that are alive at the same time lie apart, each on a word."""
    offsets, sizes = memory.ring_offsets + memory.sums_offsets, memory.ring_bytes + memory.sums_bytes
    together = (schedule.alive.astype(int) @ schedule.alive.T.astype(int)) > 0
    assert len(together) == len(offsets)
    for first, (offset, size) in enumerate(zip(offsets, sizes, strict=True)):
        assert offset + size <= memory.total
        assert offset % 4 == 0
        for second in range(first):
            other, length = offsets[second], sizes[second]
            assert not together[first, second] or offset + size <= other or other + length <= offset or not size


def test_alive_has_a_row_for_every_stream_and_step():
    schedule = simulate(_chain((3, 1, 1), (2, 2, 1)))
    assert schedule.alive.shape[0] == 3 + 2
    assert schedule.alive.dtype == np.bool_
