"""A network without front end that hears rows without end, or windows cut out one after the other."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.device.qemu import Run, build, run
from firmware_bridge.device.targets import Target
from firmware_bridge.folder.emit import write_network
from firmware_bridge.plan.network import Network

MAIN = Path(__file__).with_suffix(".c")


def hear(
    network: Network,
    rows: NDArray[np.int8],
    target: Target,
    folder: Path,
    flags: tuple[str, ...] = (),
    timeout: float = 300.0,
) -> tuple[NDArray[np.int8], Run]:
    """Return the output of every window, [windows, values], and what else the program reported.

    Parameters
    ----------
    network : Network
        That shares its trunk and hears `rows` [rows, values] without end, or else one window after the other of them.
    """
    folder.mkdir(exist_ok=True)
    write_network(folder, network)
    defines = [] if network.split else ["CUT_OUT"]
    sources = [*sorted(folder.glob("*.c")), MAIN]
    program = build(sources, target, folder / "build", include=[folder], defines=defines, flags=flags)
    assert program.warnings == ""
    done = run(program, inputs={"rows.bin": rows.tobytes()}, outputs=["outputs.bin"], timeout=timeout)
    assert done.status == 0, done.text
    output = network.program.streams[network.program.output]
    return np.frombuffer(done.files["outputs.bin"], np.int8).reshape(-1, output.rows * output.width), done
