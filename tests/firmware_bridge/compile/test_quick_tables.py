"""That tables as strings, which tests compile in place of numbers, make the same object."""

import subprocess
from pathlib import Path

import numpy as np
from host import WARNINGS
from one_op_tflite import Model, Node, Spec, build
from quick_tables import with_quick_tables

from firmware_bridge.folder.emit import write_network
from firmware_bridge.plan.network import plan_network
from firmware_bridge.tflite.reader import parse_tflite


def test_quick_tables_make_the_same_object(tmp_path: Path):
    values = np.random.default_rng(0).integers(-128, 128, (160, 128))
    weights = Spec(values.shape, (0.01,), (0,), data=values)
    bias = Spec((160,), (0.001,), (0,), data=np.arange(160), dtype="int32")
    layer = Node("FULLY_CONNECTED", [0, 1, 2], 3, ("FullyConnectedOptions", {"fusedActivationFunction": 0}))
    model = Model([Spec((1, 128)), weights, bias, Spec((1, 160), (4.0,))], [layer])
    write_network(tmp_path, plan_network(parse_tflite("wide.tflite", build(model))))
    numbers = _object(tmp_path)
    with_quick_tables(tmp_path)
    assert "{\n" not in (tmp_path / "net.c").read_text().partition("step00_weights[20480]")[2][:30]
    assert _object(tmp_path) == numbers


def _object(folder: Path) -> bytes:
    subprocess.run(["gcc", *WARNINGS, "-O2", "-c", "net.c", "-o", "net.o"], cwd=folder, check=True)
    return (folder / "net.o").read_bytes()
