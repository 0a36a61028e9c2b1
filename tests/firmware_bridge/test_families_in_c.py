"""Every family of students as C: each value beside LiteRT on this computer, each output byte on two cores in QEMU."""

import numpy as np
import pytest
from exported_student import exported_student
from host import compile_on_host, run_on_host
from one_op_tflite import litert

from firmware_bridge.bench_target import bench_target
from firmware_bridge.folder.emit import write_network
from firmware_bridge.plan.network import plan_network
from firmware_bridge.tflite.reader import parse_tflite

pytestmark = pytest.mark.slow

FAMILIES = ("cnn10", "cnn14", "resnet22", "mobilenetv1", "mobilenetv2", "mobilenetv3")
"""Those beside CNN6 and stream, which other tests here take everywhere."""


def exported(family: str) -> tuple[bytes, np.ndarray]:
    """An int8 student of two heads that hears 2.5 s, and windows for it."""
    return exported_student(1 / 16, 2, 2.5, trunk=family)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_c_makes_every_value_of_the_reference_kernels(family, tmp_path):
    content, windows = exported(family)
    network = plan_network(parse_tflite(family, content))
    wanted = litert(content, windows[..., None])
    write_network(tmp_path, network)
    made = run_on_host(compile_on_host(tmp_path), windows[..., None])
    assert len(made.streams) == len(network.program.streams) - 1
    for index, values in made.streams.items():
        stream = network.program.streams[index]
        # Rows that the output does not need may be missing at the end.
        assert (values != wanted[stream.tensor][:, : values.shape[1]]).sum() == 0, stream.name
    assert (made.outputs != wanted[network.graph.outputs[0]]).sum() == 0
    assert len(np.unique(made.outputs)) > 4


@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m55"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_core_makes_the_bytes_of_the_reference_kernels(family, target, installed, tmp_path):
    installed(target)
    path = tmp_path / "net.tflite"
    path.write_bytes(exported(family)[0])
    found = bench_target(path, target)
    assert (found["differing_bytes"], found["output_bytes"]) == (0, 10)
