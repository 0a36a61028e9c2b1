"""Networks on a core, every row of every tensor written down."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from joined_networks import join_networks

from firmware_bridge.device.qemu import build, run
from firmware_bridge.device.targets import Target
from firmware_bridge.plan.network import Network

_CALLER = r"""
static net_t net;
static int8_t row[NET_ROW_VALUES];
static int8_t output[NET_OUTPUT_VALUES];

static void hear(int input, int trace)
{
    const uint32_t head[2] = {UINT32_MAX, NET_OUTPUT_VALUES};
    net_init(&net);
    for (uint32_t r = 0; r < NET_ROWS; ++r) {
        (void)board_read(input, row, sizeof(row));
        (void)net_push(&net, row);
    }
    while (!net_work(&net)) { /* what a limit on pushes has left */
    }
    net_output(&net, output);
    (void)board_write(trace, head, sizeof(head));
    (void)board_write(trace, output, sizeof(output));
}
"""
_LAST = r"""
static int trace;

void au_trace(uint16_t stream, uint16_t r, const au_value_t *values, uint32_t count)
{
    const uint32_t head[2] = {stream, count};
    (void)r;
    (void)board_write(trace, head, sizeof(head));
    (void)board_write(trace, values, count);
}

#define HEAR(name)                                            \
    for (uint32_t window = 0; window < WINDOWS; ++window) {   \
        name##_hear(input, trace);                            \
    }

int main(void)
{
    const int input = board_open_read("input");
    trace = board_open_write("trace");
    EACH(HEAR)
    board_close(trace);
    return 0;
}
"""
_HEAD = struct.Struct("<II")
_OUTPUT = 0xFFFFFFFF


def differing(
    network: Network,
    target: Target,
    windows: np.ndarray,
    wanted: Mapping[int, np.ndarray],
    folder: Path,
    flags: tuple[str, ...] = (),
) -> int:
    """How many values of one network differ, as `all_differing` counts them."""
    (count,) = all_differing([network], target, [windows], [wanted], folder, flags)
    return count


def all_differing(
    networks: Sequence[Network],
    target: Target,
    windows: Sequence[np.ndarray],
    wanted: Sequence[Mapping[int, np.ndarray]],
    folder: Path,
    flags: tuple[str, ...] = (),
) -> list[int]:
    """How many values of each network's tensors that are `wanted` differ from LiteRT's, by tensor [windows, values].

    Each network hears as many windows. Rows that the output does not need may be missing at the end of a tensor.
    """
    (count,) = {len(given) for given in windows}
    # Not a definition for the compiler, with which a cache would know no kernel again.
    last = f"#define WINDOWS {count}u\n{_LAST}"
    found = {}
    for place, indices in join_networks(networks, folder, f'#include "board.h"\n{_CALLER}', last):
        program = build(
            sorted(place.glob("*.c")), target, place / "build", include=[place], defines=["AU_TRACE"], flags=flags
        )
        assert program.warnings == ""
        given = b"".join(windows[index].tobytes() for index in indices)
        trace = _records(run(program, inputs={"input": given}, outputs=["trace"], timeout=300).files["trace"])
        for index in indices:
            made = _heard(trace, count)
            assert _OUTPUT in made
            found[index] = _differing(networks[index], made, wanted[index])
        assert next(trace, None) is None
    return [found[index] for index in range(len(networks))]


def _records(content: bytes) -> Iterator[tuple[int, np.ndarray]]:
    place = 0
    while place < len(content):
        stream, count = _HEAD.unpack_from(content, place)
        yield stream, np.frombuffer(content, np.int8, count, place + _HEAD.size)
        place += _HEAD.size + count


def _heard(trace: Iterator[tuple[int, np.ndarray]], windows: int) -> dict[int, np.ndarray]:
    """Take a network's windows off the trace: every stream's values, [windows, values]."""
    streams: dict[int, list[np.ndarray]] = {}
    ends = 0
    while ends < windows:
        stream, values = next(trace)
        streams.setdefault(stream, []).append(values)
        ends += stream == _OUTPUT
    return {stream: np.concatenate(rows).reshape(windows, -1) for stream, rows in streams.items()}


def _differing(network: Network, made: Mapping[int, np.ndarray], wanted: Mapping[int, np.ndarray]) -> int:
    tensors = {_OUTPUT: network.graph.outputs[0]} | {
        index: stream.tensor for index, stream in enumerate(network.program.streams)
    }
    return sum(
        int((values != wanted[tensors[stream]][:, : values.shape[1]]).sum())
        for stream, values in made.items()
        if tensors[stream] in wanted
    )
