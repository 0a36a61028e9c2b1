"""A network on a core, every row of every tensor written down."""

import struct
from pathlib import Path

import numpy as np
from quick_tables import with_quick_tables

from firmware_bridge.device.qemu import build, run
from firmware_bridge.device.targets import Target
from firmware_bridge.folder.emit import write_network
from firmware_bridge.plan.network import Network

_MAIN = r"""
#include "au_stream.h"
#include "board.h"
#include "net.h"

static net_t net;
static int8_t row[NET_ROW_VALUES];
static int trace;

void au_trace(uint16_t stream, uint16_t r, const au_value_t *values, uint32_t count)
{
    const uint32_t head[2] = {stream, count};
    (void)r;
    (void)board_write(trace, head, sizeof(head));
    (void)board_write(trace, values, count);
}

int main(void)
{
    const int input = board_open_read("input");
    trace = board_open_write("trace");
    for (uint32_t window = 0; window < WINDOWS; ++window) {
        net_init(&net);
        for (uint32_t r = 0; r < NET_ROWS; ++r) {
            (void)board_read(input, row, sizeof(row));
            (void)net_push(&net, row);
        }
        while (!net_work(&net)) { /* what a limit on pushes has left */
        }
    }
    board_close(trace);
    return 0;
}
"""
_HEAD = struct.Struct("<II")


def differing(
    network: Network,
    target: Target,
    windows: np.ndarray,
    wanted: dict[int, np.ndarray],
    folder: Path,
    flags: tuple[str, ...] = (),
) -> int:
    """How many values of the tensors that are `wanted` differ from those of LiteRT, by tensor [windows, values].

    Rows that the output does not need may be missing at the end of a tensor.
    """
    folder.mkdir(exist_ok=True)
    write_network(folder, network)
    with_quick_tables(folder)
    # Not a definition for the compiler, with which a cache would know no kernel again.
    (folder / "main.c").write_text(f"#define WINDOWS {len(windows)}u\n{_MAIN}")
    program = build(
        sorted(folder.glob("*.c")), target, folder / "build", include=[folder], defines=["AU_TRACE"], flags=flags
    )
    assert program.warnings == ""
    content = run(program, inputs={"input": windows.tobytes()}, outputs=["trace"], timeout=300).files["trace"]
    streams: dict[int, list[np.ndarray]] = {}
    place = 0
    while place < len(content):
        stream, count = _HEAD.unpack_from(content, place)
        streams.setdefault(stream, []).append(np.frombuffer(content, np.int8, count, place + _HEAD.size))
        place += _HEAD.size + count
    assert network.program.output in streams
    found = 0
    for stream, rows in streams.items():
        tensor = network.program.streams[stream].tensor
        if tensor in wanted:
            made = np.concatenate(rows).reshape(len(windows), -1)
            found += int((made != wanted[tensor][:, : made.shape[1]]).sum())
    return found
