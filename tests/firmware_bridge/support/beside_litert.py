"""Networks as C beside LiteRT's reference kernels, value by value: on this computer, and on a core in QEMU."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from host import run_all_on_host
from one_op_tflite import litert
from traced_net import all_differing

from firmware_bridge.device.targets import Target
from firmware_bridge.plan.network import plan_network
from firmware_bridge.tflite.reader import parse_tflite

Case = tuple[bytes, np.ndarray]
"""A .tflite file and windows [n, *input]."""


def differing_on_host(cases: Sequence[Case], folder: Path) -> list[int]:
    """How many values of each network's every tensor differ."""
    networks = [plan_network(parse_tflite("graph.tflite", content)) for content, _ in cases]
    found = []
    runs = run_all_on_host(networks, [windows for _, windows in cases], folder)
    for network, run, case in zip(networks, runs, cases, strict=True):
        wanted = litert(*case)
        tensors = {network.program.streams[stream].tensor: values for stream, values in run.streams.items()}
        found.append(sum(int((values != wanted[key][:, : values.shape[1]]).sum()) for key, values in tensors.items()))
        found[-1] += int((run.outputs != wanted[network.graph.outputs[0]]).sum())
    return found


def differing_on_core(
    cases: Sequence[Case], target: Target, kernels: str, folder: Path, push_limit: int = 0
) -> list[int]:
    """The same on a core; each network hears as many windows."""
    networks = [
        plan_network(parse_tflite("graph.tflite", content), kernels, push_limit=push_limit) for content, _ in cases
    ]
    windows, wanted = [windows for _, windows in cases], [litert(*case) for case in cases]
    return all_differing(networks, target, windows, wanted, folder)
