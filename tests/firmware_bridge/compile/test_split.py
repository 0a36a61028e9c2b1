"""Windows that share a trunk: what may be shared, against LiteRT on windows cut out, and the C on rows without end."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from cnn6_tflite import cnn6
from endless_net import hear
from host import SANITIZERS
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from one_op_tflite import litert
from streaming_models import Head, of_kernels, streaming

from export.tflite.runtime import LiteRT
from firmware_bridge.compile.program import CStruct, Program, Step, Stream, Tap
from firmware_bridge.compile.schedule import simulate_split
from firmware_bridge.compile.split import ENDLESS, Split, split
from firmware_bridge.device.targets import Target
from firmware_bridge.plan.network import Network, plan_network, report, report_text, share
from firmware_bridge.tflite.reader import parse_tflite

FRAMES, MELS = 40, 8
HEADS: list[Head] = ["mean", "attention", "whole", "padded"]


def shared(content: bytes, hop: int, kernels: str = "c99", push_limit: int = 0) -> Network:
    network = share(plan_network(parse_tflite("m.tflite", content), kernels, push_limit=push_limit), hop)
    assert isinstance(network, Network), network
    return network


def why_not(content: bytes, hop: int, kernels: str = "c99") -> str:
    found = share(plan_network(parse_tflite("m.tflite", content), kernels), hop)
    assert isinstance(found, str)
    return found


def cut_out(rows: NDArray[np.int8], frames: int, hop: int) -> NDArray[np.int8]:
    """Every window of rows [rows, values]: [windows, frames, values]."""
    windows = np.lib.stride_tricks.sliding_window_view(rows, frames, axis=0)[::hop]
    return np.ascontiguousarray(windows.transpose(0, 2, 1))


def sound(seed: int, rows: int, mels: int = MELS) -> NDArray[np.int8]:
    """Codes that grow and fade, extremes among them."""
    rng = np.random.default_rng(seed)
    loud = np.abs(np.sin(np.arange(rows) / 7))[:, None]
    return np.clip(rng.normal(0, 90, (rows, mels)) * loud, -128, 127).astype(np.int8)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 500), st.sampled_from(HEADS), st.integers(1, 4), st.sampled_from(["c99", "dsp8"]))
def test_what_windows_share_is_the_same_in_each_bit_for_bit(seed: int, head: Head, hop_rows: int, kernels: str):
    model = streaming(seed, head)
    network = shared(model.content, hop_rows * model.stride, kernels)
    assert network.split is not None
    kept = network.split.trunk.streams[network.split.trunk.output]
    hop = network.split.hop_rows
    windows = cut_out(sound(seed, FRAMES + 3 * network.split.hop), FRAMES, network.split.hop)
    made = litert(model.content, windows)[kept.tensor].reshape(len(windows), kept.rows, -1)
    for earlier, later in pairwise(made):
        np.testing.assert_array_equal(earlier[hop:], later[: max(0, kept.rows - hop)])
    # Nothing that could be shared is left to the head: convolutions that pad or see every row, and behind them.
    behind = [step for step in network.split.head.steps if step.macs]
    assert len(behind) == {"mean": 1, "attention": 1, "whole": 0, "padded": 2}[head]


def test_a_hop_between_rows_shares_less_or_nothing():
    model = streaming(3, "mean")
    assert model.stride == 4
    macs = {hop: report(shared(model.content, hop, "dsp8"))["shared"]["head_macs"] for hop in (2, 4)}
    assert 10 * macs[4] < macs[2]
    sentence = why_not(model.content, 3, "dsp8")
    assert "% of the multiply-accumulates could be shared: CONV_2D that makes 't7' makes a row of 2 frames" in sentence
    assert "and a hop of 3 is no whole number of them" in sentence


@pytest.mark.parametrize("heads", [0, 2])
def test_a_network_that_pads_time_shares_nothing_and_says_so(heads: int):
    content = cnn6(np.random.default_rng(1), 33, mels=16, width=4, heads=heads)
    assert why_not(content, 16).startswith("CONV_2D that makes 't")
    assert why_not(content, 16).endswith("' pads time")


@pytest.mark.parametrize(
    ("seed", "head", "times", "kernels", "push_limit"),
    [
        *((0, "mean", 1, "c99", 0), (3, "attention", 2, "c99", 300), (1, "whole", 1, "c99", 1)),
        *((3, "padded", 1, "c99", 2000), (3, "mean", 5, "c99", 0)),
    ],
)
def test_c_on_rows_without_end_answers_as_litert_on_windows_cut_out(
    seed: int, head: Head, times: int, kernels: str, push_limit: int, installed: Callable[[str], Target], tmp_path: Path
):
    model = streaming(seed, head)
    network = shared(model.content, times * model.stride, kernels, push_limit)
    rows = sound(seed, 500)
    outputs, done = hear(network, rows, installed("host"), tmp_path, SANITIZERS)
    wanted = LiteRT(model.content, "reference").run(cut_out(rows, FRAMES, times * model.stride))
    assert len(np.unique(wanted, axis=0)) > 9
    np.testing.assert_array_equal(outputs, wanted.reshape(outputs.shape))
    assert done.values["network_bytes"] == network.context_bytes
    assert done.values["most_shares"] == report(network)["shares_after_last_push"]


@pytest.mark.parametrize(("kernels", "length"), [([3, 2, 3], 4000), ([5, 7, 11, 13, 17], 66_000)])
def test_counters_never_run_over(kernels: list[int], length: int, installed: Callable[[str], Target], tmp_path: Path):
    """Rings that come round early, and such as take a long time to: these beyond 2^16 rows."""
    frames, hop, period = 80, 1, 211
    network = shared(of_kernels(4, kernels, frames), hop)
    assert network.split is not None
    slots = network.schedule.slots[: len(network.split.trunk.streams)]
    most = network.split.highest(slots)
    assert most < ENDLESS
    once = sound(2, period, mels=2)
    rows = np.resize(once, (length, 2))
    assert length > 10 * most
    outputs, done = hear(network, rows, installed("host"), tmp_path, SANITIZERS)
    assert most // 2 < done.values["highest_counter"] <= most
    wanted = LiteRT(of_kernels(4, kernels, frames), "reference").run(cut_out(rows[: period + frames - 1], frames, hop))
    assert len(np.unique(wanted, axis=0)) > 9
    places = np.arange(len(outputs)) % period
    np.testing.assert_array_equal(outputs, wanted.reshape(period, -1)[places])


def test_rings_that_come_round_too_late_are_made_longer():
    """5 x 7 x 11 x 13 x 17 rows are more than counters of 16 bits hold."""
    few, many = (shared(of_kernels(1, kernels, 80), 1) for kernels in ([5, 7], [5, 7, 11, 13, 17]))
    assert few.schedule.slots[:2] == (5, 7)
    assert many.schedule.slots[:5] == (6, 8, 12, 16, 24)


def test_windows_longer_than_counters_are_not_shared():
    streams = tuple(Stream(name, index, rows, 1) for index, (name, rows) in enumerate((("a", 40_000), ("b", 39_998))))
    step = Step("CONV_2D", "k", "k", CStruct("none_t", {}), (Tap(0, 3),), 1, 1, 39_998, 10)
    found = split(Program("m", streams, (step,), 0, 1), 30_000)
    assert isinstance(found, Split)
    assert simulate_split(found) is None


def test_a_report_says_what_is_kept_and_what_a_decision_costs():
    model = streaming(3, "mean")
    network = shared(model.content, 2 * model.stride, "dsp8")
    facts = report(network)
    assert facts["shared"] == {
        "tensor": "t17", "rows": 7, "row_values": 8, "bytes": 56, "hop_rows": 2, "trunk_macs": 8160, "head_macs": 16,
    }  # fmt: skip
    assert facts["macs"] == 8160 + 16 == sum(layer["macs"] for layer in facts["layers"])
    assert "every 2 rows the head looks at them: 8160 MAC of the trunk and 16 of the head a decision" in report_text(
        facts
    )


@pytest.mark.slow
@pytest.mark.parametrize(("target", "kernels"), [("cortex-m4", "dsp8"), ("cortex-m55", "mve"), ("cortex-m3", "c99")])
def test_a_core_answers_the_same_and_the_trunk_costs_the_same_at_every_hop(
    target: str, kernels: str, installed: Callable[[str], Target], tmp_path: Path
):
    """A trunk that ran once for each window would cost seven times as much at a hop of one row as at one of seven."""
    model, core = streaming(3, "mean"), installed(target)
    assert core.machine is not None
    rows = sound(1, 1500)
    reference = LiteRT(model.content, "reference")
    instructions = {}
    for times in (1, 2, 7):
        hop = times * model.stride
        outputs, done = hear(shared(model.content, hop, kernels), rows, core, tmp_path / str(times))
        wanted = reference.run(cut_out(rows, FRAMES, hop))
        np.testing.assert_array_equal(outputs, wanted.reshape(outputs.shape))
        instructions[times] = core.machine.instructions(done.values["network_ticks"]), len(outputs)
    (one, often), (two, half), (seven, seldom) = (instructions[times] for times in (1, 2, 7))
    head = (one - two) / (often - half)
    assert head > 0
    assert one - head * often == pytest.approx(seven - head * seldom, rel=0.03)
